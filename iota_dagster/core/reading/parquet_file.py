"""A Parquet file opened with mistrust: what its row groups would ask of memory is known before Arrow reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from iota_dagster.core.reading.chunk import Problem
from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.reading.parquet_footer import BYTE_ARRAY, Extent, Footer, Leaf, RowGroup
from iota_dagster.core.reading.parquet_pages import DELTA_BYTE_ARRAY, DICTIONARY_PAGE, Page, pages

PARQUET_MARK = b"PAR1"
_FOOTER_END = 8  # its length, and the mark again
_MOST_FOOTER_BYTES = 4 << 20
_MOST_COLUMNS = 4096
_MOST_PAGES = 1 << 20  # of an object: an empty one is stored in 13 bytes
_MOST_DETAIL = 500
_BATCH_ROWS = 2048
_BUFFER_BYTES = 64 << 10
_HELD = 64  # times `record_bytes` is what one row group may hold in memory
_IN_BATCH = 16  # times `record_bytes` is what one batch may


class _Refused(ValueError):
    reason = "too_large"


class _NotParquet(_Refused):
    reason = "not_parquet"


class _Source:
    """The stream as Arrow takes it; Arrow's own complaints are `OSError` too, so `error` keeps the stream's."""

    closed = False

    def __init__(self, stream: BinaryIO) -> None:
        self.error: OSError | None = None
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            self.error = error
            raise

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a row group is read in bounded memory: so many rows at a time, these columns as dictionaries."""

    batch_rows: int
    dictionaries: tuple[str, ...]


class ParquetObject:
    """The row groups of a seekable stream. All of it raises whatever Arrow raises: `problem` says what that means."""

    def __init__(self, stream: BinaryIO, size: int, limits: DecodeLimits) -> None:
        """`size` is the stream's."""
        self._source = _Source(stream)
        self._size = size
        self._limits = limits
        self._leaves: list[Leaf] = []
        self._file: tuple[tuple[str, ...], Any] | None = None
        self._pages = 0

    def problem(self, error: Exception) -> Problem:
        """The damage that an exception tells of; raises the stream's own errors and `MemoryError`."""
        if self._source.error:
            raise self._source.error
        if isinstance(error, MemoryError):
            raise error
        reason = error.reason if isinstance(error, _Refused) else "corrupt_parquet"
        return reason, (str(error) or type(error).__name__)[:_MOST_DETAIL]

    def row_groups(self) -> Iterator[RowGroup]:
        """The row groups in the footer's order; together they hold no more bytes than the file."""
        footer = Footer(self._read_footer(), self._limits.nesting, _MOST_COLUMNS)
        self._leaves = footer.leaves
        if len(self._leaves) > _MOST_COLUMNS:
            raise _Refused(f"more than {_MOST_COLUMNS} columns")
        claimed = 0
        for group in footer.row_groups():
            claimed += sum(max(0, extent.size) for extent in group.extents)
            if claimed > self._size:
                raise ValueError(f"row groups overlap: up to number {group.number} they name {claimed} bytes")
            yield group

    def batches(self, group: RowGroup) -> Iterator[pa.RecordBatch]:
        """The rows of a row group, in pieces of bounded size."""
        plan = self._plan(group)
        if self._file is None or self._file[0] != plan.dictionaries:
            known = self._file and self._file[1].metadata
            self._file = plan.dictionaries, self._open(plan.dictionaries, known)
        yield from self._file[1].iter_batches(plan.batch_rows, [group.number], use_threads=False)

    def _open(self, dictionaries: tuple[str, ...], metadata: Any) -> Any:
        return pq.ParquetFile(
            self._source,
            metadata=metadata,
            read_dictionary=list(dictionaries),
            buffer_size=_BUFFER_BYTES,
            pre_buffer=False,
            thrift_string_size_limit=_MOST_FOOTER_BYTES,
            thrift_container_size_limit=_MOST_FOOTER_BYTES,
            schema_depth_limit=self._limits.nesting,
            arrow_extensions_enabled=False,
        )

    def _read_footer(self) -> bytes:
        self._source.seek(max(0, self._size - _FOOTER_END))
        end = self._source.read(_FOOTER_END)
        if len(end) < _FOOTER_END or not end.endswith(PARQUET_MARK):
            raise _NotParquet("begins as Parquet does but does not end so: cut off, or no Parquet")
        if (size := int.from_bytes(end[:4], "little")) > _MOST_FOOTER_BYTES:
            raise _Refused(f"a footer of {size} bytes, more than {_MOST_FOOTER_BYTES}")
        self._source.seek(max(0, self._size - _FOOTER_END - size))
        return self._source.read(size)

    def _plan(self, group: RowGroup) -> _Plan:
        needs = [
            self._needs(leaf, extent, group.rows) for leaf, extent in zip(self._leaves, group.extents, strict=True)
        ]
        held, most = sum(need.held for need in needs), _HELD * self._limits.record_bytes
        if held > most:
            raise _Refused(f"its pages need {held} bytes at a time, more than {most}")
        batch_rows = _IN_BATCH * self._limits.record_bytes // max(1, sum(need.width for need in needs))
        shared = (leaf.path for leaf, need in zip(self._leaves, needs, strict=True) if need.shared)
        return _Plan(max(1, min(_BATCH_ROWS, batch_rows)), tuple(shared))

    def _needs(self, leaf: Leaf, extent: Extent, rows: int) -> _Needs:
        if min(extent.start, extent.size) < 0 or extent.start + extent.size > self._size:
            raise ValueError(f"column {leaf.path} lies outside the file")
        return _needs(leaf, self._counted(pages(self._source, extent.start, extent.size)), rows)

    def _counted(self, found: Iterator[Page]) -> Iterator[Page]:
        for page in found:
            self._pages += 1
            if self._pages > _MOST_PAGES:
                raise _Refused(f"more than {_MOST_PAGES} pages")
            yield page


@dataclass(frozen=True, slots=True)
class _Needs:
    """What reading a column takes: `held` bytes for its pages, about `width` for each row besides.

    `shared`: read as a dictionary, so that a text which many rows share is there once.
    """

    held: int
    width: int
    shared: bool


def _needs(leaf: Leaf, found: Iterable[Page], rows: int) -> _Needs:
    """The needs of a column with these pages; outside of lists they must hold a value for each row."""
    dictionary = values = largest = widest = 0
    for page in found:
        if page.kind == DICTIONARY_PAGE:
            dictionary = max(dictionary, page.size)
        else:
            values += page.values
            largest, widest = max(largest, page.size), max(widest, _width(page))
    varying = dictionary if leaf.kind == BYTE_ARRAY else 0
    shared = varying > 0 and not leaf.decimal
    width = max(leaf.length, 0 if shared else varying, widest, 1)
    held = dictionary + 2 * largest
    if leaf.in_list:
        return _Needs(held + values * max(width, 8), 1, shared)
    if values != rows:
        raise ValueError(f"column {leaf.path} has {values} values in {rows} rows")
    return _Needs(held, width, shared)


def _width(page: Page) -> int:
    if page.encoding == DELTA_BYTE_ARRAY:
        return page.size  # a value may repeat all that its neighbour begins with
    return page.size // max(1, page.values)
