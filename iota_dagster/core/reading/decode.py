"""The bytes of a log object -> its records, streamed: gzip, wrappers, damage and limits.

Understood: `{"Records": […]}` with any other keys, top-level arrays, JSON lines, single and concatenated objects, and
any mix of them one after the other, in UTF-8 with or without BOM. Between values commas and white space separate,
however many. A record is the vendor's own bytes: one valid JSON object (see `json_text`), valid UTF-8, within the
limits. What is not is a `Damage`; it takes an ordinal as a record does, and reading goes on wherever its end shows.

Two ways through a text. A *run* guesses a cut between two records and has msgspec split everything before it at once
(about 1 µs a record); the parse proves or refutes the guess. Where no guess holds, the *steps* of `scan` take one
value at a time.

Reasons of damage: `invalid_json`, `invalid_utf8`, `not_an_object`, `too_deep`, `record_too_large` (one value);
`not_json`, `truncated`, `corrupt_gzip`, `too_large`, `invalid_json` (all that is left); `trailing_bytes` (after gzip).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from iota_dagster.core.reading import json_text
from iota_dagster.core.reading.chunk import MOST_FINDINGS, Chunk, Damage, Findings
from iota_dagster.core.reading.content import Content, DecodeLimits, Window
from iota_dagster.core.reading.scan import Place, Scanner
from iota_dagster.core.reading.verdict import record_problem

__all__ = ["Chunk", "Damage", "DecodeLimits", "Decoder"]

_DEFAULT_LIMITS = DecodeLimits()
WINDOW_BYTES = 512 << 10
_BRACE = ord("{")


class Decoder:
    """Iterates the chunks of one object, once. Content never raises; only the stream's own `OSError` passes through.

    Memory: some windows, or some times `record_bytes` where a record is that large. `records` (the ordinals given),
    `content_bytes` and `content_sha256` are final after the end.
    """

    def __init__(
        self, stream: BinaryIO | Window, limits: DecodeLimits = _DEFAULT_LIMITS, *, window_bytes: int = WINDOW_BYTES
    ) -> None:
        """Nothing is read before the iteration; a window may have looked at the beginning already."""
        self._limits = limits
        self._window_bytes = window_bytes
        window = stream if isinstance(stream, Window) else Window(Content(stream, limits))
        self._content = window.content
        self._scan = Scanner(window, limits, window_bytes)
        self._refused = (0, 0)  # in this list, runs are not tried before this offset
        self._splitters: list[Callable[[bytes], list[bytes] | None]] = [json_text.split_lines, json_text.split_objects]

    @property
    def records(self) -> int:
        """How many ordinals were given so far, to records and damages."""
        return self._scan.records

    @property
    def content_bytes(self) -> int:
        """The size of the plain content read so far."""
        return self._content.size

    @property
    def content_sha256(self) -> str:
        """The hex digest of the plain content read so far."""
        return self._content.sha256

    def __iter__(self) -> Iterator[Chunk]:
        """The chunks in file order: their ordinals are 0 to `records` - 1, each once."""
        scan = self._scan
        while scan.advance():
            chunk = self._run()
            if chunk is None:
                scan.step()
            if scan.found and (chunk is not None or scan.found.full(self._window_bytes)):
                yield scan.take().chunk()
            if chunk is not None:
                scan.take()
                yield chunk
        scan.finish()
        if scan.found:
            yield scan.take().chunk()

    def _run(self) -> Chunk | None:
        if (self._scan.lists, self._scan.window.offset) < self._refused:
            return None
        if self._scan.place is Place.LIST:
            return self._run_of_list()
        if self._scan.place is Place.TOP and self._scan.window.data[self._scan.window.at] == _BRACE:
            return self._run_at_top()
        return None

    def _run_of_list(self) -> Chunk | None:
        window = self._scan.window
        if not (window.ended or self._scan.separator or self._scan.lists > 1):
            return None  # the first steps learn the separator
        furthest = window.at
        for cut in self._cuts():
            if cut > window.at:
                text = window.data[window.at : cut]
                if (records := json_text.split_list(text)) is not None:
                    return self._chunk(text, records)
                furthest = max(furthest, cut)
        self._refused = self._scan.lists, window.offset + (furthest - window.at or window.left)
        return None

    def _cuts(self) -> Iterator[int]:
        """Guesses where a record of the list ends, the most promising first."""
        data, at = self._scan.window.data, self._scan.window.at
        if self._scan.lists > 1:  # else not worth the search
            yield data.rfind(b"]", at, max(at, data.find(json_text.RECORDS_KEY, at)))
        if self._scan.window.ended:
            yield data.rfind(b"]", at)
        if self._scan.separator:
            yield data.rfind(self._scan.separator, at) + 1
        if self._scan.gap:
            yield data.rfind(b"}" + self._scan.gap + b"{", at) + 1

    def _run_at_top(self) -> Chunk | None:
        window = self._scan.window
        wrapper = window.data.find(json_text.RECORDS_KEY, window.at)
        end, whole = (wrapper, False) if wrapper >= 0 else (len(window.data), window.ended)
        for splitter in self._splitters:
            cut = end if whole else self._cut_at_top(splitter, end)
            if cut > window.at:
                text = window.data[window.at : cut]
                if (records := splitter(text)) is not None:
                    self._splitters.sort(key=lambda known: known is not splitter)
                    return self._chunk(text, records)
        self._refused = self._scan.lists, window.offset + end - window.at
        return None

    def _cut_at_top(self, splitter: Callable[[bytes], object], end: int) -> int:
        data, at = self._scan.window.data, self._scan.window.at
        if splitter is json_text.split_lines:
            return data.rfind(b"\n", at, end) + 1
        return json_text.last_between_objects(data, at, end)

    def _chunk(self, text: bytes, records: list[bytes]) -> Chunk | None:
        """The chunk of a text that was split whole; moves behind it. None if more is bad than one chunk should hold."""
        scan, first, offset = self._scan, self._scan.records, self._scan.window.offset
        judged = ((index, record_problem(records[index], self._limits)) for index in self._suspects(text, records))
        bad = {index: problem for index, problem in judged if problem}
        at_top = scan.place is Place.TOP
        too_large = at_top and any(problem[0] == "record_too_large" for problem in bad.values())  # may be a page
        if too_large or len(bad) > MOST_FINDINGS:
            self._refused = scan.lists, offset + len(text)
            return None
        scan.window.at += len(text)
        if bad:
            return self._without(bad, records, text, offset)
        scan.records += len(records)
        return Chunk(first, records, range(first, first + len(records)), [], text, offset)

    def _suspects(self, text: bytes, records: list[bytes]) -> set[int]:
        """The records whose `problem` must be looked for; cheap tests of the whole text clear the others."""
        limits = self._limits
        suspects = {index for index, record in enumerate(records) if record[0] != _BRACE}
        if not text.isascii():
            suspects.update(index for index, record in enumerate(records) if not record.isascii())
        if len(text) > limits.record_bytes:
            suspects.update(index for index, record in enumerate(records) if len(record) > limits.record_bytes)
        suspects.update(json_text.deeper_than(limits.nesting, text, records))
        return suspects

    def _without(self, bad: dict[int, tuple[str, str]], records: list[bytes], text: bytes, offset: int) -> Chunk:
        found, end = Findings(self._scan.records), 0
        for index, record in enumerate(records):
            start = text.index(record, end)
            end = start + len(record)
            self._scan.note(found, record, offset + start, bad.get(index))
        return found.chunk()
