"""A transaction, for the tests of what runs inside one of the caller's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from iota_dagster.core.store.database import Database


@pytest.fixture
def connection(store: Database) -> Iterator[sa.Connection]:
    """A write transaction that lasts as long as the test, once on each kind of store."""
    with store.begin() as connection:
        yield connection
