"""What is wrong with a user's schema beyond the types of its keys: each problem with its place and what to do."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from iota_dagster.core.sources.user_defined import user_source
from iota_dagster.core.sources.user_json import keys_of
from iota_dagster.core.sources.user_patterns import PatternRefused, trust
from iota_dagster.core.sources.user_schema import UserField, UserSchema, Value
from iota_dagster.core.sources.user_text import headings
from iota_dagster.core.sources.user_times import format_problem, zone_problem

Place = tuple[str | int, ...]
Problem = tuple[Place, str]
"""Keys and indices that lead to a part of the schema, and what is wrong with it."""

RESERVED_TABLES = frozenset({"alerts", "alert_matches", "all_logs"})
_LOG_TYPE = re.compile(r"[A-Z][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]*)+")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,126}")
_COLUMN = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,126}")
_BAD_KEY = re.compile(r"[\"\\\x00-\x1f]")
FOLDERS = ("year", "month", "day", "hour")
_MOST_FIELDS = 500
_CELL_TYPES = ("text", "integer", "number", "flag", "time")
_ID_TYPES = ("text", "integer", "number", "flag", "time")
_MARKS_OF = {"json": {"values"}, "csv": {"header", "columns", "delimiter", "quote"}, "regex": {"pattern"}}


@dataclass(frozen=True, slots=True)
class Taken:
    """Names of log types and lake tables that are somebody else's."""

    log_types: Collection[str]
    tables: Collection[str]


def problems(schema: UserSchema, taken: Taken, given_marks: Collection[str] = ()) -> list[Problem]:
    """All problems of a schema; `given_marks` are the keys that stand under `marks`."""
    found = [
        *_naming(schema, taken),
        *_fields(schema),
        *_roles(schema),
        *_time(schema),
        *_key(schema),
        *((("marks", name), _misplaced(schema, name)) for name in given_marks if name not in _MARKS_OF[schema.format]),
        *{"json": _json, "csv": _csv, "regex": _regex}[schema.format](schema),
    ]
    if not found:
        try:
            user_source(schema)
        except ValueError as error:  # two fields in each other's way
            found.append((("fields",), str(error)))
    return found


def _naming(schema: UserSchema, taken: Taken) -> Iterator[Problem]:
    names = {name.casefold(): name for name in taken.log_types}
    if not _LOG_TYPE.fullmatch(schema.log_type):
        yield ("log_type",), f"{schema.log_type!r} is no name: write a vendor word, a dot and a name, as Custom.AppLog"
    elif other := names.get(schema.log_type.casefold()):
        yield ("log_type",), f"{other} is known already: choose another name"
    if not _TABLE.fullmatch(schema.table_name):
        yield ("table",), f"{schema.table_name!r} is no table: only lower-case letters, digits and _ may be in it"
    elif schema.table_name in RESERVED_TABLES or schema.table_name in taken.tables:
        yield ("table",), f"the table {schema.table_name} is taken: set `table` to another name"
    if not schema.description.strip():
        yield ("description",), "is empty: say in a line what the log tells"


def _fields(schema: UserSchema) -> Iterator[Problem]:
    if not 1 <= len(schema.fields) <= _MOST_FIELDS:
        yield ("fields",), f"has {len(schema.fields)} entries: name 1 to {_MOST_FIELDS}"
    seen: set[str] = set()
    for index, item in enumerate(schema.fields):
        place: Place = ("fields", index)
        if text := _column_problem(item.name, seen):
            yield (*place, "name"), text
        seen.add(item.name.casefold())
        if item.indicator and item.type not in ("text", "words"):
            yield (*place, "indicator"), f"{item.name} is {item.type}: indicators are found in text and words only"
        if schema.format != "json" and item.type not in _CELL_TYPES:
            kinds = ", ".join(_CELL_TYPES)
            yield (*place, "type"), f"{item.name} is {item.type}, but a part of a line is one of {kinds}"


def _column_problem(name: str, seen: Collection[str]) -> str | None:
    if not _COLUMN.fullmatch(name):
        return f"{name!r} is no column: letters, digits and _ may be in it, a letter first; `path` says where it is"
    if name.casefold().startswith("p_") or name.casefold() in FOLDERS:
        return f"{name} is a name of iota's own: choose another, and set `path` to {name}"
    if name.casefold() in seen:
        return f"the column {name} is there twice (case does not count)"
    return None


def _roles(schema: UserSchema) -> Iterator[Problem]:
    roles: list[tuple[Place, str, tuple[str, ...]]] = [
        (("identity", index), name, _ID_TYPES) for index, name in enumerate(schema.identity)
    ]
    roles += [((role,), name, ("text",)) for role in ("account", "region") if (name := getattr(schema, role))]
    if schema.time:
        roles.append((("time", "field"), schema.time.field, ("time",)))
    known = {item.name: item for item in schema.fields}
    for place, name, types in roles:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            yield place, f"there is no field {name}" + (f"; did you mean {near[0]}?" if near else "")
        elif known[name].type not in types or "[]" in known[name].place:
            yield place, f"{name} is {known[name].type}, but must be a single {' or '.join(types)}"
    if len(set(schema.identity)) < len(schema.identity):
        yield ("identity",), "names a field twice"


def _time(schema: UserSchema) -> Iterator[Problem]:
    if schema.time is None:
        return
    if text := format_problem(schema.time.format):
        yield ("time", "format"), text
    if text := zone_problem(schema.time.zone):
        yield ("time", "zone"), text


def _key(schema: UserSchema) -> Iterator[Problem]:
    try:
        trust(schema.key)
    except PatternRefused as error:
        yield ("key",), str(error)


def _misplaced(schema: UserSchema, name: str) -> str:
    return f"{name} says nothing of {schema.format}; there are: {', '.join(sorted(_MARKS_OF[schema.format]))}"


def _json(schema: UserSchema) -> Iterator[Problem]:
    if not schema.marks.values and not any(item.required for item in schema.fields):
        yield ("fields",), "nothing tells the type: set `required: true` on some fields, or `values` under `marks`"
    for index, item in enumerate(schema.fields):
        if text := _path_problem(item):
            yield ("fields", index, "path" if item.path else "name"), text
    for path, value in schema.marks.values.items():
        if "[]" in path or not all(keys_of(path)) or _BAD_KEY.search("".join(keys_of(path))):
            yield ("marks", "values", path), "a fixed value is at one place: name the keys on the way, with dots"
        elif value == ():
            yield ("marks", "values", path), "is an empty list: write the values that it may have"
        elif not all(map(_is_finite, value if isinstance(value, tuple) else (value,))):
            yield ("marks", "values", path), "JSON has no such number: write one that a record can have"


def _is_finite(value: Value) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _path_problem(item: UserField) -> str | None:
    keys = keys_of(item.place)
    if not all(key.removesuffix("[]") for key in keys):
        return f"{item.place!r} has an empty key: write the keys with dots between them, as user.name"
    if _BAD_KEY.search("".join(keys)):
        return f"{item.place!r}: a key with a quote, a backslash or a control character cannot be read"
    through_lists = any(key.endswith("[]") for key in keys)
    if through_lists and item.required:
        return f"{item.place} goes through a list, and cannot be required: require the list's own key"
    if through_lists and item.type not in ("text", "words"):
        return f"{item.place} goes through a list: its type can only be words"
    return None


def _csv(schema: UserSchema) -> Iterator[Problem]:
    marks = schema.marks
    if len(marks.delimiter) != 1 or marks.delimiter in "\r\n\0":
        yield ("marks", "delimiter"), f"{marks.delimiter!r} is not one character"
    if len(marks.quote) > 1 or marks.quote in ("\r", "\n", "\0", marks.delimiter):
        yield ("marks", "quote"), f"{marks.quote!r} is not one character other than the delimiter, nor empty"
    columns = headings(schema)
    if len(set(columns)) < len(columns) or "" in columns:
        yield ("marks", "columns") if marks.columns else ("fields",), "a column's heading is empty or there twice"
    for index, item in enumerate(schema.fields):
        if item.place not in columns:
            yield ("fields", index), f"there is no column {item.place!r} in `columns`"
    if not marks.header and len(columns) < 2:
        yield ("marks", "columns"), "a single column without a header tells no type: any line has it"


def _regex(schema: UserSchema) -> Iterator[Problem]:
    if not schema.marks.pattern:
        yield ("marks",), "pattern is missing: write a regular expression of the whole line, with named groups"
        return
    try:
        trust(schema.marks.pattern)
    except PatternRefused as error:
        yield ("marks", "pattern"), str(error)
        return
    groups = re.compile(schema.marks.pattern).groupindex
    for index, item in enumerate(schema.fields):
        if item.place not in groups:
            yield ("fields", index), f"there is no group (?P<{item.place}>…) in the pattern"
