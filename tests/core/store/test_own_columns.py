"""Tables of users' log types keep their columns once there are events, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa

from iota_dagster.core.store.own_columns import OwnTable, keep, noted
from iota_dagster.core.store.schema import admissions

APP = OwnTable("Custom.App", "custom_app_events", {"at": "timestamp[us, tz=UTC]", "user": "string"})


def admit(connection: sa.Connection, log_type: str = "Custom.App") -> None:
    """Let there be an event."""
    row = {"batch_id": "b", "log_type": log_type, "hour": 1, "file": "f", "sha256": "s", "count": 1}
    connection.execute(sa.insert(admissions), row | {"committed_at": datetime(2025, 11, 22, tzinfo=UTC)})


def test_before_the_first_event_a_table_can_become_anything(connection: sa.Connection) -> None:
    assert keep(connection, [APP]) == []
    assert noted(connection, [APP])
    other = OwnTable("Custom.App", "app_events", {"at": "string"})
    assert keep(connection, [other]) == []
    assert noted(connection, [other])
    assert not noted(connection, [APP])


def test_columns_are_added_and_then_stay(connection: sa.Connection) -> None:
    keep(connection, [APP])
    admit(connection)
    more = OwnTable(APP.log_type, APP.name, {"door": "int64", **APP.columns})
    assert keep(connection, [more]) == []
    assert noted(connection, [more])
    assert keep(connection, [APP]) == [
        "Custom.App: its table has a column door (int64): put that field back, columns never go"
    ]
    assert noted(connection, [more])


def test_a_column_never_becomes_another_type(connection: sa.Connection) -> None:
    keep(connection, [APP])
    admit(connection)
    (problem,) = keep(connection, [OwnTable(APP.log_type, APP.name, {**APP.columns, "user": "int64"})])
    assert "the column user is string in the lake and cannot become int64" in problem


def test_a_table_is_never_another_ones(connection: sa.Connection) -> None:
    keep(connection, [APP])
    admit(connection)
    assert keep(connection, [OwnTable("Custom.App", "elsewhere_events", APP.columns)]) == [
        "Custom.App: its events are in custom_app_events, not in elsewhere_events: set `table` to custom_app_events"
    ]
    assert keep(connection, [OwnTable("Custom.New", APP.name, APP.columns)]) == [
        "Custom.New: its table custom_app_events has events of Custom.App: set another `table`"
    ]
