"""Whom an alert may disturb: the decision to put it into the outbox, apart from any SQL.

All of it is in event time, so that a late run decides as a timely one would have.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta

from iota_dagster.core.alerting.grouping import Slice
from iota_dagster.core.alerting.windows import shifted


def alerts_to_send(
    slices: Sequence[Slice],
    *,
    in_outbox: Collection[str],
    told: Collection[str],
    since: datetime,
    destinations: Callable[[Slice], Sequence[str]],
) -> Iterator[tuple[Slice, Sequence[str]]]:
    """Which alerts of one rule and dedup string to send now, and where to, in order of their start.

    An alert that is `in_outbox`, in whatever state, is never sent again. Another is sent when a match of an object's
    first completion, no older than `since`, makes it an alert. Activity across the border of two slices is one piece of
    news: after a slice that people were `told` of (or are about to be) the next one is not sent until it has a
    qualifying match one period after the first of that slice.
    """
    news = {found.start: found for found in slices if found.alert_id in told}
    for found in sorted(slices, key=lambda found: found.start):
        if found.alert_id in in_outbox or found.newest_notifying is None or found.newest_notifying < since:
            continue
        if _echoes(found, news.get(shifted(found.start, -found.period))):
            continue
        if names := destinations(found):
            news[found.start] = found
            yield found, names


def oldest_to_send(now: datetime, notify_within: timedelta) -> datetime:
    """The oldest event time that may still disturb anybody."""
    return shifted(now, -notify_within)


def _echoes(found: Slice, before: Slice | None) -> bool:
    """Whether all that qualifies in a slice lies within one period of the notified slice just before it."""
    return before is not None and found.last_qualifying - before.first_qualifying < before.period
