"""What housekeeping has to touch of the lake: many small files, rows past their time or wanted back, left files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.schema import admissions, announced_generations, lake_files, lake_hours, retired_files


@dataclass(frozen=True, slots=True)
class HourFiles:
    """Files of one hour of one table that something is to be done with."""

    table: str
    hour: Hour
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Announced:
    """A generation that somebody wanted to write, and has neither switched to nor thrown away."""

    table: str
    hour: Hour
    generation: int
    announced_at: datetime


def crowded_hours(
    connection: sa.Connection, *, smaller_than: int, at_least: int, before: Hour, limit: int
) -> list[HourFiles]:
    """Hours before one with at least so many small files, the most crowded first."""
    c = lake_files.c
    files = sa.func.count()
    rows = connection.execute(
        sa.select(c.table_name, c.hour, files, sa.func.sum(c.bytes))
        .where(c.bytes < smaller_than, c.hour < before)
        .group_by(c.table_name, c.hour)
        .having(files >= at_least)
        .order_by(files.desc(), c.table_name, c.hour)
        .limit(limit)
    )
    return [HourFiles(table, hour, count, int(size)) for table, hour, count, size in rows]


def aged_hours(connection: sa.Connection, table: str, before: Hour, since: datetime, limit: int) -> list[HourFiles]:
    """A table's hours before one that have files, the oldest first; not those wanted back after `since`."""
    c, h = lake_files.c, lake_hours.c
    kept = h.kept_since.is_not(None) & (h.kept_since > since)
    rows = connection.execute(
        sa.select(c.table_name, c.hour, sa.func.count(), sa.func.sum(c.bytes))
        .join(lake_hours, (h.table_name == c.table_name) & (h.hour == c.hour))
        .where(c.table_name == table, c.hour < before, sa.not_(kept))
        .group_by(c.table_name, c.hour)
        .order_by(c.hour)
        .limit(limit)
    )
    return [HourFiles(table, hour, count, int(size)) for table, hour, count, size in rows]


def stored_tables(connection: sa.Connection) -> list[str]:
    """The tables that have files, in alphabetical order."""
    c = lake_files.c
    return list(connection.execute(sa.select(c.table_name).distinct().order_by(c.table_name)).scalars())


def expired_hours(connection: sa.Connection) -> list[TableHour]:
    """The hours that retention has taken out of the lake."""
    c = lake_hours.c
    rows = connection.execute(
        sa.select(c.table_name, c.hour).where(c.expired_at.is_not(None)).order_by(c.table_name, c.hour)
    )
    return [(row.table_name, row.hour) for row in rows]


def bring_back(
    connection: sa.Connection, table: str, log_type: str | None, hours: Sequence[Hour], now: datetime
) -> tuple[list[Hour], list[str]]:
    """Let expired hours take rows again, and their batches wait for being done again: the hours, the batches.

    All batches that admitted events there: an event that two of them admitted while the hour was out of the lake is
    left to one of them only if both are done again. `log_type` is the table's; None for the matches, whose batches
    are those of any log type.
    """
    c, found = lake_hours.c, list[Hour]()
    for part in chunked(hours):
        here = (c.table_name == table) & c.hour.in_(part) & c.expired_at.is_not(None)
        found += connection.execute(sa.select(c.hour).where(here).order_by(c.hour)).scalars()
        connection.execute(
            sa.update(lake_hours).where(here).values(expired_at=None, kept_since=now, version=c.version + 1)
        )
    ids = _batches(connection, log_type, found)
    batch_store.ask_again(connection, ids, f"hours of {table} that retention took are wanted back")
    return found, ids


def _batches(connection: sa.Connection, log_type: str | None, hours: Iterable[Hour]) -> list[str]:
    c, ids = admissions.c, set[str]()
    for part in chunked(hours):
        query = sa.select(c.batch_id).where(c.hour.in_(part)).distinct()
        ids |= set(connection.execute(query if log_type is None else query.where(c.log_type == log_type)).scalars())
    return sorted(ids)


def retired_before(connection: sa.Connection, moment: datetime) -> list[str]:
    """The files that were replaced, or taken out, before a moment."""
    c = retired_files.c
    return list(connection.execute(sa.select(c.path).where(c.retired_at < moment).order_by(c.path)).scalars())


def announced_before(connection: sa.Connection, moment: datetime) -> list[Announced]:
    """The generations that have been announced since before a moment."""
    table = announced_generations
    order = (table.c.table_name, table.c.hour, table.c.generation)
    rows = connection.execute(sa.select(table).where(table.c.announced_at < moment).order_by(*order))
    return [Announced(row.table_name, row.hour, row.generation, row.announced_at) for row in rows]


def strays(connection: sa.Connection, announced: Announced, paths: Iterable[str]) -> list[str]:
    """Those of the files found in a generation that nothing refers to; none in a current one, where others write."""
    h = lake_hours.c
    here = (h.table_name == announced.table) & (h.hour == announced.hour)
    if connection.scalar(sa.select(h.generation).where(here)) == announced.generation:
        return []
    found = set(paths)
    for part in chunked(sorted(found)):
        for c in (lake_files.c, retired_files.c):
            found -= set(connection.execute(sa.select(c.path).where(c.path.in_(part))).scalars())
    return sorted(found)


def give_up(connection: sa.Connection, announced: Announced, paths: Iterable[str]) -> list[str]:
    """Take a generation's announcement back, so that nobody can switch to it, and retire its strays: these.

    None when its writer was first, and has switched to it or thrown it away.
    """
    if not lake_catalog.take_back(connection, announced.table, announced.hour, announced.generation):
        return []
    found = strays(connection, announced, paths)
    lake_catalog.retire(connection, found, announced.announced_at)
    return found
