"""What a database needs now and then: fresh statistics, and its free pages back.

PostgreSQL does both by itself (autovacuum). SQLite is told; giving pages back locks the file and writes it anew, so
that it is done only where much is free and the file is small enough to be quick.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.errors import Outage

FREE_SHARE = 0.25
LARGEST = 2 << 30
"""Bytes: about ten seconds, while writers wait for up to a minute."""


@dataclass(frozen=True, slots=True)
class StoreSize:
    """What the store takes, and what of it is free; `vacuum` says whether that would be given back."""

    bytes: int
    free: int

    @property
    def vacuum(self) -> bool:
        """Whether much is free, and the rest is written in seconds."""
        return self.free > FREE_SHARE * self.bytes and self.bytes - self.free <= LARGEST


def look_after(store_url: str, *, dry_run: bool = False) -> StoreSize | None:
    """Refresh SQLite's statistics and vacuum it where that is worth it; None for PostgreSQL, which needs nobody."""
    url = sa.make_url(store_url)
    if url.get_backend_name() != "sqlite":
        return None
    try:
        with closing(sqlite3.connect(Path(str(url.database)), timeout=60, isolation_level=None)) as connection:
            size = _size(connection)
            if not dry_run:
                connection.execute("PRAGMA analysis_limit = 1000")
                connection.execute("PRAGMA optimize")
                if size.vacuum:
                    connection.execute("VACUUM")
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            return size
    except sqlite3.OperationalError as error:
        raise Outage(f"the store {url.database} was not looked after: {error}") from error


def _size(connection: sqlite3.Connection) -> StoreSize:
    page, pages, free = (
        int(connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_size", "page_count", "freelist_count")
    )
    return StoreSize(page * pages, page * free)
