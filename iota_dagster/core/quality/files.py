"""An hour's files, read once: whether they are whole, their columns and nulls, their rows by batch, their identities.

Nothing here depends on the size of an hour but eight bytes for each of at most `HASHES` rows.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray

from iota_dagster.core.errors import Outage
from iota_dagster.core.quality.suite import Suite, type_name
from iota_dagster.core.storage import Storage
from iota_dagster.core.store.lake_catalog import LakeFile

ROWS_AT_ONCE = 65_536
HASHES = 8_000_000
"""Identities that are compared at once; a larger hour is read in as many turns as it takes."""
WHOLE = "whole"
_BATCH = "p_batch"

Hashes = NDArray[np.uint64]


class Damaged(Exception):
    """A file is not what was published; the text says why."""


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
    """Reads files of the lake; `scratch` is for those that have to be compared byte by byte."""

    storage: Storage
    scratch: Path

    def read(self, file: LakeFile, suite: Suite, turn: int, turns: int) -> FileRead:
        """One file, with the hashes of one of `turns` shares of its identities. Raises `Damaged` and `Outage`."""
        try:
            with self._open(file) as parquet:
                return _read(file, parquet, suite, turn, turns)
        except (OSError, pa.ArrowException) as error:
            raise self._why(file, error) from error

    def batches(self, file: LakeFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of a file, in pieces. Raises `Damaged` and `Outage`."""
        try:
            with self._open(file) as parquet:
                yield from parquet.iter_batches(ROWS_AT_ONCE, columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise self._why(file, error) from error

    def _open(self, file: LakeFile) -> pq.ParquetFile:
        filesystem, root = self.storage.arrow()
        return pq.ParquetFile(f"{root}/{file.path}", filesystem=filesystem)

    def _why(self, file: LakeFile, error: Exception) -> Damaged | Outage:
        """Whether the file or the storage is to blame: the file's own bytes tell."""
        self.scratch.mkdir(parents=True, exist_ok=True)
        copy = self.scratch / f"quality-{uuid.uuid4().hex}"
        try:
            self.storage.download(file.path, copy)
            with copy.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = copy.stat().st_size
        except FileNotFoundError:
            return Damaged("missing")
        finally:
            copy.unlink(missing_ok=True)
        if digest == file.sha256:
            return Outage(f"the lake did not answer: {error}")
        return Damaged(f"damaged: {size} bytes of {file.bytes}, with another hash")


def hashes_of(column: pa.Array) -> Hashes:
    """64 bits of each text; a null counts as an empty one."""
    texts = (text.encode() if isinstance(text, str) else b"" for text in column.to_pylist())
    return np.fromiter(map(xxhash.xxh3_64_intdigest, texts), np.uint64, len(column))


def doubled(reads: Sequence[FileRead]) -> Hashes:
    """The hashes that occur more than once over some files."""
    joined = np.sort(np.concatenate([item.hashes for item in reads])) if reads else np.empty(0, np.uint64)
    return np.unique(joined[1:][joined[1:] == joined[:-1]])


def _read(file: LakeFile, parquet: pq.ParquetFile, suite: Suite, turn: int, turns: int) -> FileRead:
    schema = parquet.schema_arrow
    types = {name: type_name(schema.field(name).type) for name in schema.names}
    is_readable = all(types.get(name) == type_name(suite.schema.field(name).type) for name in suite.columns)
    wanted = [name for name in (_BATCH, *suite.columns) if name in types]  # all of them: what is damaged shows now
    batches, hashes = Counter[str](), [np.empty(0, np.uint64)]
    for rows in parquet.iter_batches(ROWS_AT_ONCE, columns=wanted):
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
