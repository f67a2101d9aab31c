"""The lake's own truth: which files make up which hour of which table, and in which generation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.errors import VersionConflict
from iota_dagster.core.hours import Hour
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import (
    announced_generations,
    lake_files,
    lake_hours,
    lake_members,
    retired_files,
)

TableHour = tuple[str, Hour]
"""(lake table, event hour)."""


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One Parquet file: of one batch (`source` is its id) or of a compaction that holds several `members`."""

    table: str
    hour: Hour
    source: str
    generation: int
    path: str
    rows: int
    bytes: int
    sha256: str
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LakeHour:
    """One hour of one table: `version` changes with every change of its files, `generation` with every rewrite.

    Of an `expired` hour retention took the files: nobody writes there until somebody wants it back. A `reopened` one
    has been wanted back: what was published before may be missing until its batches have been done again.
    """

    version: int
    generation: int
    files: tuple[LakeFile, ...]
    expired: bool = False
    reopened: bool = False


@dataclass(frozen=True, slots=True)
class HourChange:
    """The hour's new files, computed from its state at `version`; `fresh`: in a generation made for this change."""

    version: int
    generation: int
    files: tuple[LakeFile, ...]
    fresh: bool = False


def read_hour(connection: sa.Connection, table: str, hour: Hour) -> LakeHour:
    """An hour's current state; generation 0 and no files for one that was never written."""
    here = (lake_hours.c.table_name == table) & (lake_hours.c.hour == hour)
    row = connection.execute(sa.select(lake_hours).where(here)).first()
    if row is None:
        return LakeHour(0, 0, ())
    return LakeHour(
        version=row.version,
        generation=row.generation,
        files=tuple(files_of(connection, table, hour)),
        expired=row.expired_at is not None,
        reopened=row.kept_since is not None,
    )


def files_of(connection: sa.Connection, table: str, hour: Hour) -> list[LakeFile]:
    """The current files of one hour, in the order of their names."""
    here = (lake_files.c.table_name == table) & (lake_files.c.hour == hour)
    rows = connection.execute(sa.select(lake_files).where(here).order_by(lake_files.c.source)).mappings().all()
    inside = (lake_members.c.table_name == table) & (lake_members.c.hour == hour)
    members: dict[str, list[str]] = {}
    for source, batch_id in connection.execute(
        sa.select(lake_members.c.source, lake_members.c.batch_id).where(inside).order_by(lake_members.c.batch_id)
    ):
        members.setdefault(source, []).append(batch_id)
    return [
        LakeFile(
            table=table,
            hour=hour,
            source=row["source"],
            generation=row["generation"],
            path=row["path"],
            rows=row["rows"],
            bytes=row["bytes"],
            sha256=row["sha256"],
            members=tuple(members.get(row["source"], ())),
        )
        for row in rows
    ]


def hours_of_batch(connection: sa.Connection, batch_id: str, tables: Sequence[str]) -> list[TableHour]:
    """The hours of the given tables that hold rows of a batch."""
    rows = connection.execute(
        sa.select(lake_members.c.table_name, lake_members.c.hour)
        .where(lake_members.c.batch_id == batch_id, lake_members.c.table_name.in_(tables))
        .order_by(lake_members.c.table_name, lake_members.c.hour)
    )
    return [(row.table_name, row.hour) for row in rows]


def allocate_generation(connection: sa.Connection, table: str, hour: Hour, now: datetime) -> int:
    """A generation number that nobody else writes into, now or later, announced; gaps do no harm."""
    connection.execute(insert_ignore(connection, lake_hours), {"table_name": table, "hour": hour})
    here = (lake_hours.c.table_name == table) & (lake_hours.c.hour == hour)
    connection.execute(sa.update(lake_hours).where(here).values(next_generation=lake_hours.c.next_generation + 1))
    number = int(connection.execute(sa.select(lake_hours.c.next_generation - 1).where(here)).scalar_one())
    row = {"table_name": table, "hour": hour, "generation": number, "announced_at": now}
    connection.execute(sa.insert(announced_generations), row)
    return number


def take_back(connection: sa.Connection, table: str, hour: Hour, generation: int) -> bool:
    """Forget a generation's announcement, for a switch or for good; False when there is none (any more)."""
    c = announced_generations.c
    here = (c.table_name == table) & (c.hour == hour) & (c.generation == generation)
    return connection.execute(sa.delete(announced_generations).where(here)).rowcount > 0


def reserve_generations(connection: sa.Connection, table: str, hour: Hour, last: int) -> None:
    """Let the next generation be a later one than `last`, whose folder is there already."""
    connection.execute(insert_ignore(connection, lake_hours), {"table_name": table, "hour": hour})
    c = lake_hours.c
    here = (c.table_name == table) & (c.hour == hour) & (c.next_generation <= last)
    connection.execute(sa.update(lake_hours).where(here).values(next_generation=last + 1))


def apply(connection: sa.Connection, changes: Mapping[TableHour, HourChange], now: datetime) -> None:
    """Replace the files of some hours; `VersionConflict`, naming the first, when one changed since it was read.

    That a fresh generation is no longer announced is such a conflict, too: housekeeping has given it up.
    """
    for (table, hour), change in sorted(changes.items()):
        connection.execute(insert_ignore(connection, lake_hours), {"table_name": table, "hour": hour})
        moved = connection.execute(
            sa.update(lake_hours)
            .where(
                lake_hours.c.table_name == table,
                lake_hours.c.hour == hour,
                lake_hours.c.version == change.version,
            )
            .values(version=change.version + 1, generation=change.generation)
        )
        if moved.rowcount == 0:
            raise VersionConflict(f"{table} hour {hour} was changed by another writer")
        if change.fresh and not take_back(connection, table, hour, change.generation):
            raise VersionConflict(f"{table} hour {hour}: generation {change.generation} was given up")
        _replace_files(connection, table, hour, change.files, now)


def outdated(connection: sa.Connection, changes: Mapping[TableHour, HourChange]) -> list[TableHour]:
    """The hours whose changes `apply` would refuse."""
    return [key for key, change in changes.items() if not _stands(connection, key, change)]


def _stands(connection: sa.Connection, key: TableHour, change: HourChange) -> bool:
    table, hour = key
    h, a = lake_hours.c, announced_generations.c
    version = connection.scalar(sa.select(h.version).where(h.table_name == table, h.hour == hour))
    here = (a.table_name == table) & (a.hour == hour) & (a.generation == change.generation)
    announced = not change.fresh or connection.scalar(sa.select(sa.exists().where(here)))
    return bool((version or 0) == change.version and announced)


def _replace_files(connection: sa.Connection, table: str, hour: Hour, files: Sequence[LakeFile], now: datetime) -> None:
    """Write what differs: most changes add one file to many. What lies at a path never changes."""
    here = (lake_files.c.table_name == table) & (lake_files.c.hour == hour)
    rows = connection.execute(sa.select(lake_files.c.source, lake_files.c.path).where(here))
    old = {row.source: row.path for row in rows}
    kept = {item.source for item in files if old.get(item.source) == item.path}
    for part in chunked(old.keys() - kept):
        connection.execute(sa.delete(lake_files).where(here, lake_files.c.source.in_(part)))
        inside = (lake_members.c.table_name == table) & (lake_members.c.hour == hour)
        connection.execute(sa.delete(lake_members).where(inside, lake_members.c.source.in_(part)))
    new = [item for item in files if item.source not in kept]
    for part in chunked(new, 1_000):
        connection.execute(
            sa.insert(lake_files),
            [
                {
                    "table_name": table,
                    "hour": hour,
                    "source": item.source,
                    "generation": item.generation,
                    "path": item.path,
                    "rows": item.rows,
                    "bytes": item.bytes,
                    "sha256": item.sha256,
                }
                for item in part
            ],
        )
    members = [
        {"table_name": table, "hour": hour, "source": item.source, "batch_id": batch_id}
        for item in new
        for batch_id in item.members
    ]
    for chunk in chunked(members, 1_000):
        connection.execute(sa.insert(lake_members), chunk)
    retire(connection, {*old.values()} - {item.path for item in files}, now)


def retire(connection: sa.Connection, paths: Iterable[str], moment: datetime) -> None:
    """Let housekeeping delete files that are not part of the lake, when the readers' grace since then is over."""
    for path in sorted(paths):
        connection.execute(insert_ignore(connection, retired_files), {"path": path, "retired_at": moment})


def hours_with_files(connection: sa.Connection) -> list[TableHour]:
    """The hours that have files, by table."""
    c = lake_files.c
    rows = connection.execute(sa.select(c.table_name, c.hour).distinct().order_by(c.table_name, c.hour))
    return [(row.table_name, row.hour) for row in rows]


def mark_expired(connection: sa.Connection, table: str, hour: Hour, now: datetime) -> None:
    """Note that retention took an hour's rows."""
    here = (lake_hours.c.table_name == table) & (lake_hours.c.hour == hour)
    connection.execute(sa.update(lake_hours).where(here).values(expired_at=now, kept_since=None))


def forget_retired(connection: sa.Connection, paths: Sequence[str]) -> None:
    """The files of these paths are deleted."""
    for part in chunked(list(paths)):
        connection.execute(sa.delete(retired_files).where(retired_files.c.path.in_(part)))
