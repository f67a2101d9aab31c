"""The sensor that looks at the outbox: a run is asked for when nobody sends what is due, and once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest
import sqlalchemy as sa
from dagster._core.test_utils import create_run_for_test

from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import deliveries
from iota_dagster.defs import delivery_sensor
from iota_dagster.defs.delivery_sensor import deliveries_due

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/iota.db")
    database.migrate()
    platform = SimpleNamespace(road=SimpleNamespace(database=database, clock=lambda: NOW))
    monkeypatch.setattr(delivery_sensor, "sensor_platform", lambda: platform)
    yield database
    database.dispose()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def put(store: Database, status: str, due: datetime) -> None:
    values = {"alert_id": status, "destination": "chat", "created_at": NOW, "next_attempt_at": due}
    with store.begin() as connection:
        connection.execute(sa.insert(deliveries).values(id=status, status=status, **values))


def asked(instance: dg.DagsterInstance) -> str | None:
    """The key of the run that a look asks for."""
    with dg.build_sensor_context(instance) as context:
        result = deliveries_due(context)
    return result.run_key if isinstance(result, dg.RunRequest) else None


@pytest.mark.parametrize("status", ["pending", "sending"], ids=["it was not taken", "its sender died"])
def test_what_is_due_and_sent_by_nobody_is_asked_for(
    store: Database, instance: dg.DagsterInstance, status: str
) -> None:
    put(store, status, NOW - 20 * SECOND)
    assert asked(instance) == "deliveries-2026-11-22T10:30"


@pytest.mark.parametrize(
    ("status", "due"),
    [("pending", NOW - SECOND), ("pending", NOW + SECOND), ("sent", NOW - 20 * SECOND), ("failed", NOW - 20 * SECOND)],
    ids=["a run has just made it", "it is to be tried later", "it is sent", "it is given up"],
)
def test_what_nobody_needs_to_send_is_not_asked_for(
    store: Database, instance: dg.DagsterInstance, status: str, due: datetime
) -> None:
    put(store, status, due)
    assert asked(instance) is None


@pytest.mark.parametrize(
    ("status", "is_asked"),
    [
        (dg.DagsterRunStatus.STARTING, False),
        (dg.DagsterRunStatus.STARTED, False),
        (dg.DagsterRunStatus.SUCCESS, True),
        (dg.DagsterRunStatus.FAILURE, True),
    ],
)
def test_no_run_is_asked_for_while_another_is_on_its_way(
    store: Database, instance: dg.DagsterInstance, status: dg.DagsterRunStatus, is_asked: bool
) -> None:
    put(store, "pending", NOW - 20 * SECOND)
    create_run_for_test(instance, job_name="follow_up", status=status)
    assert (asked(instance) is not None) == is_asked
