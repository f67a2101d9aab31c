"""Alerts about ourselves: matches that stand as long as what they tell does, over the same road as any other match.

Whoever looks says all that is wrong now, of the part that it looked at. What is new is recorded, what has changed is
recorded again, and once nothing of an alert is left it is withdrawn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.alerting.text import storable
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import Match
from iota_dagster.core.store import figures
from iota_dagster.core.store.alerts import AlertChanges, Route, record_matches
from iota_dagster.core.store.completeness import StoredAlarm, alarms
from iota_dagster.core.store.database import Database

PERIOD_MINUTES = 24 * 60
"""What is found of one day and one dedup string is one alert."""
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

        A match older than `within` makes an alert that is sent to nobody.
        """
        changed = [name for name, match in matches.items() if name not in stored or _differs(stored[name], match)]
        names = sorted({*changed, *(stored.keys() - matches.keys())})
        return [self._record(name, matches.get(name), now, within) for name in names]

    def _record(self, name: str, match: Match | None, now: datetime, within: timedelta) -> AlertChanges:
        unit = f"k{name}"  # each match is a unit of its own
        with self.database.begin() as connection:
            changes = record_matches(
                connection,
                unit,
                [match] if match else [],
                notify=True,
                now=now,
                notify_within=within,
                route=self.route,
            )
            figures.record_alerts(connection, unit, changes.created, now, NO_LAG)
            return changes


def own_match(
    rule: OwnRule, log_type: str, dedup: str, event_id: str, moment: datetime, title: str, context: dict[str, Any]
) -> Match:
    """One finding as a match; (rule, `log_type`, `event_id`) tell findings of one hour apart."""
    hour = hour_of(moment)
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


def _differs(stored: StoredAlarm, match: Match) -> bool:
    return (stored.title, stored.context) != (match.title, match.context)
