"""What the values of one field have in common: a type, and what analysts search by. For `infer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from iota_dagster.core.sources import finders
from iota_dagster.core.sources.times import nanoseconds, nanoseconds_of
from iota_dagster.core.sources.user_schema import FieldType, Indicator

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_TIME_NAME = re.compile(
    r"(?:^|_)(?:time|date|ts|at|timestamp|datetime|created|updated|published|eventtime)(?:$|_)", re.I
)
_USER_NAME = re.compile(r"(?:^|_)(?:user|username|user_name|login|account_name|principal|actor)$", re.I)
_TRACE_NAME = re.compile(r"(?:^|_)(?:trace|request|correlation|session|span)_?id$", re.I)
_HOST_NAME = re.compile(r"(?:^|_)(?:host|hostname|domain|server|fqdn|query|server_name|host_name)$", re.I)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_EARLIEST, _LATEST = 946_684_800 * 10**9, 4_102_444_800 * 10**9
"""Numbers of nanoseconds between 2000 and 2100 may be times."""


def snake(name: str) -> str:
    """A key's last part with underscores between its words."""
    return re.sub(r"[^a-z0-9]+", "_", _CAMEL.sub("_", name.rpartition(".")[2]).lower()).strip("_")


def type_of_texts(name: str, texts: Sequence[str]) -> FieldType:
    """The type of texts, none of them empty, such as the cells of a column."""
    if texts and all(map(_INTEGER.fullmatch, texts)):
        return "time" if _are_epochs(name, map(int, texts)) else "integer"
    if texts and all(map(_NUMBER.fullmatch, texts)):
        return "number"
    if texts and {text.lower() for text in texts} <= {"true", "false"}:
        return "flag"
    return "time" if are_times(texts) else "text"


def type_of_values(name: str, values: Sequence[Any]) -> FieldType:
    """The type of values from JSON, none of them null."""
    kinds = set(map(type, values))
    if kinds == {str}:
        return "time" if are_times(values) else "text"
    if kinds == {bool}:
        return "flag"
    if kinds == {int}:
        if _are_epochs(name, values):
            return "time"
        return "integer" if all(-(2**63) <= value < 2**63 for value in values) else "number"
    if kinds and kinds <= {int, float}:
        return "time" if _are_epochs(name, values) else "number"
    if kinds == {list}:
        return "words" if all(isinstance(item, str) for value in values for item in value) else "json"
    return "json" if {list, dict} & kinds else "text"


def are_times(texts: Sequence[str]) -> bool:
    """Whether all texts are times with a date."""
    return bool(texts) and all(not text.isdigit() and "-" in text and nanoseconds(text) is not None for text in texts)


def _are_epochs(name: str, values: Iterable[float]) -> bool:
    found = [nanoseconds_of(value) for value in values]
    return bool(_TIME_NAME.search(snake(name))) and all(moment and _EARLIEST <= moment < _LATEST for moment in found)


def time_rank(name: str) -> tuple[bool, int]:
    """How likely a time is that of the event, by its name; the least is the likeliest."""
    word = snake(name)
    likely = ("timestamp", "time", "event_time", "ts", "datetime", "published", "date", "at", "created_at", "created")
    return word not in likely, likely.index(word) if word in likely else len(likely)


def indicator_of(name: str, texts: Sequence[str]) -> Indicator | None:
    """What all texts of a field name; None for nothing in particular."""
    for indicator, holds in _BY_VALUE.items():
        if texts and all(map(holds, texts)):
            return indicator
    word = snake(name)
    if _HOST_NAME.search(word) and all(finders.address(text) or finders.domain(text) for text in texts):
        return "place"
    if _USER_NAME.search(word):
        return "user"
    return "trace" if _TRACE_NAME.search(word) else None


def _gives(finder: finders.Finder) -> Callable[[str], bool]:
    return lambda text: any(finder.find(text))


_BY_VALUE: Mapping[Indicator, Callable[[str], bool]] = {
    "ip": _gives(finders.IP),
    "url": _gives(finders.URL),
    "email": _gives(finders.EMAIL),
    "arn": _gives(finders.ARN),
    "account": _gives(finders.ACCOUNT),
    "instance": _gives(finders.INSTANCE),
    "sha256": _gives(finders.SHA256),
}
