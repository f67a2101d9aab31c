"""The status of an installation: each fact is what the store says, on both kinds of database."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.batch.owner import current_owner
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.observability.status import Lag, Status, StatusReader
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.hour_requests import due_hours
from iota_dagster.core.store.ledger import pending_hours
from iota_dagster.core.store.quarantine import counts
from iota_dagster.core.store.schema import batches, deliveries, log_objects, quarantine
from iota_dagster.core.store.status import Backlog, Outbox, Quarantined
from iota_dagster.platform import Platform
from tests.road.world import NOW, TEN, UNKNOWN, World, drive, record, sign_in

MINUTE = timedelta(minutes=1)


def look(store: Database, *integrations: str) -> Status:
    return StatusReader(store, integrations, lambda: NOW).look()


def put(connection: sa.Connection, key: str, status: str, minutes: int, **more: object) -> None:
    """An object that was delivered so many minutes ago."""
    moment = NOW - minutes * MINUTE
    values = {"bucket": "b", "key": key, "etag": "e", "integration": "i", "delivery_hour": hour_of(moment)}
    times = {"last_modified": moment, "registered_at": moment}
    connection.execute(sa.insert(log_objects).values(**values, **times, status=status, **more))


def put_batch(connection: sa.Connection, name: str, status: str, **more: object) -> None:
    values = {"delivery_hour": 7, "owner": "gone:1/1/1", "heartbeat_at": NOW - MINUTE, "created_at": NOW}
    connection.execute(sa.insert(batches).values(id=name, status=status, **values | more))


def test_an_empty_installation_has_a_status(store: Database) -> None:
    found = look(store, "logs")
    assert found.event_to_committed == found.delivered_to_committed == Lag(0, None, None)
    assert found.backlog == Backlog()
    assert (found.alerts, found.outbox, found.rule_errors, found.failures.recent) == ((), (), (), ())
    [source] = found.sources
    assert (source.integration, source.last_object, source.last_event, source.is_silent) == ("logs", None, None, False)
    assert found.signs.requested_at is None


def test_a_run_shows_its_lag_its_events_and_its_alerts(world: World, platform: Platform) -> None:
    world.deliver(platform, {"one": [record("calm", minute=3), sign_in("loud", "203.0.113.9"), UNKNOWN]}, TEN)
    drive(platform, "run")
    found = StatusReader(
        platform.database, ()
    ).look()  # a commit's time is the system's, whatever the road's clock says
    [batch] = found.last_batches
    newest = NOW.replace(hour=10, minute=5)
    assert (batch.rows, batch.newest_event) == (2, newest)
    seconds = (batch.committed_at - newest).total_seconds()
    assert found.event_to_committed == Lag(1, seconds, seconds)
    assert (found.last_hour.batches, found.last_hour.records, found.last_hour.rows) == (1, 3, 2)
    [last] = found.alerts
    assert (last.alert.title, last.sent_to) == ("sign-in from 203.0.113.9", ("alerts_file",))
    [quarantined] = found.failures.recent
    assert (quarantined.objects, quarantined.records) == (0, 1)
    assert [(source.integration, source.last_event) for source in found.sources] == [("inbox", newest)]


def test_what_waits_is_counted_with_the_oldest_of_it(store: Database) -> None:
    with store.begin() as connection:
        put(connection, "1", "pending", 5)
        put(connection, "2", "pending", 200, outages=2)
        put(connection, "3", "claimed", 300)
        put(connection, "4", "done", 900)
        put_batch(connection, "a", "open", attempts=3)
        put_batch(connection, "b", "committed")
        put_batch(connection, "c", "done", redo_reason="quarantine retry")
        put_batch(connection, "d", "done", redo_reason="quarantine retry", redo_blocked="it is gone")
        put_batch(connection, "e", "open", attempts=2, owner=current_owner())
        put_batch(connection, "f", "split", attempts=3)
    found = look(store)
    assert found.backlog == Backlog(
        pending=2,
        claimed=1,
        oldest=NOW - 300 * MINUTE,
        after_outage=1,
        open_batches=2,
        committed_batches=1,
        to_do_again=1,
    )
    assert (found.failures.dead_attempts, found.failures.blocked) == (3 + 1, 1)
    assert found.signs.heartbeat_at == NOW - MINUTE


def test_failed_objects_and_the_quarantine_of_a_day_are_counted_by_reason(store: Database) -> None:
    with store.begin() as connection:
        for number, status in enumerate((ObjectStatus.MISSING, ObjectStatus.REFUSED, ObjectStatus.QUARANTINED)):
            put(connection, str(number), status, number)
        for minutes, ordinal, reason, dropped in (
            (1500, 1, "truncated", None),
            (90, 1, "truncated", None),
            (60, 2, "truncated", NOW),
            (30, None, "poison", None),
            (10, 3, "truncated", None),
        ):
            row = {"ordinal": ordinal, "reason": reason, "detail": "", "sample": b"x", "dropped_at": dropped}
            connection.execute(sa.insert(quarantine).values(**row, created_at=NOW - minutes * MINUTE))
    found = look(store).failures
    assert (found.missing, found.refused, found.quarantined) == (1, 1, 1)
    assert found.recent == (Quarantined("poison", 1, 0), Quarantined("truncated", 0, 2))


def test_a_source_that_is_silent_for_longer_than_it_ever_is_says_so(store: Database) -> None:
    with store.begin() as connection:
        for number in range(15):
            put(connection, str(number), "done", 200 + 20 * number)
    [source] = look(store, "i").sources
    assert source.last_object == NOW - 200 * MINUTE
    assert source.silent_from == NOW - 160 * MINUTE
    assert source.is_silent
    reader = StatusReader(store, ["i"], lambda: NOW)
    assert reader.look().sources[0].is_silent
    with store.begin() as connection:
        put(connection, "new", "pending", 5)
    assert not reader.look().sources[0].is_silent, "the rhythm is remembered, the last log is not"


def test_a_destination_that_takes_nothing_is_named_with_its_answer(store: Database) -> None:
    with store.begin() as connection:
        for number, status in enumerate(("pending", "sending", "failed", "sent")):
            row = {"alert_id": f"a{number}", "destination": "chat", "status": status, "error": f"answer {number}"}
            times = {"created_at": NOW - number * MINUTE, "next_attempt_at": NOW - number * MINUTE}
            connection.execute(sa.insert(deliveries).values(id=str(number), **row, **times))
    assert look(store).outbox == (Outbox("chat", 2, 1, NOW - MINUTE, "answer 0"),)


def test_a_destination_that_the_settings_do_not_have_any_more_is_told_from_one_that_fails(store: Database) -> None:
    with store.begin() as connection:
        for name in ("chat", "old"):
            row = {"id": name, "alert_id": "a", "destination": name, "status": "failed"}
            connection.execute(sa.insert(deliveries).values(**row, created_at=NOW, next_attempt_at=NOW))
    found = StatusReader(store, [], lambda: NOW, destinations=["chat"]).look().outbox
    assert [(item.destination, item.failed, item.is_configured) for item in found] == [
        ("chat", 1, True),
        ("old", 1, False),
    ]


def test_a_failing_rule_is_shown(world: World, platform: Platform) -> None:
    (world.rules / "sign_in.py").write_text("def rule(event):\n    return event['nothing']['there']\n")
    world.deliver(platform, {"one": [record("calm")]}, TEN)
    drive(platform, "run")
    [error] = look(platform.database).rule_errors
    assert error.rule_id == "iota.RuleFailed.Test.SignIn"


def test_a_look_reads_neither_the_ledger_nor_the_batches_whole(tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path}/plans.db")
    store.migrate()
    with store.begin() as connection:
        put(connection, "late", "pending", 90)
        put_batch(connection, "again", "done", redo_reason="quarantine retry", committed_at=NOW, attempts=1)
    plans = planned(store, lambda: look(store, "i", "silent"))
    store.dispose()
    assert [step for step in plans if re.fullmatch("SCAN (log_objects|batches)", step)] == []
    named = {index for step in plans for index in re.findall("ix_[a-z_]+", step)}
    assert named >= {
        "ix_batches_attempts",
        "ix_batches_blocked",
        "ix_batches_committed_at",
        "ix_batches_redo",
        "ix_batches_status_delivery_hour",
        "ix_log_objects_integration_kind_delivery_hour",
        "ix_log_objects_status_delivery_hour",
    }


def test_what_is_due_is_found_and_quarantine_counted_by_indexes(tmp_path: Path) -> None:
    store = Database(f"sqlite:///{tmp_path}/plans.db")
    store.migrate()

    def questions() -> None:
        with store.read() as connection:
            due_hours(connection, NOW, lambda *_: True)
            pending_hours(connection, NOW)
            counts(connection)

    plans = planned(store, questions)
    store.dispose()
    assert [step for step in plans if re.match("SCAN (log_objects|batches)", step)] == []
    assert any("quarantine USING COVERING INDEX ix_quarantine_kept" in step for step in plans)


def planned(store: Database, ask: Callable[[], object]) -> list[str]:
    """The steps by which SQLite answers the SELECTs of some questions."""
    asked: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)
    with store.read() as connection:
        rows = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", given).all() for text, given in asked]
    return [step.detail for steps in rows for step in steps]
