"""Alerts about ourselves: matches that stand as long as what they tell does, over the same road as any other match.

Whoever looks says all that is wrong now, of the part that it looked at. What is new is recorded, what has changed is
recorded again, and once nothing of an alert is left it is withdrawn.

What is found of one rule, subject and day is one alert, as long as some of it stands. What comes after that is another
one, and told: an alert is sent only once, and what was mended must not hide what goes wrong later. So an alert bears a
mark of the finding that began it, and the same finding, found again, begins the same alert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.alerting.text import storable
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import Match
from iota_dagster.core.store import figures
from iota_dagster.core.store.alerts import AlertChanges, Route, record_matches
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.standing_alerts import StoredAlarm, alarms, standing_dedups

PERIOD_MINUTES = 24 * 60
"""What is found of one day and one dedup string is one alert."""
_DAY = timedelta(minutes=PERIOD_MINUTES)
NO_LAG = timedelta(0)
"""A finding is no event that was on its way to us."""
ALWAYS = timedelta(days=366 * 100)
"""For what is news however long ago it happened."""


@dataclass(frozen=True, slots=True)
class OwnRule:
    """How one kind of finding about ourselves is told."""

    id: str
    severity: str
    title: str
    runbook: str


@dataclass(frozen=True, slots=True)
class StandingAlerts:
    """The matches that stand, over a store, and where alerts go."""

    database: Database
    route: Route

    def stored(self, rule_ids: Sequence[str], since: datetime) -> dict[str, StoredAlarm]:
        """The matches of some rules of ours that stand now, by id, from a moment on."""
        with self.database.read() as connection:
            return alarms(connection, rule_ids, since)

    def replace(
        self, matches: Mapping[str, Match], stored: Mapping[str, StoredAlarm], now: datetime, within: timedelta
    ) -> list[AlertChanges]:
        """Let `matches`, by id, take the place of `stored`; only what differs is written.

        A match older than `within` makes an alert that is sent to nobody. What is over goes first: nothing joins it.
        """
        over = sorted(stored.keys() - matches.keys())
        found = [name for name, match in matches.items() if name not in stored or _differs(stored[name], match)]
        found.sort(key=lambda name: (matches[name].event_time, name))
        return [self._record(name, matches.get(name), now, within) for name in (*over, *found)]

    def _record(self, name: str, match: Match | None, now: datetime, within: timedelta) -> AlertChanges:
        unit = f"k{name}"  # each match is a unit of its own
        with self.database.begin() as connection:
            changes = record_matches(
                connection,
                unit,
                [_in_its_alert(connection, match)] if match else [],
                notify=True,
                now=now,
                notify_within=within,
                route=self.route,
            )
            figures.record_alerts(connection, unit, changes.created, now, NO_LAG)
            return changes


def own_match(
    rule: OwnRule,
    log_type: str,
    subject: str,
    event_id: str,
    moment: datetime,
    title: str,
    context: dict[str, Any],
    mark: str = "",
) -> Match:
    """One finding as a match; (rule, `log_type`, `event_id`) tell findings of one hour apart.

    An alert that it begins is told from an earlier one on the same subject and day by `event_id` and `mark`.
    """
    hour = hour_of(moment)
    dedup = f"{subject} {blake2b(f'{event_id} {mark}'.encode('utf-8', 'surrogatepass'), digest_size=8).hexdigest()}"
    return storable(
        Match(
            id=match_id(rule.id, log_type, event_id, hour),
            rule_id=rule.id,
            log_type=log_type,
            event_id=event_id,
            event_hour=hour,
            event_time=moment,
            dedup=dedup,
            period_minutes=PERIOD_MINUTES,
            threshold=1,
            severity=rule.severity,
            title=title,
            alert_id=alert_id(rule.id, dedup, period_start(moment, PERIOD_MINUTES)),
            runbook=rule.runbook,
            context=context,
        )
    )


def _in_its_alert(connection: sa.Connection, match: Match) -> Match:
    """The match in the alert that it has or, if it is new, in the one that stands of its rule, subject and day."""
    start = period_start(match.event_time, PERIOD_MINUTES)
    standing = standing_dedups(connection, match.rule_id, start, start + _DAY)
    subject = _subject(match.dedup)
    alike = {dedup for dedup in standing.values() if subject in (_subject(dedup), dedup)}  # an older iota: no mark
    dedup = standing.get(match.id) or min(alike, default=match.dedup)
    return replace(match, dedup=dedup, alert_id=alert_id(match.rule_id, dedup, start))


def _subject(dedup: str) -> str:
    return dedup.rpartition(" ")[0]


def _differs(stored: StoredAlarm, match: Match) -> bool:
    return (stored.title, stored.context) != (match.title, match.context)
