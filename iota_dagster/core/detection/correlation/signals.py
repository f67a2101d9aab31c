"""What correlation rules see of other rules' matches: when they happened, and the values of the fields they ask for.

A match's event is not kept in the store. So the fields that correlation rules name are taken out of it when it is
judged, as texts: two values are equal when their texts are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

CONTEXT = "p_alert_context."
"""A path that begins so leads into the context that the match's own rule made."""
VALUES = 256
"""The most values that are kept of one field: an attacker may have written the list."""
LENGTH = 1_000
"""The most characters that are kept of one value."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One match of a rule, as correlation rules see it; `values` by path, `notify`: it may disturb people."""

    id: str
    rule_id: str
    event_time: datetime
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    notify: bool = False
    title: str = ""

    @property
    def order(self) -> tuple[datetime, str]:
        """Signals in order of time; those of one moment in a fixed order, whenever they came."""
        return self.event_time, self.id


def extract(event: Mapping[str, Any], context: Mapping[str, Any], paths: Iterable[str]) -> dict[str, list[str]]:
    """The values at some paths, as texts: in the event, or in the match's context (`p_alert_context.…`).

    A path walks mappings and lists; a list at its end gives a value for each element. Null, "" and mappings are no
    values: nothing could be joined by them.
    """
    found = {}
    for path in paths:
        inside = path.startswith(CONTEXT)
        values = _walk(context if inside else event, path.removeprefix(CONTEXT) if inside else path)
        if texts := _distinct(values):
            found[path] = texts
    return found


def text_of(value: Any) -> str | None:
    """A value as the text it is compared by; None for what cannot be compared."""
    match value:
        case str():
            return value[:LENGTH] or None
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
    return None


def _distinct(values: Iterable[Any]) -> list[str]:
    texts: dict[str, None] = {}
    for value in values:
        if (text := text_of(value)) is not None:
            texts[text] = None
            if len(texts) == VALUES:
                break
    return list(texts)


def _walk(node: Any, path: str) -> Iterator[Any]:
    """The values at the end of a dotted path; a key may have dots of its own."""
    if isinstance(node, Sequence) and not isinstance(node, str | bytes):
        for item in node:
            yield from _walk(item, path)
    elif not path:
        yield node
    elif isinstance(node, Mapping):
        if (whole := node.get(path)) is not None:
            yield from _walk(whole, "")
            return
        key, dot, rest = path.partition(".")
        if dot and (child := node.get(key)) is not None:
            yield from _walk(child, rest)
