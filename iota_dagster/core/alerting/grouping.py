"""Which slices of event time hold an alert: a pure function of the matches, never of the order they came in.

A match qualifies when at least `threshold` matches of its rule and dedup string lie in the period that ends at it:
later than one period before it, up to and including its own moment. Where a rule gives `unique` values they are
counted instead of matches; a match without one counts by itself. A slice with a qualifying match is an alert and all
its matches belong to it. One more match can only make more others qualify, so a late match can only add. Matches that
create no alert (signals) take no part.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter

from iota_dagster.core.alerting.ids import period_start
from iota_dagster.core.model import Alert, Match


@dataclass(frozen=True, slots=True)
class Fact:
    """What grouping needs to know of a match; `notify`: an object's first completion brought it.

    One fact may stand for a `count` of matches that differ in nothing but their ids and `notify`: then `id` is the
    first of theirs, and `notify` says whether one of them notifies.
    """

    id: str
    alert_id: str
    event_time: datetime
    period_minutes: int
    threshold: int
    unique_value: str | None
    notify: bool
    create_alert: bool = True
    count: int = 1


@dataclass(frozen=True, slots=True)
class Slice:
    """One alert in the making: its members counted, its first and last moments, the match that words it.

    `lead` is the id of the first qualifying match by (event time, id). `newest_notifying` is the moment of the youngest
    `notify` match among those that make others qualify, or None: then nobody may be told because of it.
    """

    alert_id: str
    lead: str
    start: datetime
    period_minutes: int
    matches: int
    first_event_time: datetime
    last_event_time: datetime
    first_qualifying: datetime
    last_qualifying: datetime
    newest_notifying: datetime | None

    @property
    def period(self) -> timedelta:
        """The length of the slice."""
        return timedelta(minutes=self.period_minutes)


def fact_of(match: Match, *, notify: bool) -> Fact:
    """The part of a match that grouping looks at."""
    return Fact(
        id=match.id,
        alert_id=match.alert_id,
        event_time=match.event_time,
        period_minutes=match.period_minutes,
        threshold=match.threshold,
        unique_value=match.unique_value,
        notify=notify,
        create_alert=match.create_alert,
    )


def slices_with_alerts(facts: Iterable[Fact]) -> list[Slice]:
    """The alerts among the matches of one rule and one dedup string, by (start, id)."""
    ordered = sorted((fact for fact in facts if fact.create_alert), key=attrgetter("event_time", "id"))
    qualifying = dict(_qualifying(ordered))
    members: dict[str, list[Fact]] = defaultdict(list)
    for fact in ordered:
        members[fact.alert_id].append(fact)
    slices = (_slice(alert_id, held, qualifying) for alert_id, held in members.items())
    return sorted((found for found in slices if found), key=attrgetter("start", "alert_id"))


def alert_of(found: Slice, lead: Match, created_at: datetime) -> Alert:
    """The open alert of a slice, worded by its lead match."""
    return Alert(
        id=found.alert_id,
        rule_id=lead.rule_id,
        dedup=lead.dedup,
        period_start=found.start,
        period_minutes=found.period_minutes,
        severity=lead.severity,
        title=lead.title,
        matches=found.matches,
        first_event_time=found.first_event_time,
        last_event_time=found.last_event_time,
        status="open",
        log_type=lead.log_type,
        description=lead.description,
        runbook=lead.runbook,
        reference=lead.reference,
        context=lead.context,
        created_at=created_at,
    )


def _slice(alert_id: str, members: Sequence[Fact], qualifying: dict[str, datetime | None]) -> Slice | None:
    """The alert of one slice's members, given in order; None when none of them qualifies."""
    able = [fact for fact in members if fact.id in qualifying]
    if not able:
        return None
    notifying = [moment for fact in able if (moment := qualifying[fact.id])]
    lead = able[0]
    return Slice(
        alert_id=alert_id,
        lead=lead.id,
        start=period_start(lead.event_time, lead.period_minutes),
        period_minutes=lead.period_minutes,
        matches=sum(fact.count for fact in members),
        first_event_time=members[0].event_time,
        last_event_time=members[-1].event_time,
        first_qualifying=lead.event_time,
        last_qualifying=able[-1].event_time,
        newest_notifying=max(notifying, default=None),
    )


def _qualifying(ordered: Sequence[Fact]) -> Iterator[tuple[str, datetime | None]]:
    """Each qualifying match's id with the moment of the youngest `notify` match in its period.

    After a change of a rule's period, matches of several periods stand side by side: each is judged by its own.
    """
    for minutes in sorted({fact.period_minutes for fact in ordered}):
        yield from _qualifying_by(ordered, minutes)


def _qualifying_by(ordered: Sequence[Fact], minutes: int) -> Iterator[tuple[str, datetime | None]]:
    """One walk of a window of `minutes` over all matches; judges those that have this period."""
    period = timedelta(minutes=minutes)
    window: Counter[tuple[str, str]] = Counter()
    oldest, size, notifying = 0, 0, None
    for moment, together in groupby(ordered, key=attrgetter("event_time")):
        arrived = list(together)
        size += sum(_enter(window, fact) for fact in arrived)
        while moment - ordered[oldest].event_time >= period:
            size -= _leave(window, ordered[oldest])
            oldest += 1
        if any(fact.notify for fact in arrived):
            notifying = moment
        elif notifying and moment - notifying >= period:
            notifying = None
        for fact in arrived:
            if fact.period_minutes == minutes and size >= fact.threshold:
                yield fact.id, notifying


def _counted(fact: Fact) -> tuple[str, str]:
    """What a match counts as towards a threshold."""
    return ("match", fact.id) if fact.unique_value is None else ("value", fact.unique_value)


def _enter(window: Counter[tuple[str, str]], fact: Fact) -> int:
    """Take a fact into a window; by how much more that counts."""
    value = _counted(fact)
    window[value] += 1
    return _weight(fact) if window[value] == 1 else 0


def _leave(window: Counter[tuple[str, str]], fact: Fact) -> int:
    """Take a fact out of a window; by how much less that counts."""
    value = _counted(fact)
    window[value] -= 1
    if window[value]:
        return 0
    del window[value]
    return _weight(fact)


def _weight(fact: Fact) -> int:
    """How much a fact counts: its matches, or one value."""
    return fact.count if fact.unique_value is None else 1
