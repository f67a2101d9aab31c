"""When a scheduled query is due: by a cron expression or by a rate, in UTC.

Both are fixed points in time, not distances from the last run: whoever computes the next one gets the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS_LOOKED_AT = 366 * 9
"""A 29th of February comes after eight years at the latest."""
_ITEM = re.compile(r"(?:(?P<all>\*)|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d+))?")
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(_WEEKDAY_NAMES)}


class ScheduleError(ValueError):
    """A schedule cannot be read; the text says which part of it, and what may stand there."""


class Schedule(msgspec.Struct, frozen=True):
    """Either a cron expression or a rate in minutes; a query may run for `timeout_minutes`."""

    cron: str = ""
    rate_minutes: int = 0
    timeout_minutes: int = 1

    def next_after(self, moment: datetime) -> datetime:
        """The first due time after a moment. A rate counts from 1970, so 60 minutes are full hours."""
        if self.cron:
            return Cron.parse(self.cron).next_after(moment)
        rate = timedelta(minutes=self.rate_minutes)
        return moment - (moment - _EPOCH) % rate + rate

    def last_before(self, moment: datetime) -> datetime:
        """The last due time before a moment."""
        if self.cron:
            return Cron.parse(self.cron).last_before(moment)
        rate = timedelta(minutes=self.rate_minutes)
        return moment - ((moment - _EPOCH) % rate or rate)

    def latest(self, due: datetime, now: datetime) -> datetime:
        """The last due time that is not after now, `due` being one: what a query that was missed for days makes up."""
        return max(due, self.last_before(now + timedelta.resolution))

    def __str__(self) -> str:
        """The schedule as a person writes it, without its timeout."""
        return self.cron or f"every {self.rate_minutes} min"


@dataclass(frozen=True, slots=True)
class Cron:
    """The five fields of a cron expression as the values that they allow, Sunday being weekday 0.

    A day has to meet both of its fields where one of them begins with `*`, and else either of them.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, text: str) -> Cron:
        """Read `minute hour day month weekday`; `ScheduleError` when it is none, or names a day that never comes."""
        fields = text.split()
        if len(fields) != 5:
            raise ScheduleError(f"{text!r} has {len(fields)} fields; expected: minute hour day month weekday")
        minute, hour, day, month, weekday = fields
        weekdays = _values(weekday, "weekday", 0, 7, _WEEKDAYS)
        found = cls(
            minutes=_values(minute, "minute", 0, 59),
            hours=_values(hour, "hour", 0, 23),
            days=_values(day, "day", 1, 31),
            months=_values(month, "month", 1, 12, _MONTHS),
            weekdays=frozenset(number % 7 for number in weekdays),
            either_day=not day.startswith("*") and not weekday.startswith("*"),
        )
        if next(found._dates(_EPOCH.date()), None) is None:
            raise ScheduleError(f"{text!r}: such a day never comes")
        return found

    def next_after(self, moment: datetime) -> datetime:
        """The first whole minute after a moment that the expression allows."""
        start = moment.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1)
        for day in self._dates(start.date()):
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = datetime.combine(day, time(hour, minute), UTC)
                    if found >= start:
                        return found
        raise AssertionError("parse has made sure that there is such a day")

    def last_before(self, moment: datetime) -> datetime:
        """The last whole minute before a moment that the expression allows."""
        end = moment.astimezone(UTC)
        for day in self._dates(end.date(), -1):
            for hour in sorted(self.hours, reverse=True):
                for minute in sorted(self.minutes, reverse=True):
                    found = datetime.combine(day, time(hour, minute), UTC)
                    if found < end:
                        return found
        raise AssertionError("parse has made sure that there is such a day")

    def _dates(self, first: date, step: int = 1) -> Iterator[date]:
        """The days that the expression allows, from one on or, by a `step` of -1, back from it."""
        for number in range(_DAYS_LOOKED_AT):
            day = first + timedelta(days=step * number)
            if day.month in self.months and self._allows(day):
                yield day

    def _allows(self, day: date) -> bool:
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week


def _values(text: str, field: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    """The values of one field: items with commas between them, each `*`, a value or a range, with a step or without."""

    def number(word: str) -> int:
        value = (names or {}).get(word.casefold(), int(word) if word.isdecimal() else -1)
        if not low <= value <= high:
            raise ScheduleError(f"{word!r} is no {field}; expected {low} to {high}")
        return value

    found: set[int] = set()
    for item in text.split(","):
        parts = _ITEM.fullmatch(item)
        if parts is None or parts["step"] == "0":
            raise ScheduleError(f"{item!r} is no {field}; expected such as 5, 1-5, */15 or 0,30")
        first = low if parts["all"] else number(parts["first"])
        open_end = parts["all"] or (parts["step"] and not parts["last"])
        last = high if open_end else number(parts["last"] or parts["first"])
        if last < first:
            raise ScheduleError(f"{item!r}: the range of the {field} ends before it begins")
        found.update(range(first, last + 1, int(parts["step"] or 1)))
    return frozenset(found)
