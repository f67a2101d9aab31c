"""Times as a user's log type writes them: told to `times` in a form that it knows."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, tzinfo
from functools import partial
from zoneinfo import ZoneInfo

from iota_dagster.core.sources.times import Written

ANY, RFC3339, EPOCH = "", "rfc3339", "epoch"
Convert = Callable[[Sequence[Written]], Sequence[Written]]

_NUMBER = re.compile(r"[0-9.]+")
_WITHOUT_ZONE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2})?)(?:[.,][0-9]+)?")
_TOO_FINE = re.compile(r"([.,][0-9]{6})[0-9]+")
_DIRECTIVE = re.compile(r"%(.)?", re.DOTALL)
_KNOWN = frozenset("aAbBdHIjmMpSfyYzuGVUWw%")
_COMPLETE = ({"Y", "y", "G"}, {"j", "d", "u", "w", "a", "A"})


def converter(form: str, zone: str) -> Convert | None:
    """What makes a column's values times that `times` reads; None where they are such times already."""
    place = None if zone == "UTC" else ZoneInfo(zone)
    if form in (ANY, RFC3339, EPOCH):
        if form == ANY and place is None:
            return None
        return _each(partial(_standard, form, place))
    return _each(partial(_patterned, form, place or UTC))


def _each(one: Callable[[Written], Written]) -> Convert:
    """Each value's time; a text that many records share is read once."""

    def convert(values: Sequence[Written]) -> list[Written]:
        texts = {value: one(value) for value in {value for value in values if isinstance(value, str)}}
        return [None if value is None else texts[value] if isinstance(value, str) else one(value) for value in values]

    return convert


def _standard(form: str, zone: ZoneInfo | None, value: Written) -> Written:
    number = not isinstance(value, str) or _NUMBER.fullmatch(value) is not None
    if form != ANY and number is not (form == EPOCH):
        return None
    return value if number or zone is None else _zoned(str(value), zone)


def _zoned(text: str, zone: ZoneInfo) -> str:
    """A time with the zone's offset behind it, unless it has one; of a doubled hour in autumn it is the first."""
    found = _WITHOUT_ZONE.fullmatch(text)
    if found is None:
        return text
    try:
        offset = datetime.fromisoformat(f"{found[1]}T{found[2]}").replace(tzinfo=zone).strftime("%z")
    except (ValueError, OverflowError):
        return text
    return text + offset[:5]  # before 1900 zones have seconds


def _patterned(pattern: str, zone: tzinfo, value: Written) -> str | None:
    text = str(value)
    for attempt in (text, _TOO_FINE.sub(r"\1", text)):
        try:
            found = datetime.strptime(attempt, pattern)
            return (found if found.tzinfo else found.replace(tzinfo=zone)).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            continue
    return None


def format_problem(form: str) -> str | None:
    """Why a format cannot tell a time; None when it can."""
    if form in (ANY, RFC3339, EPOCH):
        return None
    directives = [found[1] or "" for found in _DIRECTIVE.finditer(form)]
    if not directives:
        return f"{form!r} is no format: write rfc3339, epoch or a pattern of strptime such as '%Y-%m-%d %H:%M:%S'"
    for directive in directives:
        if directive not in _KNOWN:
            hint = "write the zone as `zone:`" if directive == "Z" else "see the directives of Python's strptime"
            return f"%{directive} cannot be read: {hint}"
    if not all(one & set(directives) for one in _COMPLETE):
        return f"{form!r} has no year or no day: such a time cannot be told from last year's"
    try:
        datetime.strptime(datetime(2025, 11, 22, 10, 30, tzinfo=UTC).strftime(form), form)
    except (ValueError, re.error) as error:
        return f"{form!r} cannot be read: {error}"
    return None


def zone_problem(zone: str) -> str | None:
    """Why a zone is none; None when it is one."""
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):  # not found; a folder; a name that leads out of it
        return f"{zone!r} is no time zone: write a name such as Europe/Berlin"
    return None
