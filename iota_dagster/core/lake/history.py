"""Events of past hours: which files hold them, and their columns, a bounded record batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.parquet import open_reader
from iota_dagster.core.storage import Storage
from iota_dagster.core.store.schema import lake_files

ROWS_AT_ONCE = 4096
"""Rows of one record batch: small enough for records of any size, large enough for columns to pay."""


@dataclass(frozen=True, slots=True)
class PastFile:
    """One file of an event hour; `path` is relative to the lake."""

    hour: Hour
    path: str
    rows: int


def files_between(connection: sa.Connection, table: str, hours: range) -> list[PastFile]:
    """A table's files of some event hours that lie side by side, the oldest hour first."""
    rows = connection.execute(
        sa.select(lake_files.c.hour, lake_files.c.path, lake_files.c.rows)
        .where(lake_files.c.table_name == table, lake_files.c.hour >= hours.start, lake_files.c.hour < hours.stop)
        .order_by(lake_files.c.hour, lake_files.c.source)
    )
    return [PastFile(row.hour, row.path, row.rows) for row in rows]


def read_columns(lake: Storage, file: PastFile, columns: Iterable[str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Some columns of a file, of the types in `schema`; null where an older file lacks one. Raises as `LakeReader`."""
    wanted = list(dict.fromkeys(columns))
    with open_reader(lake, file.path) as reader:
        for rows in reader.batches(ROWS_AT_ONCE, wanted):
            yield _conform(rows, wanted, schema)


def _conform(rows: pa.RecordBatch, wanted: Sequence[str], schema: pa.Schema) -> pa.RecordBatch:
    arrays = [
        rows.column(name).cast(schema.field(name).type)
        if name in rows.schema.names
        else pa.nulls(rows.num_rows, schema.field(name).type)
        for name in wanted
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([schema.field(name) for name in wanted]))
