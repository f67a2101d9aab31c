"""How far a changed match reaches: which slices to judge again, and which matches to read for that.

With L the longest dedup period near a match that came, went or changed at moment t: only matches in [t, t + L] may
qualify otherwise than before, so only slices that start in [t - L, t + L] can change. Judging those, and the slice
before each (it may have been notified), takes the matches of [t - 3 L, t + 2 L] and no others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

Span = tuple[datetime, datetime]
"""A closed span of event time."""

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Reach:
    """What changes at some moments of one rule and dedup string may have changed.

    `starts`: where the touched slices start; `to_read`: where the matches lie that decide them.
    """

    starts: tuple[Span, ...]
    to_read: tuple[Span, ...]

    def touches(self, start: datetime) -> bool:
        """Whether the slice that starts there may have changed."""
        return any(first <= start <= last for first, last in self.starts)


def reach_of(moments: Collection[datetime], longest: timedelta) -> Reach:
    """The reach of changes at these moments among matches whose longest period is `longest`."""
    return Reach(around(moments, longest, longest), around(moments, 3 * longest, 2 * longest))


def around(moments: Iterable[datetime], before: timedelta, after: timedelta) -> tuple[Span, ...]:
    """The spans from `before` to `after` some moments."""
    return merged((shifted(moment, -before), shifted(moment, after)) for moment in moments)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same moments in as few spans as possible, in order."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return tuple(result)


def shifted(moment: datetime, by: timedelta) -> datetime:
    """The moment `by` later or earlier, held at the ends of the calendar."""
    try:
        return moment + by
    except OverflowError:
        return _FIRST if by < timedelta(0) else _LAST
