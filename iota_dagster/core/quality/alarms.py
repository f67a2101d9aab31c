"""What is wrong with the lake or its accounting as alerts: one a day for each table, one a day for the accounting.

A match is an hour. It stands until the hour is looked at again and found right, or retention takes it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iota_dagster.core.alerting.standing import ALWAYS, OwnRule, StandingAlerts, own_match
from iota_dagster.core.hours import Hour, hour_key, hour_start, parse_hour_key
from iota_dagster.core.model import Match
from iota_dagster.core.quality.accounting import HourAccount
from iota_dagster.core.quality.results import HourQuality, Result
from iota_dagster.core.store.alerts import AlertChanges
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.standing_alerts import StoredAlarm

LOG_TYPE = "iota.Quality"
SHOWN = 20
"""Objects that an alert names."""
ACCOUNTS = "log_objects"
"""Stands for a table where the accounting of a delivery hour is meant."""

_AGAIN = "do the hour again (`iota backfill`, or a backfill of the UI)"
LAKE = OwnRule(
    "iota.LakeQuality",
    "HIGH",
    "The lake is not as it should be",
    "1. The asset check named here, on the table's asset, shows samples, and `quality/docs` in the state storage every "
    "expectation.\n"
    "2. A file that is missing, damaged or short: who wrote into the lake's folder or bucket? Move it away, if it is "
    f"there, and {_AGAIN}: a batch's file is written anew, one of a compaction (`c-…`) has to come from a backup.\n"
    "3. Rows that are doubled or in the wrong hour: keep the files, and report them with the check's samples.\n",
)
ACCOUNTING = OwnRule(
    "iota.Accounting",
    "HIGH",
    "Records are not accounted for",
    "1. The checks `records_accounted` and `rows_in_lake` name the log objects.\n"
    f"2. Where a check of a table fails as well, begin there; else {_AGAIN}.\n"
    "3. If it comes back: keep the log objects named here, and report them with the check's figures.\n",
)


@dataclass(frozen=True, slots=True)
class QualityAlarms:
    """The hours that are known to be wrong, as matches that stand."""

    standing: StandingAlerts

    def wrong(self) -> dict[TableHour, frozenset[str]]:
        """The hours that are known to be wrong, the oldest first, each with the checks that it failed.

        Those of the accounting are under `ACCOUNTS`.
        """
        found = {_hour_of(alarm): frozenset(alarm.context["checks"]) for alarm in self._stored().values()}
        return {item: found[item] for item in sorted(found, key=lambda item: (item[1], item[0]))}

    def replace(self, looked: Collection[TableHour], wrong: Iterable[Match], now: datetime) -> list[AlertChanges]:
        """Bring the alerts in line for the hours that were looked at; the others stay as they are."""
        stored = {name: alarm for name, alarm in self._stored().items() if _hour_of(alarm) in looked}
        return self.standing.replace({match.id: match for match in wrong}, stored, now, ALWAYS)

    def _stored(self) -> Mapping[str, StoredAlarm]:
        return self.standing.stored((LAKE.id, ACCOUNTING.id), hour_start(0))


def quality_matches(found: Iterable[HourQuality]) -> list[Match]:
    """A match for each hour of a table that failed an expectation."""
    return [_quality_match(item) for item in found if item.failed()]


def account_matches(found: Iterable[HourAccount]) -> list[Match]:
    """A match for each delivery hour that does not add up."""
    return [_account_match(item) for item in found if not item.is_right]


def _quality_match(item: HourQuality) -> Match:
    failed = item.failed()
    checks = sorted({result.check.value for result in failed})
    title = f"{LAKE.title}: {item.table} {_shown(item.hour)} fails {', '.join(checks)}"
    return _match(LAKE, item.table, item.hour, title, {"checks": checks, "failed": [_described(r) for r in failed]})


def _described(result: Result) -> dict[str, Any]:
    samples = [f"{item.subject}: {item.value}" for item in result.samples]
    return {"expectation": result.expectation, "values": result.unexpected, "samples": samples}


def _account_match(item: HourAccount) -> Match:
    unbalanced = [f"{one.bucket}/{one.key}" for one in item.unbalanced]
    astray = [f"{one.bucket}/{one.key}: {one.lake} rows of {one.ledger}" for one in item.astray]
    title = f"{ACCOUNTING.title}: {len({*unbalanced, *astray})} log objects of {_shown(item.hour)}"
    context = {
        "checks": sorted(item.failed),
        "out_of_balance": unbalanced[:SHOWN],
        "rows_in_lake": astray[:SHOWN],
        "unread_files": list(item.unread[:SHOWN]),
    }
    return _match(ACCOUNTING, ACCOUNTS, item.hour, title, context)


def _match(rule: OwnRule, table: str, hour: Hour, title: str, context: dict[str, Any]) -> Match:
    named = {"table": table, "hour": hour_key(hour), **context}
    return own_match(rule, LOG_TYPE, table, f"{table}/{hour}", hour_start(hour), title, named)


def _shown(hour: Hour) -> str:
    return f"{hour_start(hour):%Y-%m-%d %H:00} UTC"


def _hour_of(alarm: StoredAlarm) -> TableHour:
    return str(alarm.context["table"]), parse_hour_key(str(alarm.context["hour"]))
