"""The log objects of given delivery hours under a prefix, without listing the whole bucket.

A walk goes from folder to folder (a listing with a delimiter) and leaves out those whose own name is a date that cannot
hold a wanted hour: `2026/11/22/10/`, `year=2026/month=11/…`, `dt=2026-11-22/hour=10/`, `2026-11-22/`, and any mixture.
Other folders (accounts, regions, `AWSLogs`) are entered. In a folder of many files whose names carry a time it jumps
over the unwanted ones, so that a flat folder costs about as much as one that is cut into days.

A folder may be off by a little: one of a day also holds what was delivered on the day after (a file without an hour of
its own counts by its last modification), one of an hour what is named after its neighbours.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from iota_dagster.core.arrival.object_key import parse_object_key
from iota_dagster.core.errors import SettingsError
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.model import ObjectRef

WORKERS = 8
"""Folders that are listed at once: most have one page, whose price is the way to S3 and back."""

_WHOLE_DATE = re.compile(r"(?:(?:dt|date|day)=)?([0-9]{4})-([0-9]{2})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_NAMED_PART = re.compile(r"(year|month|day|hour|hr|h)=([0-9]{1,4})")
_LEVELS = {"year": 0, "month": 1, "day": 2, "hour": 3, "hr": 3, "h": 3}
_YEAR = re.compile(r"(?:19[7-9]|20[0-9])[0-9]")
_TWO_DIGITS = re.compile(r"[0-9]{2}")
_TIME = re.compile(r"(?P<dashed>(?P<year>[0-9]{4}-)[0-9]{2}-[0-9]{2}-[0-9]{2})|(?P<month>[0-9]{6})[0-9]{2}T[0-9]{2}")
_TIME_FORMATS = ("%Y-%m-%d-%H", "%Y%m%dT%H")


@dataclass(frozen=True, slots=True)
class Page:
    """One answer of a listing: a folder's own objects and the folders in it; `token` asks for what follows."""

    objects: tuple[ObjectRef, ...] = ()
    folders: tuple[str, ...] = ()
    token: str | None = None


class Folders(Protocol):
    """Lists folders page by page, in the order of the keys' UTF-8, from several threads at once."""

    def page(self, folder: str, token: str | None, after: str | None) -> Page:
        """The objects and folders directly below a prefix: what follows a token, or the keys greater than `after`."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a walk goes before it says that the prefix is too wide."""

    depth: int = 16
    folders: int = 100_000


@dataclass(frozen=True, slots=True)
class _Step:
    folder: str
    token: str | None = None
    after: str | None = None


class DeliveryHours:
    """A set of delivery hours, as a listing asks for it."""

    def __init__(self, hours: Iterable[Hour]) -> None:
        """Any hours, in any order."""
        self._hours = sorted(set(hours))
        self._members = frozenset(self._hours)
        starts = [hour_start(hour) for hour in self._hours]
        self._stops = sorted(start.strftime(form) for form in _TIME_FORMATS for start in starts)

    def hold(self, ref: ObjectRef) -> bool:
        """Whether an object was delivered in one of the hours: by its key, else by its last modification."""
        hour = parse_object_key(ref.key).delivery_hour
        if hour is None and ref.last_modified is not None:
            hour = hour_of(ref.last_modified)
        return hour in self._members

    def may_be_in(self, folder: str) -> bool:
        """Whether a folder can hold an object of one of the hours; a name that is no date holds anything."""
        span = _folder_span(folder)
        return span is None or bisect_left(self._hours, span[0]) < bisect_left(self._hours, span[1])

    def after(self, key: str) -> str | None:
        """Where the listing of a folder may go on behind a key whose name carries an unwanted time; None: behind it.

        That is the next wanted hour, but never further than names that begin alike do: another kind of file, or a
        folder, that stands between them is not jumped over.
        """
        folder, slash, name = key.rpartition("/")
        found = _TIME.search(name)
        hour = _moment(found[0]) if found else None
        if found is None or hour is None or hour in self._members:
            return None
        if hour != parse_object_key(key).delivery_hour:  # its hour stands elsewhere
            return None
        alike = found["year"] or found["month"]
        following = bisect_right(self._stops, found[0])
        stop = alike + ":"  # behind every digit and dash
        if following < len(self._stops):
            stop = min(stop, self._stops[following])
        return f"{folder}{slash}{name[: found.start()]}{stop}"


def walk(
    folders: Folders, place: str, prefix: str, hours: DeliveryHours, bounds: Bounds = Bounds()
) -> Iterator[ObjectRef]:
    """The objects under a prefix that were delivered in the hours, as their folders are listed: in no order.

    Some pages are held at a time. `place` names the bucket in errors; `SettingsError` when the bounds are passed.
    """
    known = 0
    todo, running = [_Step(prefix)], set[Future[tuple[_Step, Page]]]()
    with ThreadPoolExecutor(WORKERS, "listing") as pool:
        while todo or running:
            while todo and len(running) < WORKERS:
                running.add(pool.submit(_look, folders, todo.pop()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for step, page in (future.result() for future in done):
                inside = [folder for folder in page.folders if hours.may_be_in(folder)]
                known += len(inside)
                _check(bounds, place, prefix, inside, known)
                todo += map(_Step, inside)
                todo += _rest(step, page, hours)
                yield from filter(hours.hold, page.objects)


def _look(folders: Folders, step: _Step) -> tuple[_Step, Page]:
    return step, folders.page(step.folder, step.token, step.after)


def _rest(step: _Step, page: Page, hours: DeliveryHours) -> list[_Step]:
    """What of a folder is still to be listed; a jump only from a file, so that no folder on the way is missed."""
    if page.token is None:
        return []
    last = max((ref.key for ref in page.objects), default="")
    jump = hours.after(last) if last > max(page.folders, default="") else None
    return [_Step(step.folder, None, jump) if jump else _Step(step.folder, page.token)]


def _check(bounds: Bounds, place: str, prefix: str, folders: list[str], known: int) -> None:
    deepest = max(folders, key=lambda folder: folder.count("/"), default="")
    if known > bounds.folders:
        problem = f"more than {bounds.folders:,} folders may hold the hours asked for, {deepest} is one of them"
    elif deepest.count("/") - prefix.count("/") > bounds.depth:
        problem = f"{deepest} is more than {bounds.depth} folders deep"
    else:
        return
    raise SettingsError(
        f"{place}/{prefix}: {problem}. Set the integration's `prefix` to a folder that holds only logs (several "
        "integrations may share a bucket), or ask for fewer hours."
    )


def _moment(text: str) -> Hour | None:
    """The hour of a time as `_TIME` finds it; None when there is no such time."""
    year, month, day, hour = _digits(text)
    try:
        return hour_of(datetime(int(year), int(month), int(day), int(hour), tzinfo=UTC))
    except ValueError:
        return None


def _digits(text: str) -> tuple[str, str, str, str]:
    bare = text.replace("-", "").replace("T", "")
    return bare[:4], bare[4:6], bare[6:8], bare[8:10]


def _folder_span(folder: str) -> tuple[Hour, Hour] | None:
    """The hours [first, last) whose objects a folder may hold; None when its own name is no date."""
    parts: tuple[int, ...] = ()
    is_date = False
    for segment in folder.removesuffix("/").split("/"):
        found = _date_parts(segment, parts, behind_date=is_date)
        is_date = found is not None
        parts = parts if found is None else found
    return _span(parts) if is_date else None


def _date_parts(segment: str, above: tuple[int, ...], *, behind_date: bool) -> tuple[int, ...] | None:
    """Year, month, day and hour as far as a segment below others tells them; None when it is no date.

    A bare `07` is one only right behind another part of a date: elsewhere it may be anything.
    """
    if whole := _WHOLE_DATE.fullmatch(segment):
        return tuple(int(part) for part in whole.groups() if part)
    if named := _NAMED_PART.fullmatch(segment):
        level = _LEVELS[named[1]]
        return (*above[:level], int(named[2])) if len(above) >= level else None
    if behind_date and 1 <= len(above) <= 3 and _TWO_DIGITS.fullmatch(segment):
        return (*above, int(segment))
    return (int(segment),) if _YEAR.fullmatch(segment) else None


def _span(parts: tuple[int, ...]) -> tuple[Hour, Hour] | None:
    year, month, day, hour = (*parts, *(0, 1, 1, 0)[len(parts) :])
    if not 1970 <= year < 2100:
        return None
    try:
        first = datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:  # an impossible date is none
        return None
    if len(parts) == 4:
        return hour_of(first) - 1, hour_of(first) + 2
    following = (first.replace(year=year + 1), _next_month(first), first + timedelta(days=1))[len(parts) - 1]
    return hour_of(first), hour_of(following + timedelta(days=1))


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)
