"""Rewriting Parquet files of the lake: leaving a batch out, joining many small files into one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.lake.parquet import open_reader, open_writer
from iota_dagster.core.storage import Storage

ROW_GROUP_BYTES = 64 << 20
"""Rows that are held before a row group is written: the groups of many small files become few large ones."""


def without_batch(storage: Storage, source: str, batch_id: str, target: Path) -> int:
    """Write a file's rows of all batches but one; the number of rows written (0: no file)."""
    rows = 0
    with open_reader(storage, source) as file, open_writer(target, file.schema) as writer:
        for group in file.row_groups():
            kept = group.filter(pc.not_equal(group["p_batch"], pa.scalar(batch_id)))
            if kept.num_rows:
                writer.write_table(kept)
                rows += kept.num_rows
    if not rows:
        target.unlink()
    return rows


def join(storage: Storage, sources: Sequence[str], schema: pa.Schema, target: Path) -> int:
    """Write the rows of several files into one, file by file; a column that an older file lacks is null."""
    tables = (conform(group, schema) for source in sources for group in row_groups(storage, source))
    return write_tables(tables, schema, target)


def row_groups(storage: Storage, path: str) -> Iterator[pa.Table]:
    """A lake file's rows, a row group at a time."""
    with open_reader(storage, path) as file:
        yield from file.row_groups()


def write_tables(tables: Iterable[pa.Table], schema: pa.Schema, target: Path) -> int:
    """Write tables of one schema into one file, in row groups of a fair size; the number of rows."""
    rows = held_bytes = 0
    held: list[pa.Table] = []
    with open_writer(target, schema) as writer:
        for table in tables:
            rows += table.num_rows
            held.append(table)
            held_bytes += table.nbytes
            if held_bytes > ROW_GROUP_BYTES:
                writer.write_table(pa.concat_tables(held))
                held, held_bytes = [], 0
        if held:
            writer.write_table(pa.concat_tables(held))
    return rows


def conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table in another revision of its schema: columns by name, missing ones null, types cast."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
