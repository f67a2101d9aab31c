"""An hour's files, read once: whether they are whole, their columns and nulls, their rows by batch, their identities.

Nothing here depends on the size of an hour but eight bytes for each of at most `HASHES` rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from iota_dagster.core.lake.parquet import LakeReader, open_reader
from iota_dagster.core.quality.suite import Suite, type_name
from iota_dagster.core.storage import Storage
from iota_dagster.core.store.lake_catalog import LakeFile

ROWS_AT_ONCE = 65_536
HASHES = 8_000_000
"""Identities that are compared at once; a larger hour is read in as many turns as it takes."""
WHOLE = "whole"
_BATCH = "p_batch"

Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class FileRead:
    """What one file holds: `nulls` of the required columns as its footer counts them, `hashes` of its identities.

    `is_readable` says whether every column that rows are judged by has its declared type.
    """

    file: LakeFile
    rows: int
    types: dict[str, str]
    nulls: dict[str, int]
    batches: Counter[str]
    hashes: Hashes
    is_readable: bool


@dataclass(frozen=True, slots=True)
class FileReader:
    """Reads files of the lake. All methods raise `LakeFileDamaged` and `Outage`."""

    storage: Storage

    def read(self, file: LakeFile, suite: Suite, turn: int, turns: int) -> FileRead:
        """One file, with the hashes of one of `turns` shares of its identities."""
        with open_reader(self.storage, file.path) as reader:
            return _read(file, reader, suite, turn, turns)

    def batches(self, file: LakeFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of a file, in pieces."""
        with open_reader(self.storage, file.path) as reader:
            yield from reader.batches(ROWS_AT_ONCE, columns)


def hashes_of(column: pa.Array) -> Hashes:
    """64 bits of each text; a null counts as an empty one."""
    texts = (text.encode() if isinstance(text, str) else b"" for text in column.to_pylist())
    return np.fromiter(map(xxhash.xxh3_64_intdigest, texts), np.uint64, len(column))


def doubled(reads: Sequence[FileRead]) -> Hashes:
    """The hashes that occur more than once over some files."""
    joined = np.sort(np.concatenate([item.hashes for item in reads])) if reads else np.empty(0, np.uint64)
    return np.unique(joined[1:][joined[1:] == joined[:-1]])


def _read(file: LakeFile, reader: LakeReader, suite: Suite, turn: int, turns: int) -> FileRead:
    schema, parquet = reader.schema, reader.parquet
    types = {name: type_name(schema.field(name).type) for name in schema.names}
    is_readable = all(types.get(name) == type_name(suite.schema.field(name).type) for name in suite.columns)
    wanted = [name for name in (_BATCH, *suite.columns) if name in types]
    batches, hashes = Counter[str](), [np.empty(0, np.uint64)]
    for rows in reader.batches(ROWS_AT_ONCE, wanted):
        if _BATCH in wanted:
            batches.update(_counts(rows.column(_BATCH)))
        if is_readable:
            found = hashes_of(rows.column(suite.identity))
            hashes.append(found[found % turns == turn])
    nulls = _nulls(parquet, suite.required)
    return FileRead(file, parquet.metadata.num_rows, types, nulls, batches, np.concatenate(hashes), is_readable)


def _counts(column: pa.Array) -> dict[str, int]:
    return {str(item["values"]): item["counts"] for item in column.value_counts().to_pylist()}


def _nulls(parquet: pq.ParquetFile, names: Sequence[str]) -> dict[str, int]:
    """Nulls by column, of those columns whose footer counts them."""
    found: dict[str, int] = {}
    places = {parquet.schema.column(index).path: index for index in range(len(parquet.schema))}
    for name in names:
        if name in places:
            groups = [parquet.metadata.row_group(g).column(places[name]) for g in range(parquet.num_row_groups)]
            counted = [item.statistics for item in groups if item.statistics and item.statistics.has_null_count]
            found[name] = sum(item.null_count for item in counted)
    return found
