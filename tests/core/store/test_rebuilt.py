"""What a repaired store still says of the time before: when it had last heard of a log object."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from iota_dagster.core.arrival.notification import QUEUE
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.store import ledger
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.rebuilt import RebuiltObject, enter_objects, known_until

THEN = datetime(2026, 11, 20, 10, 30, tzinfo=UTC)
HOUR = hour_of(THEN)


def register(database: Database, key: str, integration: str, now: datetime) -> None:
    with database.begin() as connection:
        ledger.register(
            connection,
            ObjectRef("bucket", key, "e"),
            integration=integration,
            delivery_hour=HOUR,
            kind="log",
            account=None,
            region=None,
            now=now,
        )


def test_neither_rebuilt_objects_nor_the_spool_say_until_when_a_store_had_known(store_url: str) -> None:
    """They are younger than the backup: of a lost store nothing else is there."""
    store = Database(store_url)
    later = THEN + timedelta(days=3)
    rebuilt = RebuiltObject("batch", "bucket", "late", "logs", None, None, HOUR, later, 1)
    with store.begin() as connection:
        enter_objects(connection, [rebuilt])
    register(store, "events/a.jsonl.gz", QUEUE, later)
    with store.read() as connection:
        assert known_until(connection) is None
    for hours in (1, 0):
        register(store, f"log-{hours}", "logs", THEN - timedelta(hours=hours))
    with store.read() as connection:
        assert known_until(connection) == THEN
    store.dispose()
