"""The store in figures, on both kinds of database: what the UI shows of an hour."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from iota_dagster.core.store import summaries
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import batches, lake_files, log_objects, matches
from iota_dagster.core.store.summaries import HourAlerts, HourFiles, Oldest

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    database = Database(store_url)
    database.migrate()
    yield database
    database.dispose()


def put(connection: sa.Connection, name: str, status: str, minutes: int, batch: str | None = None) -> None:
    """An object of hour 7, delivered and, a minute later, registered so many minutes ago."""
    moment = NOW - timedelta(minutes=minutes)
    values = {"bucket": "b", "key": name, "etag": "e", "integration": "i", "size": 10, "delivery_hour": 7}
    times = {"last_modified": moment, "registered_at": moment + timedelta(minutes=1)}
    connection.execute(sa.insert(log_objects).values(**values, **times, status=status, batch_id=batch))


def test_an_hours_objects_are_counted_by_what_became_of_them(database: Database) -> None:
    with database.begin() as connection:
        for number, status in enumerate(
            ("done", "claimed", "pending", "missing", "refused", "quarantined", "superseded")
        ):
            put(connection, str(number), status, number)
        counted = summaries.hour_objects(connection, 7)
        empty = summaries.hour_objects(connection, 8)
    assert counted == {"objects": 7, "bytes": 70, "waiting": 1, "unreadable": 3}
    assert set(empty.values()) == {0}


def test_the_oldest_object_says_since_when_a_batch_is_on_its_way(database: Database) -> None:
    with database.begin() as connection:
        for number, batch in enumerate(("x", "x", "y", None)):
            put(connection, str(number), "done", number, batch)
        assert summaries.oldest(connection, ["x", "y"]) == Oldest(
            NOW - timedelta(minutes=2), NOW - timedelta(minutes=1)
        )
        assert summaries.oldest(connection, []) == summaries.oldest(connection, ["z"]) == Oldest(None, None)


def test_table_hours_tell_a_runs_share_and_know_hours_without_files(database: Database) -> None:
    with database.begin() as connection:
        for source, hour in (("x", 7), ("y", 7), ("x", 8)):
            row = {"table_name": "t", "generation": 0, "path": f"{source}{hour}", "rows": 3, "bytes": 30, "sha256": ""}
            connection.execute(sa.insert(lake_files).values(source=source, hour=hour, **row))
        found = summaries.table_hours(connection, [("t", 7), ("t", 9), ("t", 7)], ["x"])
    assert found == {("t", 7): HourFiles(6, 60, 2, 3, 30), ("t", 9): HourFiles(0, 0, 0, 0, 0)}


def test_matches_below_their_threshold_are_matches_without_an_alert(database: Database) -> None:
    with database.begin() as connection:
        times = {"heartbeat_at": NOW, "created_at": NOW}
        connection.execute(sa.insert(batches).values(id="x", delivery_hour=7, status="done", owner="o", **times))
        row = dict.fromkeys(("rule_id", "log_type", "event_id", "dedup", "alert_id", "severity", "title"), "a")
        more = {"event_hour": 7, "event_time": NOW, "period_minutes": 60, "threshold": 2, "create_alert": True}
        connection.execute(sa.insert(matches).values(id="m", batch_id="x", notify=True, **row, **more))
        assert summaries.hour_alerts(connection, 7, 10) == HourAlerts(1, 0, ())
        assert summaries.hour_alerts(connection, 8, 10) == HourAlerts(0, 0, ())
