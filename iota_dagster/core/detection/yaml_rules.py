"""Rules without Python: the functions that a rule's YAML file stands for.

`Detection` is `rule`, `AlertTitle` is `title`, `GroupBy` is `dedup`, `DynamicSeverities` is `severity` and
`AlertContext` is `alert_context`. They are asked, bounded and tested like those of a Python rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from iota_dagster.core.detection.event import Event, MappingView, plain
from iota_dagster.core.detection.match_expressions.comparisons import is_list
from iota_dagster.core.detection.match_expressions.condition_keys import (
    ConditionError,
    Place,
    compile_key,
    each,
    key_path,
)
from iota_dagster.core.detection.match_expressions.conditions import compile_conditions
from iota_dagster.core.detection.rule import SEVERITIES

Function = Callable[[Event], Any]

SIMPLE_KEYS = ("Detection", "AlertTitle", "GroupBy", "DynamicSeverities", "AlertContext")
"""The keys of a rule's document that stand for functions."""
_FIELD = re.compile(r"\{([^{}\s][^{}]*)\}")


def rule_functions(document: Mapping[str, Any]) -> dict[str, Function]:
    """The functions of a rule's YAML document by the names that a Python rule gives them; `ConditionError`."""
    detection = document.get("Detection")
    if not each(detection, Place(("Detection",))):
        raise ConditionError(("Detection",), "at least one expression is needed: without any, every event matches")
    functions: dict[str, Function] = {"rule": compile_conditions(detection or (), "Detection")}
    for key, (name, make) in _OPTIONAL.items():
        if document.get(key) is not None:
            functions[name] = make(document[key], Place((key,)))
    return functions


def compile_template(text: object, place: Place) -> Callable[[Event], str]:
    """The function that fills a text's `{userIdentity.arn}` with the event's values.

    What the event lacks shows as `<userIdentity.arn not found>`; lists and mappings show as JSON.
    """
    if not isinstance(text, str):
        raise place.error(f"holds a {type(text).__name__}, not a text")
    pieces = _FIELD.split(text)  # text, path, text, path, …, text
    paths = [key_path("KeyPath", piece, place) for piece in pieces[1::2]]

    def fill(event: Event) -> str:
        found = list(pieces)
        for index, path in enumerate(paths):
            value = path.find(event)
            found[2 * index + 1] = f"<{path.text} not found>" if value is None else _text(value)
        return "".join(found)

    return fill


def compile_context(items: object, place: Place) -> Callable[[Event], dict[str, Any]]:
    """The function that makes an alert's context: `KeyName` and the event's value of `KeyValue`, null when missing."""
    readers = {}
    for item, at in each(items, place):
        if not isinstance(item, Mapping) or item.keys() != {"KeyName", "KeyValue"}:
            raise at.error("is not {KeyName: <name>, KeyValue: {KeyPath: <path>}}")
        readers[str(item["KeyName"])] = compile_key(item["KeyValue"], at / "KeyValue")
    return lambda event: {name: _copied(read(event)) for name, read in readers.items()}


def compile_group_by(items: object, place: Place) -> Callable[[Event], str]:
    """The function that makes a dedup string of some keys' values; "", the default per rule, when all are missing."""
    readers = [compile_key(item, at) for item, at in each(items, place)]

    def dedup(event: Event) -> str:
        values = [_copied(read(event)) for read in readers]
        if all(value is None for value in values):
            return ""
        return _text(values[0] if len(values) == 1 else values)

    return dedup


def compile_severities(items: object, place: Place) -> Callable[[Event], str]:
    """The function that gives the severity of the first item whose conditions hold; DEFAULT when none does."""
    choices = []
    for item, at in each(items, place):
        if not isinstance(item, Mapping) or item.keys() != {"ChangeTo", "Conditions"}:
            raise at.error("is not {ChangeTo: <severity>, Conditions: [<expressions>]}")
        severity = str(item["ChangeTo"]).upper()
        if severity not in SEVERITIES:
            raise (at / "ChangeTo").unknown(item["ChangeTo"], [name.title() for name in SEVERITIES], "severity")
        choices.append((severity, _conditions(item["Conditions"], at / "Conditions")))
    return lambda event: next((severity for severity, holds in choices if holds(event)), "DEFAULT")


def _conditions(items: object, place: Place) -> Callable[[Event], bool]:
    if not each(items, place):
        raise place.error("at least one expression is needed")
    try:
        return compile_conditions(items, "")  # type: ignore[arg-type]  # `each` has seen that it is a list
    except ConditionError as error:
        raise ConditionError((*place.path, *error.path[1:]), error.text) from None


_OPTIONAL: dict[str, tuple[str, Callable[[object, Place], Function]]] = {
    "AlertTitle": ("title", compile_template),
    "GroupBy": ("dedup", compile_group_by),
    "DynamicSeverities": ("severity", compile_severities),
    "AlertContext": ("alert_context", compile_context),
}


def _copied(value: Any) -> Any:
    return plain(value) if is_list(value) or isinstance(value, MappingView) else value


def _text(value: Any) -> str:
    """A value in a text: texts and numbers as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    return msgspec.json.encode(_copied(value)).decode()
