"""The store that a command asks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iota_dagster.core.store.database import Database
    from iota_dagster.settings import Settings


@contextmanager
def own_store(settings: Settings) -> Iterator[Database]:
    """The settings' store, brought to its newest schema; it is closed in the end."""
    from iota_dagster.core.store.database import Database

    database = Database(settings.store_url)
    try:
        database.migrate()
        yield database
    finally:
        database.dispose()
