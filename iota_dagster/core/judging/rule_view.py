"""How rules see an event: a JSON object, as the vendor wrote it.

The record of a log type whose records are JSON objects is that object. A line of text has no fields of its own, so
rules see its typed columns, by their names, and nothing where a column is null.
"""

from __future__ import annotations

from typing import cast

import msgspec
import pyarrow as pa

from iota_dagster.core.sources.base import Shape, Source

_encode = msgspec.json.Encoder().encode


def columns_of(source: Source) -> tuple[str, ...]:
    """The columns that `raw_shaped` needs beside `p_raw`."""
    return tuple(source.columns.names) if source.shape is Shape.LINE else ()


def raw_shaped(rows: pa.RecordBatch, source: Source) -> list[bytes]:
    """The events of some rows, each a JSON object."""
    if source.shape is Shape.JSON:
        return cast("list[bytes]", rows.column("p_raw").cast(pa.binary()).to_pylist())
    events = rows.select(list(columns_of(source))).to_pylist()
    return [_encode({name: value for name, value in event.items() if value is not None}) for event in events]
