"""The YAML files of a user's own log types: read, checked, and refused with file, line, key and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import yaml

from iota_dagster.core import yaml12
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources.user_check import Place, Problem, Taken, problems
from iota_dagster.core.sources.user_schema import UserSchema

SUFFIXES = (".yaml", ".yml")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*(?: [A-Za-z0-9_.]+)*")
_WORDS = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a whole number",
    "object": "a mapping",
    "str": "a text",
}
_WHERE = re.compile(r"(.*?)(?: - at `\$?(.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`")
_MISSING = re.compile(r"Object missing required field `(.*)`")


def read_schemas(paths: Sequence[Path], taken: Taken) -> tuple[UserSchema, ...]:
    """The schemas of some files and of the YAML files in some folders, by log type.

    `taken` are names that none of them may have. `SettingsError` with a line for each problem of each file.
    """
    found: dict[Path, UserSchema] = {}
    wrong: list[str] = []
    files: list[Path] = []
    for path in paths:
        try:
            files += schema_files(path)
        except OSError as error:
            wrong.append(f"{path}: cannot be read: {error.strerror}")
    for file in files:
        others = [other for known, other in found.items() if known != file]
        try:
            found[file] = read_schema(file, _with(taken, others))
        except SettingsError as error:
            wrong.append(str(error))
    if wrong:
        raise SettingsError("\n".join(wrong))
    return tuple(sorted(found.values(), key=lambda schema: schema.log_type))


def read_schema(file: Path, taken: Taken) -> UserSchema:
    """The schema of one file; `SettingsError` with a line for each problem."""
    try:
        document = yaml12.load(file.read_bytes())
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror}") from None
    except yaml12.YamlError as error:
        raise SettingsError(f"{file}:{error.line}: this is not YAML: {error.detail}") from None
    if not isinstance(document.value, Mapping):
        raise SettingsError(f"{file}:{document.line()}: expected a log type: log_type, format, description, fields, …")
    if odd := list(_odd_keys(document.value, ())):
        raise SettingsError("\n".join(_line(file, document, place, text) for place, text in odd))
    try:
        schema = msgspec.convert(document.value, UserSchema)
    except msgspec.ValidationError as error:
        place, text = _explain(str(error), document.value)
        raise SettingsError(_line(file, document, place, text)) from None
    marks = document.value.get("marks") or {}
    lines = [_line(file, document, place, text) for place, text in problems(schema, taken, marks)]
    if lines:
        raise SettingsError("\n".join(lines))
    return schema


def as_yaml(schema: UserSchema) -> str:
    """The schema as a file, which `read_schema` reads as the same schema."""
    plain = {key: value for key, value in msgspec.to_builtins(schema).items() if value != {}}
    fields = "".join(f"  - {_flow(item)}\n" for item in plain.pop("fields"))
    return "".join(f"{key}: {_flow(value)}\n" for key, value in plain.items()) + f"fields:\n{fields}"


def _flow(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_flow(key)}: {_flow(item)}' for key, item in value.items())}}}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    if _PLAIN.fullmatch(value) and value.lower() not in ("true", "false", "null", "inf", "nan"):
        return value
    quoted: str = yaml.dump(value, default_style='"', allow_unicode=True, width=2**31)
    return quoted.strip()


def schema_files(path: Path) -> list[Path]:
    """The YAML files of a folder by name; a path that is no folder is one itself. `OSError` if it cannot be read."""
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
    return [path]


def _with(taken: Taken, schemas: Sequence[UserSchema]) -> Taken:
    return Taken(
        {*taken.log_types, *(schema.log_type for schema in schemas)},
        {*taken.tables, *(schema.table_name for schema in schemas)},
    )


def _line(file: Path, document: yaml12.Document, place: Place, text: str) -> str:
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")
    return f"{file}:{document.line(*place)}: {shown}: {text}" if shown else f"{file}:{document.line()}: {text}"


def _odd_keys(value: Any, before: Place) -> Iterator[Problem]:
    """Keys that YAML reads as numbers, flags or nothing."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str):
                yield from _odd_keys(item, (*before, key))
            else:
                shown = str(key).lower() if isinstance(key, bool) else str(key)
                yield (*before, shown), "a key is a text: put it in quotes"
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _odd_keys(item, (*before, index))


def _explain(message: str, value: Any) -> tuple[Place, str]:
    """A message of msgspec as a place and words."""
    found = _WHERE.fullmatch(message)
    text, where = (found[1], found[2] or "") if found else (message, "")
    place = tuple(_steps(where))
    if unknown := _UNKNOWN.fullmatch(text):
        near = difflib.get_close_matches(unknown[1], _keys_at(place), 1)
        return (*place, unknown[1]), "unknown key" + (f", did you mean {near[0]}?" if near else "")
    if missing := _MISSING.fullmatch(text):
        return place, f"{missing[1]} is missing"
    if choices := _choices_at(place):
        return place, f"expected one of {', '.join(choices)}, got {_at(value, place)!r}"
    return place, _plainly(text)


def _plainly(text: str) -> str:
    for name, word in _WORDS.items():
        text = re.sub(rf"\b{name}\b", word, text)
    return text[:1].lower() + text[1:].replace("`", "").replace(" | ", ", ")


def _steps(where: str) -> Iterator[str | int]:
    for found in _STEP.finditer(where):
        if found[1]:
            yield found[1]
        elif found[2].isdigit():
            yield int(found[2])


def _keys_at(place: Place) -> list[str]:
    return [name for kind in _structs(_type_at(place)) for name in kind.__struct_fields__]


def _choices_at(place: Place) -> list[str]:
    """The texts that may stand somewhere; none where any may."""
    kinds = [_type_at(place), *get_args(_type_at(place))]
    return [word for kind in kinds for word in get_args(kind) if isinstance(word, str)]


def _type_at(place: Place) -> Any:
    """The declared type of a part of the schema; of a list's item the list's."""
    kind: Any = UserSchema
    for step in place:
        structs = _structs(kind)
        if isinstance(step, str) and structs:
            kind = get_type_hints(structs[0]).get(step)
    return kind


def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    return [each for each in (kind, *get_args(kind)) if isinstance(each, type) and issubclass(each, msgspec.Struct)]


def _at(value: Any, place: Place) -> Any:
    for step in place:
        value = value[step]
    return value
