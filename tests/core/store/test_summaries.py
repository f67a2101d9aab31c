"""The store in figures, on both kinds of database: what the UI shows of an hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from iota_dagster.core.store import summaries
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import admissions, alerts, batches, lake_files, log_objects, matches, run_batches
from iota_dagster.core.store.summaries import HourAlerts, HourFiles, Oldest
from iota_dagster.ingest_account import RunAccount

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


def put(connection: sa.Connection, name: str, status: str, minutes: int, batch: str | None = None) -> None:
    """An object of hour 7, delivered and, a minute later, registered so many minutes ago."""
    moment = NOW - timedelta(minutes=minutes)
    values = {"bucket": "b", "key": name, "etag": "e", "integration": "i", "size": 10, "delivery_hour": 7}
    times = {"last_modified": moment, "registered_at": moment + timedelta(minutes=1)}
    connection.execute(sa.insert(log_objects).values(**values, **times, status=status, batch_id=batch))


def test_an_hours_objects_are_counted_by_what_became_of_them(store: Database) -> None:
    with store.begin() as connection:
        for number, status in enumerate(
            ("done", "claimed", "pending", "missing", "refused", "quarantined", "superseded")
        ):
            put(connection, str(number), status, number)
        counted = summaries.hour_objects(connection, 7)
        empty = summaries.hour_objects(connection, 8)
    assert counted == {"objects": 7, "bytes": 70, "waiting": 1, "unreadable": 3}
    assert set(empty.values()) == {0}


def test_the_oldest_object_says_since_when_a_batch_is_on_its_way(store: Database) -> None:
    with store.begin() as connection:
        for number, batch in enumerate(("x", "x", "y", None)):
            put(connection, str(number), "done", number, batch)
        assert summaries.oldest(connection, ["x", "y"]) == Oldest(
            NOW - timedelta(minutes=2), NOW - timedelta(minutes=1)
        )
        assert summaries.oldest(connection, []) == summaries.oldest(connection, ["z"]) == Oldest(None, None)


def test_table_hours_tell_a_runs_share_and_know_hours_without_files(store: Database) -> None:
    with store.begin() as connection:
        for source, hour in (("x", 7), ("y", 7), ("x", 8)):
            row = {"table_name": "t", "generation": 0, "path": f"{source}{hour}", "rows": 3, "bytes": 30, "sha256": ""}
            connection.execute(sa.insert(lake_files).values(source=source, hour=hour, **row))
        found = summaries.table_hours(connection, [("t", 7), ("t", 9), ("t", 7)], ["x"])
    assert found == {("t", 7): HourFiles(6, 60, 2, 3, 30), ("t", 9): HourFiles(0, 0, 0, 0, 0)}


def test_matches_below_their_threshold_are_matches_without_an_alert(store: Database) -> None:
    with store.begin() as connection:
        times = {"heartbeat_at": NOW, "created_at": NOW}
        connection.execute(sa.insert(batches).values(id="x", delivery_hour=7, status="done", owner="o", **times))
        row = dict.fromkeys(("rule_id", "log_type", "event_id", "dedup", "alert_id", "severity", "title"), "a")
        more = {"event_hour": 7, "event_time": NOW, "period_minutes": 60, "threshold": 2, "create_alert": True}
        connection.execute(sa.insert(matches).values(id="m", batch_id="x", notify=True, **row, **more))
        assert summaries.hour_alerts(connection, 7, 10) == HourAlerts(1, 0, ())
        assert summaries.hour_alerts(connection, 8, 10) == HourAlerts(0, 0, ())


def bring(connection: sa.Connection, batch: str, hour: int, rows: int, log_type: str = "AWS.CloudTrail") -> None:
    """A batch of one object that is done and in the lake, with a match that is an alert."""
    moments = {"heartbeat_at": NOW, "created_at": NOW, "lake_at": NOW}
    done = {"id": batch, "delivery_hour": hour, "status": "done", "owner": "o"} | moments
    connection.execute(sa.insert(batches).values(**done))
    put(connection, batch, "done", 0, batch)
    counts = {"records": rows + 1, "rows": rows, "duplicates": 1, "delivery_hour": hour}
    connection.execute(sa.update(log_objects).where(log_objects.c.key == batch).values(**counts))
    admitted = {"log_type": "AWS.CloudTrail", "hour": hour, "file": "f", "sha256": "", "committed_at": NOW}
    connection.execute(sa.insert(admissions).values(batch_id=batch, count=rows, **admitted))
    match(connection, batch, hour, log_type)


def match(connection: sa.Connection, batch: str, hour: int, log_type: str) -> None:
    """A match, and an alert that it has made in a minute from now."""
    name = f"{batch}-{hour}"
    both = {"id": name, "rule_id": "r", "dedup": "d", "log_type": log_type, "severity": "LOW", "title": "t"}
    own = {"event_id": "e", "event_hour": hour, "event_time": NOW, "period_minutes": 60, "threshold": 1}
    of_match = both | own | {"batch_id": batch, "create_alert": True, "alert_id": name, "notify": False}
    connection.execute(sa.insert(matches).values(of_match))
    moments = {"period_start": NOW, "first_event_time": NOW, "last_event_time": NOW}
    later = {"created_at": datetime.now(UTC) + timedelta(minutes=1), "status": "open", "matches": 1}
    connection.execute(sa.insert(alerts).values(both | moments | later | {"period_minutes": 60}))


def work_on(connection: sa.Connection, run: str, *names: str) -> None:
    for name in names:
        connection.execute(sa.insert(run_batches).values(root_run=run, batch_id=name, mode="new", revision=1))


def test_a_commands_runs_are_counted_by_their_batches_and_not_by_what_others_do_meanwhile(store: Database) -> None:
    with store.begin() as connection:
        bring(connection, "again", 7, 5)
        connection.execute(sa.update(alerts).values(created_at=datetime.now(UTC) - timedelta(days=1)))
    account = RunAccount(store)
    before = account.before([7])
    with store.begin() as connection:
        bring(connection, "mine", 7, 10)
        bring(connection, "others", 7, 100)
        bring(connection, "elsewhere", 8, 1000)
        work_on(connection, "run", "mine", "again")
        work_on(connection, "other-run", "others", "elsewhere")
        again = sa.update(log_objects).where(log_objects.c.key == "again")
        connection.execute(again.values(rows=6, records=7))  # it had five rows before
        connection.execute(sa.update(admissions).where(admissions.c.batch_id == "again").values(count=6))
        put(connection, "bad", "quarantined", 0)
    account.add(before, "run")
    before = account.before([7])
    account.add(before, "run-without-batches")
    assert account.totals() == {
        "objects": 2,
        "records": 12,
        "events": 11,
        "duplicates": 1,
        "quarantined": 0,
        "matches": 1,
        "alerts": 1,
        "rows": {"alert_matches": 1, "cloudtrail_events": 11},
    }


def test_what_correlation_rules_find_is_counted_with_no_batch(store: Database) -> None:
    with store.begin() as connection:
        match(connection, "c-unit", 6, "iota.correlation")
        connection.execute(sa.update(alerts).values(created_at=datetime.now(UTC) - timedelta(days=1)))
    account = RunAccount(store)
    with store.begin() as connection:
        match(connection, "c-unit", 7, "iota.correlation")
        match(connection, "q-unit", 7, "iota.query.Other")
    found = account.totals()
    assert (found["matches"], found["alerts"], found["rows"]) == (1, 1, {"alert_matches": 1})
