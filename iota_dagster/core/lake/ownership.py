"""One lake, one store: a marker in the lake names the store that knows all of its batches.

A store that is empty, or older than its lake, would take known events for new ones and write them a second time. In a
lake that is not the store's (another host's folder, a disk that is not mounted) rows would lie where nobody finds them.
So whoever wants to commit asks first, and is refused before anything is claimed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from iota_dagster.core.errors import IotaError
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import identity
from iota_dagster.core.store.database import Database

MARKER = "_iota/store.json"
"""The marker's path in the lake: engines leave folders out that start with an underscore."""


class ForeignLake(IotaError):
    """The lake holds what this store does not know of; nothing may be written."""


@dataclass(frozen=True, slots=True)
class Marker:
    """What the lake says: the id of its store, and since when."""

    store: str
    since: str


def read_marker(lake: Storage) -> Marker | None:
    """The lake's marker; None without one. `IotaError` when it cannot be read as one."""
    try:
        data = lake.read(MARKER)
    except FileNotFoundError:
        return None
    try:
        found = json.loads(data)
        return Marker(str(found["store"]), str(found["since"]))
    except (ValueError, KeyError, TypeError):
        raise IotaError(
            f"{lake.url}/{MARKER} is damaged: if this store is the lake's own, write it anew by `iota repair --adopt`"
        ) from None


def adopt(database: Database, lake: Storage, now: datetime) -> None:
    """Make the lake this store's own, whatever it holds."""
    with database.begin() as connection:
        store = identity.make_store_id(connection)
    lake.write(MARKER, json.dumps({"store": store, "since": now.isoformat()}).encode())


def require_own_lake(database: Database, lake: Storage, now: datetime) -> None:
    """Return if the lake is the store's; one that may become its own does so. `ForeignLake` says what to do."""
    if not is_own_lake(database, lake):
        adopt(database, lake, now)


def is_own_lake(database: Database, lake: Storage) -> bool:
    """Whether the lake names this store; False for one that names none and may become its own.

    That is one in which files are that the store names; for a store that names none, one without any, or whose files
    have all expired. The store must have its tables. `ForeignLake`, with what to do, for any other lake.
    """
    marker = read_marker(lake)  # first: who adopts it meanwhile has the same store
    with database.read() as connection:
        if marker is not None and marker.store == identity.store_id(connection):
            return True
        knows, named = identity.knows_a_lake(connection), identity.newest_lake_files(connection)
    if marker is None and named and not any(lake.exists(path) for path in named):
        raise ForeignLake(
            f"{database!r} names files that are not in the lake {lake.url}, such as {named[0]}: is lake_url right, and "
            "is the disk mounted? Whatever shares a store must share its lake. If the lake is lost, "
            "`iota repair --adopt` begins a new one there; a backfill then writes its hours anew"
        )
    if marker is None and (knows or not holds_tables(lake)):
        return False
    owner = f"belongs to another store, since {marker.since}" if marker else "holds tables that no store has claimed"
    raise ForeignLake(
        f"the lake {lake.url} {owner}, and {database!r} does not know what is in it: events would be written twice. "
        "If store_url or lake_url is wrong, correct it. If the store was lost or restored, `iota repair` rebuilds "
        "from the lake what can be rebuilt (see --dry-run); `iota repair --adopt` takes the lake over as it is"
    )


def missing_files(database: Database, lake: Storage) -> list[str]:
    """Which of the newest files that the store names are not in the lake."""
    with database.read() as connection:
        named = identity.newest_lake_files(connection)
    return [path for path in named if not lake.exists(path)]


def holds_tables(lake: Storage) -> bool:
    """Whether there is any Parquet file in the lake."""
    return any(file.path.endswith(".parquet") for file in lake.list(""))
