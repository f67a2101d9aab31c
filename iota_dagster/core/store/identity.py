"""Which store this is: a random id that a restored backup gives up, since it no longer knows all of its lake."""

from __future__ import annotations

import uuid

import sqlalchemy as sa

from iota_dagster.core.store.database import insert_ignore, upsert
from iota_dagster.core.store.schema import announced_generations, lake_files, lake_hours, store_identity


def store_id(connection: sa.Connection) -> str | None:
    """The store's id; None before it has one."""
    found: str | None = connection.scalar(sa.select(store_identity.c.id))
    return found


def make_store_id(connection: sa.Connection) -> str:
    """The store's id, made now if it has none; whoever comes second gets the first one's."""
    connection.execute(insert_ignore(connection, store_identity), {"one": 1, "id": uuid.uuid4().hex})
    return str(connection.execute(sa.select(store_identity.c.id)).scalar_one())


def renew_store_id(connection: sa.Connection) -> str:
    """Another id: what the store says of its lake has to be compared with the lake before anything is written.

    The generations that it has as announced may have been switched to since, so that nobody may give them up.
    """
    connection.execute(sa.delete(announced_generations))
    connection.execute(upsert(connection, store_identity), {"one": 1, "id": uuid.uuid4().hex})
    return str(connection.execute(sa.select(store_identity.c.id)).scalar_one())


def knows_a_lake(connection: sa.Connection) -> bool:
    """Whether anything was ever published by way of this store."""
    return connection.execute(sa.select(lake_hours.c.hour).where(lake_hours.c.version > 0).limit(1)).first() is not None


def newest_lake_files(connection: sa.Connection, limit: int = 5) -> list[str]:
    """The paths of some files that the lake has to have: of the newest event hours."""
    c = lake_files.c
    query = sa.select(c.path).order_by(c.hour.desc(), c.table_name, c.source).limit(limit)
    return list(connection.execute(query).scalars())
