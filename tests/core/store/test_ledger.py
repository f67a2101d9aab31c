"""The ledger: what is named again after it could not be read is read once more, as whoever may read it now."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import Origin, register_object
from iota_dagster.core.model import ObjectRef, ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
REF = ObjectRef("bucket", "logs/a.gz", "etag", 2, last_modified=NOW)
OURS = Origin("trail", "111122223333", "eu-central-1")


def set_status(store: Database, status: ObjectStatus) -> None:
    with store.begin() as connection:
        ids = list(connection.execute(sa.select(log_objects.c.id)).scalars())
        ledger.set_status(connection, ids, status, "why")


def row(store: Database) -> sa.Row[tuple[object, ...]]:
    with store.read() as connection:
        return connection.execute(sa.select(log_objects)).one()


@pytest.mark.parametrize("status", [ObjectStatus.MISSING, ObjectStatus.SUPERSEDED, ObjectStatus.REFUSED])
def test_an_object_that_could_not_be_read_is_pending_when_it_is_named_again(
    store: Database, status: ObjectStatus
) -> None:
    with store.begin() as connection:
        assert register_object(connection, REF, OURS, NOW)
    set_status(store, status)
    with store.begin() as connection:
        assert register_object(connection, REF, OURS, NOW)
    assert (row(store).status, row(store).error) == ("pending", None)


@pytest.mark.parametrize("status", [ObjectStatus.PENDING, ObjectStatus.CLAIMED, ObjectStatus.DONE])
def test_an_object_that_is_read_or_will_be_stays_as_it_is(store: Database, status: ObjectStatus) -> None:
    with store.begin() as connection:
        register_object(connection, REF, OURS, NOW)
    set_status(store, status)
    with store.begin() as connection:
        assert not register_object(connection, REF, Origin("another", "999999999999"), NOW)
    assert (row(store).status, row(store).account) == (status, OURS.account)


def test_a_refused_object_gets_the_account_and_region_of_the_integration_that_is_configured_since(
    store: Database,
) -> None:
    """Its events' ids are made with the account: through its siblings they would get others."""
    with store.begin() as connection:
        register_object(connection, REF, Origin("refused"), NOW, ObjectStatus.REFUSED, "no integration")
    assert (row(store).account, row(store).region) == (None, None)
    with store.begin() as connection:
        assert register_object(connection, REF, OURS, NOW)
    found = row(store)
    assert (found.integration, found.account, found.region) == (OURS.integration, OURS.account, OURS.region)
