"""The rows of a Parquet object as JSON records, a row group after the other in bounded memory.

A record is the row's JSON text (see `parquet_values`): keys in the file's order, nulls left out. The stored bytes are
the content; a gzipped file, or one that cannot be sought in, goes through a temporary file of at most
`DecodeLimits.compressed_bytes`.

Reasons of damage: `record_too_large`, `invalid_utf8` (one row); `corrupt_parquet`, `too_large` (what is left of a row
group, or of the file); `not_parquet`, `truncated`, `corrupt_gzip` (the file); `trailing_bytes` (after gzip).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

import pyarrow as pa

from iota_dagster.core.reading.chunk import Chunk, Findings, Problem
from iota_dagster.core.reading.content import SAMPLE_BYTES, DecodeLimits, Fault, Window
from iota_dagster.core.reading.parquet_file import PARQUET_MARK, ParquetObject
from iota_dagster.core.reading.parquet_footer import RowGroup
from iota_dagster.core.reading.parquet_values import InvalidText, encode, row_sizes, rows, show, spans
from iota_dagster.core.reading.verdict import INVALID_UTF8, too_large

__all__ = ["PARQUET_MARK", "ParquetRecords"]

_ROW_BYTES = 64  # what a row counts at least, lest empty ones go on for ever


class ParquetRecords:
    """The rows as records; see `chunk.RecordReader`. A row's byte offset is that of its row group."""

    def __init__(self, stream: BinaryIO, window: Window, limits: DecodeLimits, window_bytes: int) -> None:
        """`window` has looked at the beginning of `stream`."""
        self.records = 0
        self._stream = stream
        self._window = window
        self._content = window.content
        self._limits = limits
        self._window_bytes = window_bytes
        self._beginning = window.data[:SAMPLE_BYTES]
        self._produced = 0
        self._spool_full = False

    @property
    def content_bytes(self) -> int:
        """The size of the Parquet file, final when the first chunk comes."""
        return self._content.size

    @property
    def content_sha256(self) -> str:
        """The hex digest of the Parquet file, final when the first chunk comes."""
        return self._content.sha256

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in file order."""
        with self._whole() as file:
            fault = self._content.fault
            if self._spool_full:
                detail = f"a Parquet file of more than {self._limits.compressed_bytes} bytes inside gzip"
                yield self._damage(0, ("too_large", detail), self._beginning, self.content_bytes)
            elif fault and fault.reason != "trailing_bytes":
                yield self._damage(0, (fault.reason, fault.detail), self._beginning, self.content_bytes)
            else:
                yield from self._file(file)
                yield from self._trailing(fault)

    @contextmanager
    def _whole(self) -> Iterator[BinaryIO]:
        """The plain file to seek in, after all of it was hashed."""
        if self._stream.seekable() and not self._content.layers:
            for _ in self._window.drain():
                pass
            yield self._stream
            return
        with tempfile.TemporaryFile() as file:
            written = 0
            for block in self._window.drain():
                written += len(block)
                self._spool_full = written > self._limits.compressed_bytes
                if not self._spool_full:
                    file.write(block)
            yield cast(BinaryIO, file)

    def _file(self, file: BinaryIO) -> Iterator[Chunk]:
        parquet = ParquetObject(file, self.content_bytes, self._limits)
        offset = 0
        try:
            for group in parquet.row_groups():
                offset = max(offset, group.offset)
                yield from self._group(parquet, group, offset)
                if passed := self._passed():
                    yield self._damage(offset, ("too_large", f"row group {group.number}: {passed}"), b"", 0)
                    return
        except Exception as error:
            size = self.content_bytes - offset
            yield self._damage(offset, parquet.problem(error), b"" if offset else self._beginning, size)

    def _group(self, parquet: ParquetObject, group: RowGroup, offset: int) -> Iterator[Chunk]:
        """The rows of a row group; one that breaks is not the end of the others."""
        try:
            for batch in parquet.batches(group):
                for start, stop in spans(row_sizes(batch), self._window_bytes):
                    if self._passed():
                        return
                    yield self._chunk(batch.slice(start, stop - start), offset)
        except Exception as error:
            reason, detail = parquet.problem(error)
            yield self._damage(offset, (reason, f"row group {group.number}: {detail}"), b"", group.size)

    def _passed(self) -> str:
        return self._limits.passed(self._produced, self.content_bytes)

    def _chunk(self, batch: pa.RecordBatch, offset: int) -> Chunk:
        if batch.num_rows == 1 and (size := int(row_sizes(batch)[0])) > self._limits.record_bytes:
            self._produced += _ROW_BYTES
            return self._damage(offset, too_large(size, self._limits), b"", size)
        values = rows(batch)
        try:
            records = list(map(encode, values))
        except InvalidText:
            return self._one_by_one(values, offset)
        size = sum(map(len, records))
        if size > self._limits.record_bytes:
            return self._one_by_one(values, offset)
        first, count = self.records, len(records)
        self.records += count
        self._produced += size + count * _ROW_BYTES
        return Chunk(first, records, range(first, first + count), [], _offsets=[offset] * count)

    def _one_by_one(self, values: list[dict[str, Any]], offset: int) -> Chunk:
        found = Findings(self.records)
        for row in values:
            try:
                record = encode(row)
            except InvalidText:
                text = show(row)
                found.add_damage(offset, INVALID_UTF8, text[: self._limits.record_bytes], len(text))
            else:
                self._add(found, record, offset)
            self._produced += _ROW_BYTES
        self._produced += found.size
        self.records = found.next_ordinal
        return found.chunk()

    def _add(self, found: Findings, record: bytes, offset: int) -> None:
        if len(record) <= self._limits.record_bytes:
            found.add(record, offset)
        else:
            found.add_damage(offset, too_large(len(record), self._limits), record[:SAMPLE_BYTES], len(record))

    def _trailing(self, fault: Fault | None) -> Iterator[Chunk]:
        if fault:
            yield self._damage(self.content_bytes, (fault.reason, fault.detail), fault.data, fault.size)

    def _damage(self, offset: int, problem: Problem, data: bytes, size: int) -> Chunk:
        found = Findings(self.records)
        found.add_damage(offset, problem, data, size)
        self.records = found.next_ordinal
        return found.chunk()
