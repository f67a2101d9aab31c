"""The records inside vendors' wrappers, in the place of the wrappers and with ordinals of their own."""

from __future__ import annotations

from collections.abc import Iterator

from iota_dagster.core.reading.chunk import Chunk, Damage, Findings, Problem, RecordReader
from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.reading.wrappers import Inner, Wrapper, candidates, inner_candidates, open_wrapper

_MOST_WRAPPERS = 4
"""How many wrappers are seen through; what is inside the last is a record whatever it looks like."""


class Unwrapped:
    """A reader around another one, see `chunk.RecordReader`.

    Every ordinal is counted anew; the byte offset of what was inside a wrapper is that of the wrapper. A wrapper whose
    content is not what it must be gives a damage in its place. `header` goes with the chunks that have none.
    """

    def __init__(
        self, reader: RecordReader, limits: DecodeLimits, window_bytes: int, *, header: bytes | None = None
    ) -> None:
        """Nothing is read before the iteration."""
        self.records = 0
        self._reader = reader
        self._limits = limits
        self._window_bytes = window_bytes
        self._header = header

    @property
    def content_bytes(self) -> int:
        """The size of the plain content read so far."""
        return self._reader.content_bytes

    @property
    def content_sha256(self) -> str:
        """The hex digest of the plain content read so far."""
        return self._reader.content_sha256

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in file order."""
        for chunk in self._reader:
            chunk.header = chunk.header or self._header
            kinds = candidates(chunk)
            if kinds:
                yield from self._seen_through(chunk, kinds)
                continue
            chunk = chunk.renumbered(self.records)
            self.records += len(chunk.records) + len(chunk.damages)
            yield chunk

    def _seen_through(self, chunk: Chunk, kinds: tuple[Wrapper, ...]) -> Iterator[Chunk]:
        found = Findings(self.records, header=chunk.header)
        for value, problem, offset, size in self._values(chunk, kinds):
            if problem:
                found.add_damage(offset, problem, value, size)
            else:
                found.add(value, offset)
            if found.full(self._window_bytes):
                self.records = found.next_ordinal
                yield found.chunk()
                found = Findings(self.records, header=chunk.header)
        if found:
            self.records = found.next_ordinal
            yield found.chunk()

    def _values(self, chunk: Chunk, kinds: tuple[Wrapper, ...]) -> Iterator[tuple[bytes, Problem | None, int, int]]:
        """Every value of the chunk with its problem, offset and size."""
        for item in chunk.in_order():
            if isinstance(item, Damage):
                yield item.data, (item.reason, item.detail), item.byte_offset, item.size
                continue
            record, offset = item
            for value, problem in self._inside(record, kinds, _MOST_WRAPPERS):
                yield value, problem, offset, len(value)

    def _inside(self, record: bytes, kinds: tuple[Wrapper, ...], depth: int) -> Inner:
        inner = open_wrapper(record, kinds, self._limits) if depth and kinds else None
        if inner is None:
            yield record, None
            return
        for value, problem in inner:
            if problem:
                yield value, problem
            else:
                yield from self._inside(value, inner_candidates(value), depth - 1)
