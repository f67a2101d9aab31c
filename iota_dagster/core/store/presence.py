"""Whether there is a store that this iota can read, found out without making or changing one."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.store import migrations


def missing_file(url: str) -> Path | None:
    """The file of a SQLite store where it is not there: opening it would make an empty one."""
    found = sa.make_url(url)
    if found.get_backend_name() != "sqlite" or not found.database:
        return None
    file = Path(found.database).expanduser().absolute()
    return None if file.exists() else file


def expect_file(url: str) -> None:
    """`Outage` for a SQLite store whose file is not there."""
    if file := missing_file(url):
        raise Outage(f"there is no store {file} yet: the first command or run makes it")


def expect_current(connection: sa.Connection) -> None:
    """`IotaError` for a store of another revision than this iota's; it says who has to do what."""
    found, newest = migrations.revision(connection), migrations.head()
    if found == newest:
        return
    if found is None:
        raise Outage("the store is empty: the first command or run makes its tables")
    if found > newest:
        raise IotaError(f"the store was written by a newer iota (revision {found}, not {newest}): upgrade this one")
    raise IotaError(
        f"the store is at revision {found}, not {newest}: the next command or run of this iota brings it there"
    )
