"""Text, one record a line: VPC flow logs, load balancers, S3 access logs, and whatever else is not JSON.

A record is the line without its end (`\\n` or `\\r\\n`) and without a byte order mark. Blank lines are nothing. A line
that names the fields of those after it is no record either: it goes with them as their chunk's `header`.

Reasons of damage: `invalid_utf8`, `not_text`, `too_deep`, `record_too_large` (one line); `truncated`, `corrupt_gzip`,
`too_large` (all that is left); `trailing_bytes` (after gzip).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from iota_dagster.core.reading import json_text
from iota_dagster.core.reading.chunk import Chunk, Findings, Problem
from iota_dagster.core.reading.content import SAMPLE_BYTES, DecodeLimits, Fault, Window
from iota_dagster.core.reading.verdict import line_problem, too_large

_BOM = b"\xef\xbb\xbf"
_START_BYTES = 4
_MOST_AROUND = len(_BOM) + len(b"\r")  # bytes of a line that are not its record's


@dataclass(frozen=True, slots=True)
class Headers:
    """Which lines are headers: `test` is asked only for those whose first four bytes are one of `starts`."""

    starts: frozenset[bytes]
    test: Callable[[bytes], bool]

    def include(self, line: bytes) -> bool:
        """Whether a line is a header."""
        return line[:_START_BYTES] in self.starts and self.test(line)


NO_HEADERS = Headers(frozenset(), lambda line: False)


class LineReader:
    """The lines of a text as records, in windows; see `chunk.RecordReader`."""

    def __init__(
        self,
        window: Window,
        limits: DecodeLimits,
        window_bytes: int,
        *,
        headers: Headers = NO_HEADERS,
        header: bytes | None = None,
    ) -> None:
        """Reads on where `window` stands. `header` is in force until the text has its own."""
        self.records = 0
        self._window = window
        self._content = window.content
        self._limits = limits
        self._window_bytes = window_bytes
        self._headers = headers
        self._header = header
        self._fault_told = False

    @property
    def content_bytes(self) -> int:
        """The size of the plain content read so far."""
        return self._content.size

    @property
    def content_sha256(self) -> str:
        """The hex digest of the plain content read so far."""
        return self._content.sha256

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in file order; one header holds for all of a chunk."""
        window = self._window
        while True:
            window.fill(self._window_bytes)
            end = window.data.rfind(b"\n", window.at) + 1
            if end:
                yield from self._lines(self._take(end), window.offset)
            elif not window.left:
                break
            elif not window.ended and window.left <= self._limits.record_bytes + _MOST_AROUND:
                window.fill(2 * window.left)
            else:
                yield from self._single()
        yield from self._end()

    def _take(self, end: int) -> bytes:
        window = self._window
        text = window.data[window.at : end]
        window.at = end
        return text

    def _lines(self, text: bytes, end_offset: int) -> Iterator[Chunk]:
        """The chunks of whole lines that end at `end_offset`."""
        offset = end_offset - len(text)
        lines = self._unsuspicious(text)
        if lines is None:
            yield from self._one_by_one(text, offset)
        elif lines:
            first = self.records
            self.records += len(lines)
            ordinals = range(first, self.records)
            objects = b"{" in text and any(line.startswith(b"{") for line in lines)
            yield Chunk(first, lines, ordinals, [], text, offset, header=self._header, objects=objects)

    def _unsuspicious(self, text: bytes) -> list[bytes] | None:
        """The records of a text if tests of all of it clear every line and none is a header; else None."""
        if b"\0" in text or len(text) > self._limits.record_bytes:
            return None
        if not text.isascii() and (_BOM in text or not json_text.is_utf8(text)):
            return None
        plain = text.replace(b"\r\n", b"\n") if b"\r" in text else text
        lines = [line for line in plain.split(b"\n") if line and not line.isspace()]
        if self._headers.starts and self._has_header(lines):
            return None
        return None if b"{" in text and self._has_deep_object(text, lines) else lines

    def _has_deep_object(self, text: bytes, lines: list[bytes]) -> bool:
        limit = self._limits.nesting
        if text.count(b"{") + text.count(b"[") <= limit:
            return False
        return any(line.startswith(b"{") and json_text.is_deeper_than(limit, line) for line in lines)

    def _has_header(self, lines: list[bytes]) -> bool:
        if self._headers.starts.isdisjoint([line[:_START_BYTES] for line in lines]):
            return False
        return any(map(self._headers.include, lines))

    def _one_by_one(self, text: bytes, offset: int) -> Iterator[Chunk]:
        found = self._findings()
        for line, at in _each(text, offset):
            problem = line_problem(line, self._limits)
            if problem:
                data = line if len(line) <= self._limits.record_bytes else line[:SAMPLE_BYTES]
                found.add_damage(at, problem, data, len(line))
            elif not self._headers.include(line):
                found.add(line, at)
            elif line != self._header:
                yield from self._handed_on(found)
                self._header = line
                found = self._findings()
            if found.full(self._window_bytes):
                yield from self._handed_on(found)
                found = self._findings()
        yield from self._handed_on(found)

    def _findings(self) -> Findings:
        return Findings(self.records, header=self._header)

    def _handed_on(self, found: Findings) -> Iterator[Chunk]:
        if found:
            self.records = found.next_ordinal
            yield found.chunk()

    # What has no end in hand.

    def _single(self) -> Iterator[Chunk]:
        """The rest of the text, if that is a line without an end, or one that is too large."""
        window = self._window
        if window.left > self._limits.record_bytes + _MOST_AROUND:
            yield from self._pass_large()
            return
        start, line = window.offset, self._take(len(window.data))
        if fault := self._broken_off():
            self._fault_told = True
            yield from self._damage(start, (fault.reason, fault.detail), line, len(line))
        else:
            yield from self._one_by_one(line, start)

    def _pass_large(self) -> Iterator[Chunk]:
        """Pass over a line above the limit without holding it."""
        window, start = self._window, self._window.offset
        beginning = window.data[window.at : window.at + SAMPLE_BYTES].removeprefix(_BOM)
        start += len(_BOM) * window.data.startswith(_BOM, window.at)
        end, blank, last = -1, True, b""
        while end < 0 and window.left:
            end = window.data.find(b"\n", window.at)
            piece = self._take(len(window.data) if end < 0 else end)
            blank, last = blank and not piece.strip(), piece[-1:] or last
            window.fill(self._window_bytes)
        size = window.offset - start - (last == b"\r")
        reason, detail = too_large(size, self._limits)
        if end < 0 and self._broken_off():
            self._fault_told, detail = True, f"{detail}, and the content ends inside it"
        if not blank:
            yield from self._damage(start, (reason, detail), beginning[:size], size)

    def _damage(self, offset: int, problem: Problem, data: bytes, size: int) -> Iterator[Chunk]:
        found = self._findings()
        found.add_damage(offset, problem, data, size)
        yield from self._handed_on(found)

    def _broken_off(self) -> Fault | None:
        fault = self._content.fault
        return fault if fault and fault.reason != "trailing_bytes" else None

    def _end(self) -> Iterator[Chunk]:
        fault = self._content.fault
        if fault and not self._fault_told:
            yield from self._damage(self._content.size, (fault.reason, fault.detail), fault.data, fault.size)


def _each(text: bytes, offset: int) -> Iterator[tuple[bytes, int]]:
    """The lines that are not blank, each with its offset."""
    for raw in text.split(b"\n"):
        line = raw.removesuffix(b"\r").removeprefix(_BOM)
        if line and not line.isspace():
            yield line, offset + len(_BOM) * raw.startswith(_BOM)
        offset += len(raw) + 1
