"""What the ledger says that the lake holds: rows by batch and by log object, and which hours may be compared now.

An hour is settled when no batch is about to change it: what is committed is published, and nothing waits to be done
again. Only then have the ledger and the lake to agree. A batch that could not be done again stays as it was, and is not
waited for. If it should have brought back rows that retention took, it has none in that hour, and nothing is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.model import BatchStatus, ObjectStatus
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.lake_catalog import LakeFile, LakeHour
from iota_dagster.core.store.schema import admissions, batches, lake_files, lake_hours, lake_members, log_objects

_O, _B, _A, _M, _H = log_objects.c, batches.c, admissions.c, lake_members.c, lake_hours.c
_TO_DO_AGAIN = _B.redo_reason.is_not(None) & _B.redo_blocked.is_(None)


@dataclass(frozen=True, slots=True)
class TableState:
    """An event hour of a lake table in one snapshot: its files, and the rows that the ledger says by batch.

    `not_brought_back` are batches whose rows retention took, and that could not be done again when they were wanted
    back; they are not among the `admitted`.
    """

    lake: LakeHour
    admitted: Mapping[str, int]
    not_brought_back: frozenset[str]
    settled: bool


@dataclass(frozen=True, slots=True)
class Changes:
    """When batches were published into an hour since some moment: the first time and the last; None if none was."""

    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class ObjectCount:
    """A log object's accounting, as it was committed."""

    bucket: str
    key: str
    records: int
    rows: int
    duplicates: int
    quarantined: int

    @property
    def is_balanced(self) -> bool:
        """Whether every record ended in exactly one place."""
        return self.records == self.rows + self.duplicates + self.quarantined


@dataclass(frozen=True, slots=True)
class RowsGone:
    """Batches that need not have their rows in the lake: of an `expired` hour, or of one to bring back, in vain."""

    expired: frozenset[str]
    not_brought_back: frozenset[str]


@dataclass(frozen=True, slots=True)
class BatchRows:
    """A published batch's rows by log object (bucket, key), and the files of the lake that hold them."""

    batch_id: str
    rows: Mapping[tuple[str, str], int]
    files: tuple[LakeFile, ...]


def written_hours(connection: sa.Connection, table: str) -> Iterator[tuple[Hour, int]]:
    """The hours of a table that the lake has, with their versions, the newest first."""
    query = sa.select(_H.hour, _H.version).where(_H.table_name == table, _H.version > 0, _H.expired_at.is_(None))
    for row in connection.execute(query.order_by(_H.hour.desc())):
        yield row.hour, row.version


def table_state(connection: sa.Connection, table: str, hour: Hour, log_type: str | None) -> TableState:
    """An hour as it is now; `log_type` is None for `alert_matches`, of which the ledger counts no rows."""
    lake = lake_catalog.read_hour(connection, table, hour)
    mine = (_A.log_type == log_type, _A.hour == hour)
    query = sa.select(_A.batch_id, _A.count).where(*mine)
    admitted = {row[0]: int(row[1]) for row in connection.execute(query)} if log_type else {}
    lost = _not_brought_back(connection, lake, admitted)
    members = sa.select(_M.batch_id).where(_M.table_name == table, _M.hour == hour)
    who = sa.union(members, sa.select(_A.batch_id).where(*mine)) if log_type else members
    moving = sa.exists().where(_B.id.in_(who), sa.or_(_published(table).is_(None), _TO_DO_AGAIN))
    there = {batch_id: count for batch_id, count in admitted.items() if batch_id not in lost}
    return TableState(lake, there, lost, not connection.scalar(sa.select(moving)))


def table_changes(connection: sa.Connection, table: str, hour: Hour, since: datetime | None) -> Changes:
    """The changes of an event hour of a table since a moment, or all; what a compaction did is no change."""
    members = sa.select(_M.batch_id).where(_M.table_name == table, _M.hour == hour)
    return _changes(connection, _published(table), _B.id.in_(members), since)


def delivery_changes(connection: sa.Connection, hour: Hour, since: datetime | None) -> Changes:
    """The changes of a delivery hour since a moment, or all."""
    return _changes(connection, _B.lake_at, _B.delivery_hour == hour, since)


def delivered_hours(connection: sa.Connection, since: datetime) -> dict[Hour, str]:
    """The delivery hours into which a batch was published since a moment, each with a text that changes with it."""
    marks = (sa.func.count(), sa.func.sum(_B.revision), sa.func.max(_B.lake_at))
    touched = sa.select(_B.delivery_hour).where(_B.lake_at >= since)
    query = sa.select(_B.delivery_hour, *marks).where(_B.delivery_hour.in_(touched)).group_by(_B.delivery_hour)
    return {hour: f"{count} {revisions} {last}" for hour, count, revisions, last in connection.execute(query)}


def is_settled(connection: sa.Connection, hour: Hour) -> bool:
    """Whether every batch of a delivery hour is done and none is still to be done again."""
    moving = sa.or_(_B.status.in_((BatchStatus.OPEN, BatchStatus.COMMITTED)), _TO_DO_AGAIN)
    return not connection.scalar(sa.select(sa.exists().where(_B.delivery_hour == hour, moving)))


def totals(connection: sa.Connection, hour: Hour) -> dict[str, int]:
    """The done objects of a delivery hour, and the sums of their accounting."""
    columns = (_O.records, _O.rows, _O.duplicates, _O.quarantined)
    sums = (sa.func.coalesce(sa.func.sum(column), 0).label(column.name) for column in columns)
    query = sa.select(sa.func.count().label("objects"), *sums).where(*_done(hour))
    return {name: int(value) for name, value in connection.execute(query).mappings().one().items()}


def unbalanced(connection: sa.Connection, hour: Hour, limit: int) -> list[ObjectCount]:
    """The done objects of a delivery hour whose records did not each end in exactly one place."""
    columns = (_O.bucket, _O.key, _O.records, _O.rows, _O.duplicates, _O.quarantined)
    query = sa.select(*columns).where(*_done(hour), _O.records != _O.rows + _O.duplicates + _O.quarantined)
    return [ObjectCount(*row) for row in connection.execute(query.order_by(_O.id).limit(limit))]


def published_batches(connection: sa.Connection, hour: Hour) -> dict[str, int]:
    """The done batches of a delivery hour with their revisions: one that is done again gets another."""
    mine = (_B.delivery_hour == hour, _B.status == BatchStatus.DONE, _B.lake_at.is_not(None))
    return {row.id: row.revision for row in connection.execute(sa.select(_B.id, _B.revision).where(*mine))}


def object_counts(connection: sa.Connection, batch_ids: Sequence[str]) -> dict[str, int]:
    """How many log objects some batches have."""
    found: dict[str, int] = {}
    for part in chunked(batch_ids):
        query = sa.select(_O.batch_id, sa.func.count()).where(_O.batch_id.in_(part)).group_by(_O.batch_id)
        found |= {batch_id: int(count) for batch_id, count in connection.execute(query)}
    return found


def batch_rows(connection: sa.Connection, batch_id: str) -> BatchRows:
    """A batch's rows as the ledger has them; objects of one key (overwritten ones) count together."""
    query = sa.select(_O.bucket, _O.key, sa.func.sum(_O.rows)).where(_O.batch_id == batch_id, *_done())
    rows = {(bucket, key): int(count) for bucket, key, count in connection.execute(query.group_by(_O.bucket, _O.key))}
    return BatchRows(batch_id, rows, tuple(_files_with(connection, batch_id)))


def rows_gone(connection: sa.Connection, batch_ids: Sequence[str], tables: Mapping[str, str]) -> RowsGone:
    """Of some batches those whose rows retention took, at least of one hour; `tables` are by log type."""
    table = sa.case(dict(tables), value=_A.log_type)
    is_there = sa.exists().where(_M.table_name == table, _M.hour == _A.hour, _M.batch_id == _A.batch_id)
    in_vain = _H.kept_since.is_not(None) & _B.redo_blocked.is_not(None) & ~is_there
    query = (
        sa.select(_A.batch_id, _H.expired_at.is_not(None).label("expired"))
        .join_from(admissions, lake_hours, (_H.table_name == table) & (_H.hour == _A.hour))
        .join(batches, _B.id == _A.batch_id)
        .where(sa.or_(_H.expired_at.is_not(None), in_vain))
    )
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for ids in chunked(batch_ids):
        for batch_id, expired in connection.execute(query.where(_A.batch_id.in_(ids))):
            found[bool(expired)].add(batch_id)
    return RowsGone(frozenset(found[True]), frozenset(found[False]))


def _not_brought_back(connection: sa.Connection, lake: LakeHour, batch_ids: Iterable[str]) -> frozenset[str]:
    if not lake.reopened:
        return frozenset()
    found, absent = set[str](), {*batch_ids} - {name for file in lake.files for name in file.members}
    for ids in chunked(sorted(absent)):
        query = sa.select(_B.id).where(_B.id.in_(ids), _B.redo_blocked.is_not(None))
        found |= set(connection.execute(query).scalars())
    return frozenset(found)


def _published(table: str) -> sa.ColumnElement[datetime | None]:
    """When a batch was published into a table."""
    return _B.alerts_at if table == alert_matches.TABLE else _B.lake_at


def _changes(
    connection: sa.Connection,
    mark: sa.ColumnElement[datetime | None],
    mine: sa.ColumnElement[bool],
    since: datetime | None,
) -> Changes:
    query = sa.select(sa.func.min(mark), sa.func.max(mark)).where(mine)
    row = connection.execute(query if since is None else query.where(mark > since)).one()
    return Changes(*row)


def _done(hour: Hour | None = None) -> list[sa.ColumnElement[bool]]:
    here = [] if hour is None else [_O.delivery_hour == hour]
    return [*here, _O.status == ObjectStatus.DONE]


def _files_with(connection: sa.Connection, batch_id: str) -> Iterator[LakeFile]:
    f = lake_files.c
    same = (f.table_name == _M.table_name) & (f.hour == _M.hour) & (f.source == _M.source)
    query = sa.select(lake_files).join_from(lake_files, lake_members, same)
    query = query.where(_M.batch_id == batch_id, f.table_name != alert_matches.TABLE).order_by(f.path)
    for row in connection.execute(query).mappings():
        values = {name: value for name, value in row.items() if name != "table_name"}
        yield LakeFile(table=row["table_name"], members=(), **values)
