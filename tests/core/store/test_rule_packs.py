"""Which pack has judged a batch, and the delivery hours that a changed pack leaves stale, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from iota_dagster.core.detection.rule import Rule, RulePack
from iota_dagster.core.store.rule_packs import StaleHour, note_use, oldest_version, stale_hours
from iota_dagster.core.store.schema import admissions, batches, rule_packs

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


def a_rule(name: str, version: str = "1", log_type: str = "A", *, enabled: bool = True) -> Rule:
    return Rule(
        id=name,
        version=version,
        file=f"{name}.yml",
        enabled=enabled,
        log_types=(log_type,),
        severity="LOW",
        title="",
        description="",
        reference="",
        runbook="",
        period_minutes=60,
        threshold=1,
        create_alert=True,
    )


def a_pack(*rules: Rule) -> RulePack:
    return RulePack(rules)


OLD = a_pack(a_rule("same"), a_rule("edited"), a_rule("gone"), a_rule("elsewhere", log_type="B"))
NEW = a_pack(
    a_rule("same"),
    a_rule("edited", "2"),
    a_rule("added"),
    a_rule("elsewhere", "2", log_type="B"),
    a_rule("asleep", enabled=False),
)


def add(connection: sa.Connection, name: str, hour: int, pack: RulePack | None, at: int = 0, *types: str) -> None:
    """A batch with events of some log types (of two event hours), judged by a pack."""
    judged = NOW + timedelta(minutes=at)
    row = {"id": name, "delivery_hour": hour, "status": "done", "owner": "me", "heartbeat_at": NOW, "created_at": NOW}
    connection.execute(batches.insert(), row | {"alerts_at": judged, "lake_at": NOW})
    more = {"file": "f", "sha256": "s", "count": 1, "committed_at": NOW}
    for log_type in types or ("A",):
        for event_hour in (hour - 1, hour):
            connection.execute(admissions.insert(), {"batch_id": name, "log_type": log_type, "hour": event_hour} | more)
    if pack:
        note_use(connection, name, pack, judged)


def test_a_pack_is_written_once_with_its_enabled_rules(connection: sa.Connection) -> None:
    add(connection, "b1", 7, NEW)
    add(connection, "b2", 7, NEW, 5)
    (row,) = connection.execute(sa.select(rule_packs)).all()
    assert (row.version, row.first_used_at) == (NEW.version, NOW)
    assert row.rules["edited"] == ["2", ["A"]]
    assert "asleep" not in row.rules
    assert connection.execute(sa.select(batches.c.rules_version)).scalars().all() == [NEW.version] * 2


def test_nothing_is_stale_while_the_pack_is_the_same(connection: sa.Connection) -> None:
    add(connection, "b1", 7, OLD)
    assert stale_hours(connection, OLD) == []


def test_an_hour_is_stale_by_new_and_changed_rules_of_its_log_types(connection: sa.Connection) -> None:
    add(connection, "b1", 7, OLD, 1)
    add(connection, "b2", 7, OLD, 0, "A", "B")
    add(connection, "b3", 7, NEW, -9)
    add(connection, "b4", 8, OLD, 0, "B")
    add(connection, "b5", 9, OLD, 0, "C")
    assert stale_hours(connection, NEW) == [
        StaleHour(7, OLD.version, NOW, 2, ("added",), ("edited", "elsewhere")),
        StaleHour(8, OLD.version, NOW, 1, (), ("elsewhere",)),
    ]
    assert [item.hour for item in stale_hours(connection, NEW, [8, 9])] == [8]


def test_rules_that_are_gone_or_switched_off_make_nothing_stale(connection: sa.Connection) -> None:
    add(connection, "b1", 7, OLD)
    fewer = a_pack(*(rule for rule in OLD.rules if rule.id != "gone"), a_rule("asleep", enabled=False))
    assert fewer.version != OLD.version
    assert stale_hours(connection, fewer) == []


def test_judging_again_ends_it(connection: sa.Connection) -> None:
    add(connection, "b1", 7, OLD)
    note_use(connection, "b1", NEW, NOW)
    assert stale_hours(connection, NEW) == []
    assert [item.hour for item in stale_hours(connection, OLD)] == [7]


def test_what_was_judged_by_nobody_knows_whom_lacks_all_rules_and_what_is_not_judged_is_not_stale(
    connection: sa.Connection,
) -> None:
    add(connection, "b1", 7, None)
    add(connection, "b2", 8, None)
    connection.execute(sa.update(batches).where(batches.c.id == "b2").values(alerts_at=None))
    assert stale_hours(connection, NEW) == [StaleHour(7, None, NOW, 1, ("added", "edited", "same"), ())]


def test_the_oldest_judgement_of_an_hour_tells_its_version(connection: sa.Connection) -> None:
    add(connection, "b1", 7, NEW, 3)
    add(connection, "b2", 7, OLD, 1)
    assert (oldest_version(connection, 7), oldest_version(connection, 8)) == (OLD.version, None)
