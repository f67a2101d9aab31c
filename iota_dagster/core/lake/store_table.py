"""A table of the store as a query over the lake sees it: its columns in Arrow, its rows in portions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from iota_dagster.core.store.schema import Json, UtcDateTime

PORTION = 5_000
"""Rows that are Python objects at a time, of some 5 KB each."""


def arrow_schema(table: sa.Table) -> pa.Schema:
    """The table's columns; structures are JSON text, as in the lake."""
    return pa.schema([pa.field(column.name, _arrow_type(column.type)) for column in table.columns])


def portions(connection: sa.Connection, table: sa.Table) -> Iterator[pa.Table]:
    """All rows, at most `PORTION` at a time."""
    schema = arrow_schema(table)
    documents = [column.name for column in table.columns if isinstance(column.type, Json)]
    found = connection.execution_options(yield_per=PORTION).execute(sa.select(table))
    for portion in found.mappings().partitions():
        rows = [dict(row) for row in portion]
        for row in rows:
            row.update({name: None if row[name] is None else json.dumps(row[name]) for name in documents})
        yield pa.Table.from_pylist(rows, schema=schema)


def _arrow_type(kind: sa.types.TypeEngine[Any]) -> pa.DataType:
    if isinstance(kind, UtcDateTime):
        return pa.timestamp("us", tz="UTC")
    if isinstance(kind, sa.Boolean):
        return pa.bool_()
    return pa.int64() if isinstance(kind, sa.Integer) else pa.string()
