"""Findings as alerts: the same road as any match, one alert a day for each kind and integration.

A finding's match stands as long as the finding does. Once nothing of an alert is left it is withdrawn, like the alert
of a rule that no longer finds what it found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from iota_dagster.core.alerting.ids import alert_id, match_id, period_start
from iota_dagster.core.alerting.text import storable
from iota_dagster.core.completeness.comparison import Comparison
from iota_dagster.core.completeness.findings import TAMPERING, Finding, Kind, Silence
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.model import Match
from iota_dagster.core.store.alerts import AlertChanges, Route, record_matches
from iota_dagster.core.store.completeness import StoredAlarm, alarms
from iota_dagster.core.store.database import Database

LOG_TYPE = "iota.Completeness"
PERIOD_MINUTES = 24 * 60
SHOWN = 20
"""Objects that an alert names; it counts all."""
SILENT = "iota.SourceSilent"
_ALWAYS = timedelta(days=366 * 100)


@dataclass(frozen=True, slots=True)
class _Rule:
    """How a kind of finding is told."""

    id: str
    severity: str
    title: str
    runbook: str


_LOOK = "1. `iota verify` over the hours named here lists every object.\n"
_ASK_TRAIL = "2. Look in the log archive for calls of PutObject and DeleteObject on these keys, and who made them.\n"
RULES = {
    Kind.MISSING: _Rule(
        "iota.LogsMissing",
        "HIGH",
        "Log files that CloudTrail delivered are missing",
        _LOOK + "2. `iota verify --fetch` registers those that are in their bucket: a notification was lost.\n"
        "3. What is not in its bucket was deleted: look for DeleteObject calls.\n",
    ),
    Kind.ALTERED: _Rule(
        "iota.LogsAltered", "CRITICAL", "Log files are not what CloudTrail delivered", _LOOK + _ASK_TRAIL
    ),
    Kind.UNLISTED: _Rule(
        "iota.LogsUnlisted",
        "MEDIUM",
        "Log files that CloudTrail does not know of",
        _LOOK
        + _ASK_TRAIL
        + "3. A second trail with the same prefix and without log file validation looks like that, too.\n",
    ),
    Kind.UNTRUSTED: _Rule(
        "iota.DigestUntrusted", "CRITICAL", "Digests of CloudTrail that cannot be trusted", _LOOK + _ASK_TRAIL
    ),
}
RULE_IDS = tuple(rule.id for rule in RULES.values())
_SILENCE = _Rule(
    SILENT,
    "HIGH",
    "Nothing arrives any more from",
    "1. `iota doctor` tries the queue, the role and the bucket of the integration.\n"
    "2. In the account: is the trail (or what else writes) still logging, and to this bucket?\n"
    "3. `iota scan` shows whether objects are there of which no message told.\n",
)


@dataclass(frozen=True, slots=True)
class Alarms:
    """Where alerts go, over a store."""

    database: Database
    route: Route
    notify_within: timedelta

    def of_findings(self, found: Comparison, since: datetime, now: datetime) -> list[AlertChanges]:
        """Bring the alerts in line with what was found from `since` on; only changes are written.

        Where more is wrong than was looked at, nothing is taken back.
        """
        matches = {match.id: match for match in finding_matches(found.findings)}
        stored = self._stored(RULE_IDS, hour_start(hour_of(since)))
        if not found.is_whole:
            stored = {name: alarm for name, alarm in stored.items() if name in matches}
        return self._replace(matches, stored, now, self.notify_within)

    def of_silences(self, silences: Iterable[Silence], now: datetime) -> list[AlertChanges]:
        """Make the alerts those of `silences`, which are all there are; one is news however long it has lasted."""
        matches = {match.id: match for match in map(silence_match, silences)}
        return self._replace(matches, self._stored((SILENT,), hour_start(0)), now, _ALWAYS)

    def _stored(self, rule_ids: Sequence[str], since: datetime) -> dict[str, StoredAlarm]:
        with self.database.read() as connection:
            return alarms(connection, rule_ids, since)

    def _replace(
        self, matches: Mapping[str, Match], stored: Mapping[str, StoredAlarm], now: datetime, within: timedelta
    ) -> list[AlertChanges]:
        changed = [name for name, match in matches.items() if name not in stored or _differs(stored[name], match)]
        changes = []
        for name in sorted({*changed, *(stored.keys() - matches.keys())}):
            with self.database.begin() as connection:
                changes.append(
                    record_matches(
                        connection,
                        f"k{name}",  # each match is a unit of its own
                        [matches[name]] if name in matches else [],
                        notify=True,
                        now=now,
                        notify_within=within,
                        route=self.route,
                    )
                )
        return changes


def finding_matches(findings: Iterable[Finding]) -> list[Match]:
    """One match for each kind, integration and hour that people should hear of."""
    groups: dict[tuple[Kind, str, Hour], list[Finding]] = defaultdict(list)
    for item in findings:
        if item.kind in TAMPERING:
            groups[item.kind, item.integration, hour_of(item.moment)].append(item)
    return [_finding_match(RULES[kind], name, hour, items) for (kind, name, hour), items in sorted(groups.items())]


def silence_match(silence: Silence) -> Match:
    """One match for a silence: its moment is the one at which it became news."""
    title = f"{_SILENCE.title} {silence.integration}: the last log is of {silence.last:%Y-%m-%d %H:%M} UTC"
    allowed = int(silence.allowed.total_seconds() // 60)
    context = {"integration": silence.integration, "last": silence.last.isoformat(), "allowed_minutes": allowed}
    return _match(_SILENCE, silence.integration, silence.last.isoformat(), silence.since, title, context)


def _finding_match(rule: _Rule, integration: str, hour: Hour, items: Sequence[Finding]) -> Match:
    objects = sorted({f"{item.bucket}/{item.key}" for item in items})
    title = f"{rule.title} ({integration}): {len(objects)} in the hour of {hour_start(hour):%Y-%m-%d %H:00} UTC"
    context = {
        "integration": integration,
        "objects": len(objects),
        "first_objects": objects[:SHOWN],
        "why": sorted({item.detail for item in items})[:SHOWN],
    }
    return _match(rule, integration, f"{integration}/{hour}", hour_start(hour), title, context)


def _match(rule: _Rule, dedup: str, event_id: str, moment: datetime, title: str, context: dict[str, Any]) -> Match:
    hour = hour_of(moment)
    return storable(
        Match(
            id=match_id(rule.id, LOG_TYPE, event_id, hour),
            rule_id=rule.id,
            log_type=LOG_TYPE,
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
