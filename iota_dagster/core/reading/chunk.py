"""What the decoder hands on: neighbouring records and damages, each with its ordinal and its place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

MOST_FINDINGS = 4096

Problem = tuple[str, str]
"""Why something is no record: the reason, one word for all such, and the detail."""


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
    """Neighbouring records and damages; `records[n]` has the ordinal `ordinals[n]` (a `range` in a run).

    `header` is the line that names the fields of these records, where one is in force. `objects` says whether any of
    the records can be a JSON object.
    """

    first_ordinal: int
    records: list[bytes]
    ordinals: Sequence[int]
    damages: list[Damage]
    _text: bytes = b""
    _text_offset: int = 0
    _offsets: list[int] | None = None
    header: bytes | None = None
    objects: bool = True

    def offset(self, index: int) -> int:
        """The byte offset of `records[index]` in the plain content; worked out when first asked for."""
        if self._offsets is None:
            self._offsets = list(self._find_offsets())
        return self._offsets[index]

    def _find_offsets(self) -> Iterator[int]:
        end = 0
        for record in self.records:  # what stands between them begins no record
            start = self._text.index(record, end)
            end = start + len(record)
            yield self._text_offset + start

    def may_hold(self, mark: bytes) -> bool:
        """Whether any record contains `mark`; in doubt it may."""
        return mark in self._text if self._text else any(mark in record for record in self.records)

    def in_order(self) -> Iterator[tuple[bytes, int] | Damage]:
        """Its records, each with its byte offset, and its damages by their ordinals."""
        damages = iter(self.damages)
        damage = next(damages, None)
        for index, ordinal in enumerate(self.ordinals):
            while damage and damage.ordinal < ordinal:
                yield damage
                damage = next(damages, None)
            yield self.records[index], self.offset(index)
        while damage:
            yield damage
            damage = next(damages, None)

    def renumbered(self, first_ordinal: int) -> Chunk:
        """The same with other ordinals, the first one given."""
        shift = first_ordinal - self.first_ordinal
        if not shift:
            return self
        damages = [replace(damage, ordinal=damage.ordinal + shift) for damage in self.damages]
        ordinals: Sequence[int] = [ordinal + shift for ordinal in self.ordinals]
        if isinstance(self.ordinals, range):
            ordinals = range(self.ordinals.start + shift, self.ordinals.stop + shift)
        return replace(self, first_ordinal=first_ordinal, ordinals=ordinals, damages=damages)


class RecordReader(Protocol):
    """Iterates the chunks of one object, once.

    Content never raises; only `OSError` does, of the stream or of a temporary file.
    """

    @property
    def records(self) -> int:
        """How many ordinals were given, to records and damages; final after the end, as the others are."""
        ...

    @property
    def content_bytes(self) -> int:
        """The size of the plain content."""
        ...

    @property
    def content_sha256(self) -> str:
        """The hex digest of the plain content."""
        ...

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in file order: their ordinals are 0 to `records` - 1, each once."""
        ...


@dataclass(slots=True)
class Findings:
    """A chunk in the making, one find at a time."""

    first_ordinal: int
    records: list[bytes] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    size: int = 0  # in bytes
    header: bytes | None = None

    def __bool__(self) -> bool:
        """Whether anything was found."""
        return bool(self.records or self.damages)

    @property
    def next_ordinal(self) -> int:
        """The ordinal of the next find."""
        return self.first_ordinal + len(self.records) + len(self.damages)

    def add(self, record: bytes, offset: int) -> None:
        """A record, with its byte offset."""
        self.ordinals.append(self.next_ordinal)
        self.records.append(record)
        self.offsets.append(offset)
        self.size += len(record)

    def add_damage(self, offset: int, problem: Problem, data: bytes, size: int) -> None:
        """What is no record: `data` is its beginning, or all its `size` bytes."""
        self.damages.append(Damage(self.next_ordinal, offset, *problem, data, size))
        self.size += len(data)

    def full(self, window_bytes: int) -> bool:
        """Whether it is time to hand them on, lest tiny or large values fill the memory."""
        return len(self.records) + len(self.damages) >= MOST_FINDINGS or self.size >= window_bytes

    def chunk(self) -> Chunk:
        """What was found, as a chunk."""
        return Chunk(
            self.first_ordinal,
            self.records,
            self.ordinals,
            self.damages,
            _offsets=self.offsets,
            header=self.header,
        )
