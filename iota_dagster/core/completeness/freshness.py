"""Whether an integration has been silent for longer than it ever is: learned from its own gaps, told by the clock.

The rhythm is that of the fifteen days before the *last* arrival, not before now: a source that stopped long ago has not
forgotten how often it used to write.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

import sqlalchemy as sa

from iota_dagster.core.hours import hour_of
from iota_dagster.core.store import completeness

LEARNED = timedelta(days=15)
"""How far the rhythm looks back: two weekends, whichever day the last arrival was on."""
FEWEST_GAPS = 10
"""With fewer gaps there is no rhythm, and nothing is said: a daily file is known after eleven days."""
FACTOR = 2
FLOOR = timedelta(minutes=30)
"""No silence is news before that: CloudTrail alone takes up to 15 minutes."""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """When an integration wrote last, and how long it may be silent before somebody should look."""

    last: datetime
    allowed: timedelta
    gaps: int

    @property
    def silent_from(self) -> datetime:
        """The moment at which its silence becomes news, if nothing arrives."""
        return self.last + self.allowed

    def is_silent(self, now: datetime) -> bool:
        """Whether that moment has passed."""
        return now > self.silent_from


def learn(arrivals: Sequence[datetime]) -> Rhythm | None:
    """The rhythm of arrivals, which are in order; None when they are too few.

    Twice the second longest gap: nights and weekends come twice in two weeks and count, the one outage does not. As
    long as less than that is known of a source, the longest counts. A percentile of the gaps would not do: of a source
    that writes for an hour a day all but a few gaps are short.
    """
    if not arrivals:
        return None
    start = arrivals[-1] - LEARNED
    gaps = sorted(after - before for before, after in pairwise(arrivals) if before >= start)
    if len(gaps) < FEWEST_GAPS:
        return None
    longest = gaps[-2] if arrivals[0] < start else gaps[-1]
    return Rhythm(arrivals[-1], max(FLOOR, FACTOR * longest), len(gaps))


def rhythm(connection: sa.Connection, integration: str, now: datetime) -> Rhythm | None:
    """How often an integration writes, learned from the fifteen days before its last log; None where too few are."""
    last = completeness.last_hour(connection, integration, hour_of(now) + 1)
    if last is None:
        return None
    first = last - int(LEARNED / timedelta(hours=1)) - 1
    return learn(completeness.arrival_minutes(connection, integration, range(first, last + 1)))
