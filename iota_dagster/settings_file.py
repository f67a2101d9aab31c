"""Where settings come from: `iota.yaml` and the environment, each value with the place where it was written.

Every scalar stays the text that the user wrote; the setting's type decides what it means. So an account id keeps its
leading zeros, `no` is a boolean only where one is asked for, and a wrong value is shown as it stands in the file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from iota_dagster.core.errors import SettingsError
from iota_dagster.settings_types import EnvironmentText

PREFIX = "IOTA_"
CONFIG = "IOTA_CONFIG"
KIND = "type"
"""The setting that tells several kinds of one thing from each other."""
Location = tuple[str | int, ...]
_EMPTY = {"", "~", "null", "Null", "NULL"}
_DEEPEST = 20
_EXPECTED = {
    "bool_parsing": "true or false",
    "byte_size": "a size such as 256 MiB",
    "byte_size_unit": "a size such as 256 MiB",
    "date_from_datetime_parsing": "a date such as 2020-01-01",
    "dict_type": "settings of its own (key: value)",
    "float_parsing": "a number",
    "int_parsing": "a whole number",
    "model_type": "settings of its own (key: value)",
    "path_type": "a path",
    "string_type": "a text",
    "tuple_type": "a list such as [a, b]",
}


@dataclass(slots=True)
class Written:
    """What the user wrote: the values, and for each key and value its place (`iota.yaml:3:15`, `IOTA_HOME`)."""

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[Location, str] = field(default_factory=dict)
    keys: dict[Location, str] = field(default_factory=dict)


def read_file(path: Path) -> Written:
    """The content of a settings file; `SettingsError` with line and column when it is not YAML of the expected form."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from error
    except yaml.MarkedYAMLError as error:
        place = _place(str(path), error.problem_mark)
        raise SettingsError(f"{place}: this is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:  # a control character; its text holds no line
        raise SettingsError(f"{path}: this is not YAML: {error}") from error
    written = Written()
    if root is None:
        return written
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError(f"{_place(str(path), root.start_mark)}: expected settings (key: value)")
    written.values = _plain(root, str(path), (), written)
    return written


def _plain(node: yaml.Node, file: str, at: Location, written: Written) -> Any:
    if len(at) > _DEEPEST:  # also ends an anchor that contains itself
        raise SettingsError(f"{_place(file, node.start_mark)}: nested deeper than {_DEEPEST} levels")
    written.places[at] = _place(file, node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return dict(_entries(node, file, at, written))
    if isinstance(node, yaml.SequenceNode):
        return [_plain(child, file, (*at, index), written) for index, child in enumerate(node.value)]
    plain = isinstance(node, yaml.ScalarNode) and node.style is None
    return None if plain and node.value in _EMPTY else node.value


def _entries(node: yaml.MappingNode, file: str, at: Location, written: Written) -> Iterator[tuple[str, Any]]:
    """A mapping's entries; one without a value is left out, so that it keeps its default."""
    for key, child in node.value:
        inner = (*at, str(key.value))
        if inner in written.keys:
            raise SettingsError(f"{_place(file, key.start_mark)}: {spell(inner)}: is set twice")
        written.keys[inner] = _place(file, key.start_mark)
        value = _plain(child, file, inner, written)
        if value is not None:
            yield str(key.value), value


def _place(file: str, mark: yaml.Mark | None) -> str:
    return f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file


def override(written: Written, environ: Mapping[str, str], model: type[BaseModel]) -> None:
    """Put the `IOTA_…` variables over the file's values; `__` goes one level down, a number picks from a list.

    An unknown variable is an error only when it looks like a known one: Kubernetes sets `IOTA_PORT` and the like for
    a service of that name. An empty one counts as not set.
    """
    known = set(model.model_fields)
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name == CONFIG or not environ[name]:
            continue
        first, *rest = name.removeprefix(PREFIX).lower().split("__")
        if first in known:
            at: Location = (first, *(int(part) if part.isdigit() else part for part in rest))
            _set(written, at, name, _environment_value(name, environ[name]))
        elif near := difflib.get_close_matches(first, known, 1, 0.8):
            raise SettingsError(f"{name}: unknown setting, did you mean {PREFIX}{near[0].upper()}?")


def _environment_value(name: str, text: str) -> Any:
    """A variable's value: text, or a list or mapping where it is written as one (`[a, b]`, `{a: b}`)."""
    if text[0] not in "[{":
        return EnvironmentText(text)
    try:
        return _from_environment(yaml.load(text, Loader=yaml.BaseLoader))
    except yaml.YAMLError:
        raise SettingsError(f"{name}: expected a list or mapping in YAML, such as [a, b]") from None


def _from_environment(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _from_environment(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_from_environment(inner) for inner in value]
    return EnvironmentText(value)


def _set(written: Written, at: Location, name: str, value: Any) -> None:
    target: Any = written.values
    for depth, part in enumerate(at[:-1]):
        if isinstance(target, dict):
            target = target.setdefault(part, {})
        elif isinstance(target, list) and isinstance(part, int) and part < len(target):
            target = target[part]
        else:
            raise SettingsError(f"{name}: there is no {spell(at[: depth + 1])} to change")
    if not isinstance(target, dict):
        raise SettingsError(f"{name}: {spell(at[:-1])} has no settings of its own")
    target[at[-1]] = value
    for known in [known for known in (*written.places, *written.keys) if known[: len(at)] == at]:
        written.places.pop(known, None)
        written.keys.pop(known, None)
    written.places[at] = written.keys[at] = name


def explain(error: ValidationError, written: Written, model: type[BaseModel], source: str) -> SettingsError:
    """A validation error in the user's words: one line per wrong setting, with place, name and what was expected."""
    causes = [_told(dict(item), model) for item in error.errors() if item["type"] != "default_factory_not_called"]
    lines = {_line(item, written, model, source) for item in causes}
    return SettingsError("\n".join(sorted(lines, key=_in_file_order)))


def _told(item: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """An error at the place where the user wrote: one of several kinds is told by its `type`, not by a level."""
    at = _without_kinds(tuple(item["loc"]), model)
    match item["type"]:
        case "union_tag_invalid":
            expected = f"Input should be {item['ctx']['expected_tags']}"
            return item | {"loc": (*at, KIND), "type": "literal_error", "msg": expected, "input": item["ctx"]["tag"]}
        case "union_tag_not_found":
            return item | {"loc": (*at, KIND), "type": "missing"}
    return item | {"loc": at}


def _without_kinds(at: Location, model: type[BaseModel]) -> Location:
    written: Location = ()
    for part in at:
        models = _models_at(model, written)
        if not (len(models) > 1 and part in [kind_of(each) for each in models]):
            written = (*written, part)
    return written


def kind_of(model: type[BaseModel]) -> str | None:
    """What a model's `type` has to be, if it is one of several kinds."""
    return next(iter(get_args(model.model_fields[KIND].annotation)), None) if KIND in model.model_fields else None


def _in_file_order(line: str) -> tuple[list[int], str]:
    place = re.search(r":(\d+):(\d+): ", line)
    return [int(number) for number in place.groups()] if place else [], line


def _line(item: dict[str, Any], written: Written, model: type[BaseModel], source: str) -> str:
    at: Location = tuple(item["loc"])
    if item["type"] == "extra_forbidden":
        near = difflib.get_close_matches(str(at[-1]), _names_at(model, at[:-1]), 1)
        hint = f", did you mean {near[0]}?" if near else ""
        return f"{_nearest(written.keys, at, source)}: {spell(at)}: unknown setting{hint}"
    subject = f"{spell(at)}: " if at else ""
    hidden = bool(at) and at[-1] in hidden_names(model)
    return f"{_nearest(written.places, at, source)}: {subject}{_complaint(item, _example(model, at), hidden=hidden)}"


def _example(model: type[BaseModel], at: Location) -> str | None:
    """What a text that has to follow a pattern may look like."""
    fields = [each.model_fields.get(str(at[-1])) for each in _models_at(model, at[:-1])] if at else []
    return next((str(found.examples[0]) for found in fields if found and found.examples), None)


def _complaint(item: dict[str, Any], example: str | None, *, hidden: bool) -> str:
    kind, message = item["type"], str(item["msg"])
    if kind == "missing":
        return "is missing"
    if kind == "value_error":
        return message.removeprefix("Value error, ")
    if kind == "string_pattern_mismatch" and example:
        message = f"a text such as {example}"
    expected = _EXPECTED.get(kind) or message.removeprefix("Input should be ").replace("String should ", "a text to ")
    shown = f", got {str(item['input'])!r}" if isinstance(item["input"], (str, int, float)) and not hidden else ""
    return f"expected {expected}{shown}"


def _nearest(places: Mapping[Location, str], at: Location, source: str) -> str:
    """The place of a setting, or of the closest thing around it that was written."""
    return next((places[at[:end]] for end in range(len(at), 0, -1) if at[:end] in places), source)


def spell(at: Location) -> str:
    """A location as a person writes it: `integrations[0].bucket`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in at).removeprefix(".")


def models_in(annotation: Any) -> list[type[BaseModel]]:
    """The models inside an annotation such as `tuple[Integration, ...]` or `A | B`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in models_in(argument)]


def hidden_names(model: type[BaseModel]) -> set[str]:
    """The names of settings, at any depth, whose value is never shown: those with `repr=False`."""
    fields = model.model_fields.items()
    inner = [models_in(field.annotation) for _, field in fields]
    return {name for name, field in fields if not field.repr}.union(
        *(hidden_names(each) for models in inner for each in models)
    )


def _names_at(model: type[BaseModel], at: Location) -> Iterable[str]:
    return [name for each in _models_at(model, at) for name in each.model_fields]


def _models_at(model: type[BaseModel], at: Location) -> list[type[BaseModel]]:
    models = [model]
    for part in at:
        fields = [each.model_fields[part] for each in models if isinstance(part, str) and part in each.model_fields]
        models = [inner for each in fields for inner in models_in(each.annotation)] or models
    return models
