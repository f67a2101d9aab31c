"""What the decoder hands on: neighbouring records and damages, each with its ordinal and its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

MOST_FINDINGS = 4096


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of content that is no record. `data` is all of it, or its beginning where `size` says more."""

    ordinal: int
    byte_offset: int  # in the plain content
    reason: str
    detail: str
    data: bytes
    size: int


@dataclass(slots=True)
class Chunk:
    """Neighbouring records and damages; `records[n]` has the ordinal `ordinals[n]` (a `range` in a run)."""

    first_ordinal: int
    records: list[bytes]
    ordinals: Sequence[int]
    damages: list[Damage]
    _text: bytes = b""
    _text_offset: int = 0
    _offsets: list[int] | None = None

    def offset(self, index: int) -> int:
        """The byte offset of `records[index]` in the plain content; worked out when first asked for."""
        if self._offsets is None:
            self._offsets = list(self._find_offsets())
        return self._offsets[index]

    def _find_offsets(self) -> Iterator[int]:
        end = 0
        for record in self.records:  # between whole records there is no brace
            start = self._text.index(b"{", end)
            end = start + len(record)
            yield self._text_offset + start


@dataclass(slots=True)
class Findings:
    """A chunk in the making, one find at a time."""

    first_ordinal: int
    records: list[bytes] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    size: int = 0  # in bytes

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.records or self.damages)

    def full(self, window_bytes: int) -> bool:
        """Whether it is time to hand them on, lest tiny or large values fill the memory."""
        return len(self.records) + len(self.damages) >= MOST_FINDINGS or self.size >= window_bytes

    def chunk(self) -> Chunk:
        """What was found, as a chunk."""
        return Chunk(self.first_ordinal, self.records, self.ordinals, self.damages, _offsets=self.offsets)
