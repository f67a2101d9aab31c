"""A correlation rule that fails is news of its own, as any rule is: an alert a day, withdrawn as soon as it works."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.alerting.ids import period_start
from iota_dagster.core.correlating.matches import unit_id
from iota_dagster.core.detection.rule_errors import PERIOD_MINUTES, PREFIX, error_matches
from iota_dagster.core.detection.verdict import RuleFailure
from iota_dagster.core.hours import hour_of
from iota_dagster.core.judging.judge import as_match
from iota_dagster.core.model import Match
from iota_dagster.core.store.correlations import LOG_TYPE, units_of_rules


def failure_units(
    connection: sa.Connection, tried: Collection[str], failures: Mapping[str, str], now: datetime
) -> Iterator[tuple[str, list[Match]]]:
    """What has to be stored after some rules were tried: units of work, each with all of its matches.

    A rule that fails has one match a day; those of a rule that works go. Nothing where that is so already.
    """
    names = {f"{PREFIX}{rule_id}": rule_id for rule_id in tried}
    known = units_of_rules(connection, names)
    for name, rule_id in sorted(names.items()):
        units = known.get(name, set())
        if rule_id not in failures:
            yield from ((unit, []) for unit in sorted(units))
        elif (unit := unit_id(name, hour_of(period_start(now, PERIOD_MINUTES)))) not in units:
            yield unit, [_match(rule_id, failures[rule_id], unit, now)]


def _match(rule_id: str, error: str, unit: str, now: datetime) -> Match:
    (hit,) = error_matches([RuleFailure(rule_id, "evaluate", error, 0, 1)], "")
    where = dict.fromkeys(("p_account_id", "p_region")) | {"p_source_bucket": "", "p_source_key": ""}
    return as_match(hit, LOG_TYPE, {**where, "p_event_id": unit, "p_event_time": now, "_hour": hour_of(now)})
