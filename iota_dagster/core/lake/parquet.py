"""The lake's Parquet files: the one place for how they are written, read and held against their hash.

Every page is written with its checksum, and every reader checks it: without that, Arrow takes a page with flipped
bytes for rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from iota_dagster.core.errors import LakeFileDamaged, Outage
from iota_dagster.core.storage import Storage

COMPRESSION_LEVEL = 1
"""The first level: within 10 % of the size of level 3 on CloudTrail, at 60 % of its time."""
_PIECE = 1 << 20
_NO_CONTENT = ("[errno ", "aws error")  # an error of the operating system or of S3, as Arrow words it


def open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """A writer of a lake file."""
    return pq.ParquetWriter(
        path, schema, compression="zstd", compression_level=COMPRESSION_LEVEL, write_page_checksum=True
    )


@dataclass(frozen=True, slots=True)
class LakeReader:
    """An open file of the lake. Of `columns`, those it has are read. Raises `LakeFileDamaged` and `Outage`."""

    storage: Storage
    path: str
    parquet: pq.ParquetFile

    @property
    def schema(self) -> pa.Schema:
        """The columns that this file has."""
        with reading(self.storage, self.path):
            return self.parquet.schema_arrow

    def row_groups(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows, a row group at a time."""
        wanted = self._present(columns)
        for index in range(self.parquet.num_row_groups):
            with reading(self.storage, self.path):
                group = self.parquet.read_row_group(index, wanted)
            yield group

    def row_group(self, index: int) -> pa.Table:
        """All columns of one row group."""
        with reading(self.storage, self.path):
            return self.parquet.read_row_group(index)

    def batches(self, rows: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in pieces of at most so many `rows`."""
        with reading(self.storage, self.path):
            pieces = self.parquet.iter_batches(rows, columns=self._present(columns))
        while True:
            with reading(self.storage, self.path):
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def _present(self, columns: Sequence[str] | None) -> list[str] | None:
        return None if columns is None else [name for name in columns if name in self.schema.names]


@contextmanager
def open_reader(storage: Storage, path: str) -> Iterator[LakeReader]:
    """Open a file of the lake. Raises `LakeFileDamaged` and `Outage`."""
    filesystem, root = storage.arrow()
    with reading(storage, path):
        parquet = pq.ParquetFile(f"{root}/{path}", filesystem=filesystem, page_checksum_verification=True)
    with parquet:
        yield LakeReader(storage, path, parquet)


@contextmanager
def reading(storage: Storage, path: str) -> Iterator[None]:
    """What Arrow raises where a lake file is read, as `LakeFileDamaged` (missing, too) or `Outage`."""
    try:
        yield
    except FileNotFoundError as error:
        if storage.exists(path):  # which is an `Outage` where the whole lake is gone
            raise Outage(f"the lake did not answer: {path}: {error}") from error
        raise LakeFileDamaged(path, "missing") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: a name that is no text
        if is_damage(str(error)):
            raise LakeFileDamaged(path, f"damaged: {error}") from error
        raise Outage(f"the lake did not answer: {path}: {error}") from error


def is_damage(text: str) -> bool:
    """Whether the text of an error that Arrow raises as it reads a file blames the file's bytes.

    For what is wrong with them (thrift, compression, checksums, …) Arrow has no class of its own and dozens of texts.
    Where the disk or S3 failed, it always says so.
    """
    return not any(outside in text.lower() for outside in _NO_CONTENT)


def file_hash(storage: Storage, path: str) -> tuple[str, int]:
    """SHA-256, in hex, and size of a lake file as it lies there. Raises as `reading` does."""
    filesystem, root = storage.arrow()
    digest, size = hashlib.sha256(), 0
    with reading(storage, path), filesystem.open_input_stream(f"{root}/{path}") as stream:
        while piece := stream.read(_PIECE):
            digest.update(piece)
            size += len(piece)
    return digest.hexdigest(), size


def require_whole(storage: Storage, path: str, sha256: str, size: int) -> None:
    """Hold all bytes of a lake file against the hash it was published with; `LakeFileDamaged` when they differ.

    Pages have checksums of their own, a footer has none: a bit flipped in a column's name makes Arrow read nulls. So
    whoever makes another file of this one, with a hash of its own, asks first.
    """
    digest, found = file_hash(storage, path)
    if digest != sha256:
        raise LakeFileDamaged(path, f"damaged: {found} bytes of {size}, with another hash")
