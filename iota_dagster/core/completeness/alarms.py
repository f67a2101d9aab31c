"""Findings as alerts: the same road as any match, one alert a day for each kind and integration as long as it stands.

A finding's match stands as long as the finding does. Once nothing of an alert is left it is withdrawn, like the alert
of a rule that no longer finds what it found, and what is found then is another alert. Each silence is one of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from iota_dagster.core.alerting.standing import ALWAYS, OwnRule, StandingAlerts, own_match
from iota_dagster.core.completeness.comparison import Comparison
from iota_dagster.core.completeness.findings import TAMPERING, Finding, Kind, Silence
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.model import Match
from iota_dagster.core.store.alerts import AlertChanges, Route
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.standing_alerts import StoredAlarm

LOG_TYPE = "iota.Completeness"
SHOWN = 20
"""Objects that an alert names; it counts all."""
SILENT = "iota.SourceSilent"

_LOOK = "1. `iota verify` over the hours named here lists every object.\n"
_ASK_TRAIL = "2. Look in the log archive for calls of PutObject and DeleteObject on these keys, and who made them.\n"
RULES = {
    Kind.MISSING: OwnRule(
        "iota.LogsMissing",
        "HIGH",
        "Log files that CloudTrail delivered are missing",
        _LOOK + "2. `iota verify --fetch` registers those that are in their bucket: a notification was lost.\n"
        "3. What is not in its bucket was deleted: look for DeleteObject calls.\n",
    ),
    Kind.ALTERED: OwnRule(
        "iota.LogsAltered", "CRITICAL", "Log files are not what CloudTrail delivered", _LOOK + _ASK_TRAIL
    ),
    Kind.UNLISTED: OwnRule(
        "iota.LogsUnlisted",
        "MEDIUM",
        "Log files that CloudTrail does not know of",
        _LOOK
        + _ASK_TRAIL
        + "3. A second trail with the same prefix and without log file validation looks like that, too.\n",
    ),
    Kind.UNTRUSTED: OwnRule(
        "iota.DigestUntrusted", "CRITICAL", "Digests of CloudTrail that cannot be trusted", _LOOK + _ASK_TRAIL
    ),
}
RULE_IDS = tuple(rule.id for rule in RULES.values())
_SILENCE = OwnRule(
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

        Where more is wrong than is named, nothing is taken back.
        """
        matches = {match.id: match for match in finding_matches(found.findings)}
        stored = self._standing.stored(RULE_IDS, hour_start(hour_of(since)))
        if not found.is_whole:
            stored = {name: alarm for name, alarm in stored.items() if name in matches}
        return self._standing.replace(matches, stored, now, self.notify_within)

    def of_silences(self, silences: Iterable[Silence], now: datetime) -> list[AlertChanges]:
        """Make the alerts those of `silences`, which are all there are; one is news however long it has lasted.

        A log that was written before its silence was news, and is registered after, makes it no other silence.
        """
        stored, found = self._standing.stored((SILENT,), hour_start(0)), tuple(silences)
        lasting = {name: item for name, alarm in stored.items() for item in found if _is_of(alarm, item)}
        over = {name: alarm for name, alarm in stored.items() if name not in lasting}
        new = [silence_match(item) for item in found if item not in lasting.values()]
        return self._standing.replace({match.id: match for match in new}, over, now, ALWAYS)

    @property
    def _standing(self) -> StandingAlerts:
        return StandingAlerts(self.database, self.route)


def finding_matches(findings: Iterable[Finding]) -> list[Match]:
    """One match for each kind, integration and hour that people should hear of."""
    groups: dict[tuple[Kind, str, Hour], list[Finding]] = defaultdict(list)
    for item in findings:
        if item.kind in TAMPERING:
            groups[item.kind, item.integration, hour_of(item.moment)].append(item)
    return [_finding_match(RULES[kind], name, hour, items) for (kind, name, hour), items in sorted(groups.items())]


def silence_match(silence: Silence) -> Match:
    """One match for a silence, known by its last log: its moment is the one at which it became news."""
    title = f"{_SILENCE.title} {silence.integration}: the last log is of {silence.last:%Y-%m-%d %H:%M} UTC"
    name, last, allowed = silence.integration, silence.last.isoformat(), int(silence.allowed.total_seconds() // 60)
    context = {"integration": name, "last": last, "allowed_minutes": allowed}
    return own_match(_SILENCE, LOG_TYPE, name, f"{name}/{last}", silence.since, title, context)


def _is_of(alarm: StoredAlarm, silence: Silence) -> bool:
    """Whether an alarm tells of a silence: nothing was written since it became news."""
    told = alarm.context
    since = datetime.fromisoformat(told["last"]) + timedelta(minutes=told["allowed_minutes"])
    return told["integration"] == silence.integration and silence.last <= since


def _finding_match(rule: OwnRule, integration: str, hour: Hour, items: Sequence[Finding]) -> Match:
    objects = sorted({f"{item.bucket}/{item.key}" for item in items})
    title = f"{rule.title} ({integration}): {len(objects)} in the hour of {hour_start(hour):%Y-%m-%d %H:00} UTC"
    context = {
        "integration": integration,
        "objects": len(objects),
        "first_objects": objects[:SHOWN],
        "why": sorted({item.detail for item in items})[:SHOWN],
    }
    event_id = f"{integration}/{hour}"
    return own_match(rule, LOG_TYPE, integration, event_id, hour_start(hour), title, context, mark=objects[0])
