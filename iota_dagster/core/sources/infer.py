"""A proposal for a user's log type from a sample of its records.

It is a beginning to be read and bettered by a person, but one that holds: each record of the sample is accepted by it.
Where that cannot be promised it says so, and why.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from iota_dagster.core.errors import IotaError
from iota_dagster.core.sources.base import HeadedSource
from iota_dagster.core.sources.infer_lines import csv_marks, pattern_of, time_format
from iota_dagster.core.sources.infer_values import indicator_of, snake, time_rank, type_of_texts, type_of_values
from iota_dagster.core.sources.user_check import FOLDERS, Taken, problems
from iota_dagster.core.sources.user_defined import user_source
from iota_dagster.core.sources.user_schema import FieldType, Format, UserField, UserMarks, UserSchema, UserTime
from iota_dagster.core.sources.user_text import Cells

MOST_COLUMNS = 40
MOST_MARKS = 6
_DEEPEST = 3
_ID_NAME = re.compile(r"(?:^|_)(?:id|uuid|guid|uid)$")
_KEY = re.compile(r'[^"\\\x00-\x1f]+')
_decode = msgspec.json.Decoder(dict[str, Any]).decode

Columns = Mapping[str, Sequence[Any]]
"""Values that are there, by their place in the record."""


class CannotInfer(IotaError):
    """No log type can be told from a sample; the text says why, and what to do."""


def infer(log_type: str, records: Sequence[bytes], taken: Taken) -> UserSchema:
    """A schema that accepts every one of the records; `CannotInfer` when there is none that could be told."""
    if not records:
        raise CannotInfer("there are no records in the sample")
    objects = [record.startswith(b"{") for record in records]
    if any(objects) and not all(objects):
        raise CannotInfer("some records are JSON objects and others are lines of text: take a sample of one kind")
    propose = _of_objects if objects[0] else _of_lines
    schema = propose(log_type, records)
    if found := problems(schema, taken):
        raise CannotInfer("; ".join(text for _, text in found))
    if not _accepts_all(schema, records):
        raise CannotInfer("a record of the sample is in no form that the others have: take a sample of one kind")
    return schema


def _accepts_all(schema: UserSchema, records: Sequence[bytes]) -> bool:
    source = user_source(schema)
    if isinstance(source, HeadedSource):
        below = source.below(records[0])
        return source.is_header(records[0]) and all(below.accepts(line) for line in records if line != records[0])
    return all(map(source.accepts, records))


def _of_objects(log_type: str, records: Sequence[bytes]) -> UserSchema:
    try:
        columns = dict(_walk([_decode(record) for record in records], "", 1))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise CannotInfer(f"a record that begins with {{ is no JSON object: {error}") from None
    everywhere = [path for path, values in columns.items() if len(values) == len(records)]
    marks = sorted(everywhere, key=lambda path: path.count("."))[:MOST_MARKS]
    if not marks:
        raise CannotInfer("no field is in every record, so that nothing tells the type: is this one kind of log?")
    often = sorted(columns, key=lambda path: (path not in marks, -len(columns[path])))[:MOST_COLUMNS]
    kept = {path: columns[path] for path in columns if path in often}
    types = {path: type_of_values(path, values) for path, values in kept.items()}
    return _schema(log_type, "json", kept, types, UserMarks(), marks)


def _walk(objects: Sequence[Mapping[str, Any]], before: str, depth: int) -> Iterator[tuple[str, list[Any]]]:
    """The places in objects with the values there; of objects at a place their own places, unless they lie deep."""
    for key in dict.fromkeys(key for item in objects for key in item):
        values = [item[key] for item in objects if item.get(key) is not None]
        if not _KEY.fullmatch(key) or "[]" in key or not values:  # cannot be written as a path
            continue
        path = before + key.replace(".", "\\.")
        if depth < _DEEPEST and all(isinstance(value, dict) for value in values):
            yield from _walk(values, f"{path}.", depth + 1)
        else:
            yield path, values


def _of_lines(log_type: str, records: Sequence[bytes]) -> UserSchema:
    lines = [record.decode(errors="replace") for record in records]
    below_each = [lines[0], *(line for line in lines[1:] if line != lines[0])]  # a sample of several files
    if marks := csv_marks(below_each):
        cells = Cells(marks.delimiter, marks.quote)
        rows = [cells.of(line) or [] for line in below_each[1:]]
        columns = {name: [row[place] for row in rows if row[place]] for place, name in enumerate(marks.columns)}
        return _schema(log_type, "csv", columns, _text_types(columns), marks)
    if pattern := pattern_of(lines):
        compiled = re.compile(pattern)
        found = [match.groupdict() for line in lines if (match := compiled.fullmatch(line))]
        columns = {name: [row[name] for row in found if row[name]] for name in compiled.groupindex}
        return _schema(log_type, "regex", columns, _text_types(columns), UserMarks(pattern=pattern))
    raise CannotInfer(
        "the lines have no header that names their columns, and are in no form that is known (access logs, syslog, "
        "key=value): write `format: regex` and a pattern, see docs/own-log-types.md"
    )


def _text_types(columns: Columns) -> dict[str, FieldType]:
    return {name: type_of_texts(name, values) for name, values in columns.items()}


def _schema(
    log_type: str,
    form: Format,
    columns: Columns,
    types: Mapping[str, FieldType],
    marks: UserMarks,
    required: Sequence[str] = (),
) -> UserSchema:
    time_path, time_form = _time(columns, types)
    names = _names(columns)
    fields = tuple(
        _field(names[path], path, "time" if path == time_path else types[path], values, path in required)
        for path, values in columns.items()
    )
    identity = _identity(columns, types)
    return UserSchema(
        log_type=log_type,
        format=form,
        description=f"Events of {log_type}",
        fields=fields,
        time=UserTime(names[time_path], time_form) if time_path else None,
        identity=(names[identity],) if identity else (),
        marks=marks,
    )


def _field(name: str, path: str, kind: FieldType, values: Sequence[Any], required: bool) -> UserField:
    texts = [text for value in values for text in (value if kind == "words" else [value]) if isinstance(text, str)]
    searched = kind in ("text", "words") and len(texts) >= len(values)
    return UserField(
        name=name,
        type=kind,
        description=snake(path).replace("_", " ").capitalize() or name,
        path="" if path == name else path,
        indicator=indicator_of(path, texts) if searched else None,
        required=required,
    )


def _names(paths: Columns) -> dict[str, str]:
    """Each place's column: its keys, with underscores for what a column's name cannot hold."""
    names: dict[str, str] = {}
    taken: set[str] = set(FOLDERS)
    for path in paths:
        word = re.sub(r"[^A-Za-z0-9]+", "_", path).strip("_")[:100] or "field"
        if not word[0].isalpha() or word.casefold().startswith("p_"):
            word = f"field_{word}"
        name, number = word, 1
        while name.casefold() in taken:
            name, number = f"{word}_{number + 1}", number + 1
        taken.add(name.casefold())
        names[path] = name
    return names


def _time(columns: Columns, types: Mapping[str, FieldType]) -> tuple[str, str]:
    """The place of the event's time and its format; "" where there is none."""
    known = [path for path, kind in types.items() if kind == "time"]
    if known:
        most = max(len(columns[path]) for path in known)
        return min(known, key=lambda path: (len(columns[path]) < most, time_rank(path))), ""
    for path, kind in types.items():
        if kind == "text" and all(isinstance(value, str) for value in columns[path]):
            form = time_format(columns[path])
            if form is not None:
                return path, form
    return "", ""


def _identity(columns: Columns, types: Mapping[str, FieldType]) -> str | None:
    """The place whose value is another one in every record, and is called an id; None where there is none."""
    size = max(map(len, columns.values()))
    for path in sorted(columns, key=lambda path: (path.count("."), len(path))):
        values = columns[path]
        if types[path] in ("text", "integer") and _ID_NAME.search(snake(path)) and len(values) == size > 1:
            distinct = {value for value in values if isinstance(value, (str, int))}
            if len(distinct) == size:
                return path
    return None
