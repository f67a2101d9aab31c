"""Hours that retention has taken out of the lake: their partitions leave Glue (moto's server) and stay out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from iota_dagster.core.aws.glue import GlueCatalog
from iota_dagster.core.hours import parse_hour_key
from iota_dagster.core.lake.catalog import LakeCatalog
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.lake_catalog import HourChange
from iota_dagster.core.store.schema import lake_hours
from tests.aws import Aws

TEN = parse_hour_key("2026-11-22-10:00")
HOURS = range(TEN, TEN + 30)
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/iota.db")
    database.migrate()
    with database.begin() as connection:
        changes = {("events", hour): HourChange(0, 0, ()) for hour in HOURS}
        lake_catalog.apply(connection, changes, NOW)
    yield database
    database.dispose()


def test_expired_hours_lose_their_partitions_and_are_not_registered_again(aws: Aws, store: Database) -> None:
    glue = GlueCatalog(aws.clients.glue(), aws.name("lake").replace("-", "_"))
    catalog = LakeCatalog(store, glue, "s3://example-lake/lake", {"events": pa.schema([("eventName", pa.string())])})
    assert catalog.drop_expired() == []
    assert len(catalog.register_all().created) == 30
    expired = list(HOURS)[:27]
    with store.begin() as connection:
        for hour in expired:
            lake_catalog.mark_expired(connection, "events", hour, NOW)
    assert catalog.drop_expired() == [("events", hour) for hour in expired]
    assert catalog.drop_expired() == []
    assert catalog.register([("events", hour) for hour in HOURS]).created == ()
    assert sorted(glue.partitions("events", HOURS)) == list(HOURS)[27:]
    with store.begin() as connection:
        connection.execute(sa.update(lake_hours).where(lake_hours.c.hour == TEN).values(expired_at=None))
    assert catalog.register_all().created == (("events", TEN),)


def test_expired_hours_of_a_table_that_glue_has_not_are_no_error(aws: Aws, store: Database) -> None:
    glue = GlueCatalog(aws.clients.glue(), aws.name("lake").replace("-", "_"))
    catalog = LakeCatalog(store, glue, "s3://example-lake/lake", {"events": pa.schema([("eventName", pa.string())])})
    with store.begin() as connection:
        lake_catalog.mark_expired(connection, "events", TEN, NOW)
    assert catalog.drop_expired() == []
