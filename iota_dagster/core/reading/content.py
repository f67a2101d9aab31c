"""The plain bytes of a log object: gunzipped by content, hashed, counted, within limits.

Gzip is known by its first two bytes, whatever the object's name says; members may be concatenated and the whole may be
gzipped twice. Whatever ends the bytes early is a `Fault`, never an exception: what came before it is still delivered.
"""

from __future__ import annotations

import contextlib
import hashlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, cast

from isal import igzip_lib

_IsalError = cast(type[Exception], igzip_lib.IsalError)  # its stub declares an instance
_MAGIC = b"\x1f\x8b"
_LAYERS = 2
_READ_BYTES = 64 << 10
_STEP_BYTES = 128 << 10
_SHORT_BYTES = 1 << 10  # behind a member's end: the next may be as short, and copies all it is given
_SALVAGE_BYTES = 8 << 20  # compressed bytes of a member kept for `_Member._salvage`
_SALVAGE_STEP = 4 << 10
_RATIO_FROM = 64 << 20  # short objects may compress as well as they like
SAMPLE_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """How much one object may ask of us.

    `compressed_bytes` are counted as stored, `decompressed_bytes` after every layer of gzip. `ratio` is output to
    stored bytes, judged above 64 MiB of output: one layer of gzip cannot pass 1032, so 2000 stops only gzip bombs in
    gzip. `record_bytes` and `nesting` bound one record.
    """

    compressed_bytes: int = 1 << 30
    decompressed_bytes: int = 16 << 30
    ratio: int = 2000
    record_bytes: int = 4 << 20
    nesting: int = 100

    def passed(self, produced: int, stored: int) -> str:
        """Which limit an output of `produced` bytes passes, where `stored` were read for it; empty if none."""
        if produced > self.decompressed_bytes:
            return f"more than {self.decompressed_bytes} bytes decompressed"
        if produced > _RATIO_FROM and produced > self.ratio * stored:
            return f"more than {self.ratio} bytes decompressed for each one stored"
        return ""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why the plain bytes end where they end: `truncated`, `corrupt_gzip`, `too_large` or `trailing_bytes`.

    After `trailing_bytes` the content itself is whole; `data` is the beginning of what follows it, `size` its length.
    """

    reason: str
    detail: str
    data: bytes = b""
    size: int = 0


class Content:
    """Iterates the plain bytes of a stream in blocks; `size`, `sha256` and `fault` are final after the end."""

    def __init__(self, stream: BinaryIO, limits: DecodeLimits) -> None:
        """Nothing is read before the iteration."""
        self.size = 0
        self.fault: Fault | None = None
        self.layers = 0  # of gzip, known with the first block
        self._stream = stream
        self._limits = limits
        self._stored = 0
        self._hash = hashlib.sha256()

    @property
    def sha256(self) -> str:
        """The hex digest of all plain bytes delivered so far."""
        return self._hash.hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        """The blocks, some 64 KiB each."""
        blocks = _Blocks(self._read())
        for _ in range(_LAYERS):
            if blocks.peek(len(_MAGIC))[:2] != _MAGIC:
                break
            self.layers += 1
            blocks = _Blocks(self._inflate(blocks))
        for block in blocks:
            self.size += len(block)
            self._hash.update(block)
            yield block

    def _read(self) -> Iterator[bytes]:
        while block := self._stream.read(_READ_BYTES):
            self._stored += len(block)
            if self._stored > self._limits.compressed_bytes:
                self._fail(Fault("too_large", f"more than {self._limits.compressed_bytes} bytes as stored"))
                return
            yield block

    def _inflate(self, blocks: _Blocks) -> Iterator[bytes]:
        produced = 0
        while head := blocks.peek(len(_MAGIC)):
            if head[:2] != _MAGIC:
                self._fail(_trailing(blocks))
                return
            member = _Member()
            for plain in member.inflate(blocks):
                produced += len(plain)
                if self._passes_a_limit(produced):
                    return
                yield plain
            if member.fault:
                self._fail(member.fault)
                return
            blocks.put_back(member.unused[_SHORT_BYTES:])
            blocks.put_back(member.unused[:_SHORT_BYTES])

    def _passes_a_limit(self, produced: int) -> bool:
        passed = self._limits.passed(produced, self._stored)
        if passed:
            self._fail(Fault("too_large", passed))
        return bool(passed)

    def _fail(self, fault: Fault) -> None:
        # The first fault is the cause; that an outer layer stopped makes the inner one look truncated.
        self.fault = self.fault or fault


class _Blocks:
    """Blocks of bytes of which some can be put back: an object may have a gzip member for every few bytes."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self._source = source
        self._back: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return self._back.pop() if self._back else next(self._source)

    def put_back(self, block: bytes) -> None:
        """Give this block again before all others."""
        if block:
            self._back.append(block)

    def peek(self, size: int) -> bytes:
        """At least the next `size` bytes where there are as many; they stay."""
        head = b""
        while len(head) < size and (block := next(self, None)) is not None:
            head += block
        self.put_back(head)
        return head


class _Member:
    """One gzip member."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.unused = b""
        self._inflater = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        self._produced = 0
        self._seen: list[bytes] = []
        self._seen_bytes = 0

    def inflate(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The member's plain bytes; takes from `blocks` only what it needs, the overshoot is `unused`."""
        for block in blocks:
            self._remember(block)
            try:
                yield from self._feed(block)
            except _IsalError as error:
                yield from self._salvage()
                self.fault = Fault("corrupt_gzip", f"gzip: {error}")
                return
            if self._inflater.eof:
                self.unused = self._inflater.unused_data
                return
        self.fault = Fault("truncated", "the object ends inside its gzip stream")

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            plain = self._inflater.decompress(data, _STEP_BYTES)
            data = b""  # the inflater holds on to what it has not used
            self._produced += len(plain)
            if plain:
                yield plain
            if self._inflater.eof or self._inflater.needs_input:
                return

    def _remember(self, block: bytes) -> None:
        self._seen_bytes += len(block)
        if self._seen_bytes <= _SALVAGE_BYTES:
            self._seen.append(block)
        else:
            self._seen.clear()

    def _salvage(self) -> Iterator[bytes]:
        """What the failed call still held back: isal drops up to `_STEP_BYTES` good bytes with its error.

        zlib does the member again in small steps. Members too long to be kept lose what isal dropped.
        """
        position = 0
        for plain in _to_the_error(self._seen):
            known = max(0, min(len(plain), self._produced - position))
            position += len(plain)
            if known < len(plain):
                yield plain[known:]


def _to_the_error(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A damaged member's plain bytes up to the very last that can be had."""
    inflater = zlib.decompressobj(31)
    for block in blocks:
        while block and not inflater.eof:
            before = inflater.copy()
            try:
                plain = inflater.decompress(block, _SALVAGE_STEP)
            except zlib.error:
                yield from _byte_by_byte(before, block)
                return
            block = inflater.unconsumed_tail
            yield plain


def _byte_by_byte(inflater: zlib._Decompress, block: bytes) -> Iterator[bytes]:
    with contextlib.suppress(zlib.error):
        while plain := inflater.decompress(block, 1):
            block = inflater.unconsumed_tail
            yield plain


class Window:
    """The part of the content in hand: `data[at:]` is unread, `ended` says that nothing follows it."""

    def __init__(self, content: Content) -> None:
        """Nothing is in hand before `fill`."""
        self.content = content
        self.data = b""
        self.at = 0
        self.ended = False
        self._base = 0
        self._blocks = iter(content)

    @property
    def offset(self) -> int:
        """The content's offset of `data[at]`."""
        return self._base + self.at

    @property
    def left(self) -> int:
        """How many unread bytes are in hand."""
        return len(self.data) - self.at

    def fill(self, wanted: int) -> None:
        """Read on until `wanted` unread bytes are in hand or the content has ended; may move `at`."""
        if self.left >= wanted or self.ended:
            return
        parts, have = [self.data[self.at :]], self.left
        while have < wanted and not self.ended:
            block = next(self._blocks, None)
            self.ended = block is None
            parts.append(block or b"")
            have += len(parts[-1])
        self._base += self.at
        self.data, self.at = b"".join(parts), 0

    def drain(self) -> Iterator[bytes]:
        """All that is unread, in blocks, without holding it."""
        while self.left or not self.ended:
            block = self.data[self.at :]
            self.at = len(self.data)
            yield block
            self.fill(_READ_BYTES)


def _trailing(blocks: Iterator[bytes]) -> Fault:
    data, size, zero = b"", 0, True
    for block in blocks:
        data = (data + block)[:SAMPLE_BYTES] if len(data) < SAMPLE_BYTES else data
        size += len(block)
        zero = zero and not block.strip(b"\0")
    detail = f"{size} bytes after the gzip stream, {'all zero' if zero else 'which are no gzip'}"
    return Fault("trailing_bytes", detail, data, size)
