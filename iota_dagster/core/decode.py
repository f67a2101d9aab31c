"""The bytes of a log object -> its records, streamed: gzip, wrappers, damage and limits.

Understood: `{"Records": […]}` with any other keys, top-level arrays, JSON lines, single and concatenated objects, and
any mix of them one after the other, in UTF-8 with or without BOM. Between values commas and white space separate,
however many. A record is the vendor's own bytes: one valid JSON object (see `json_text`), valid UTF-8, within the
limits. What is not is a `Damage`; it takes an ordinal as a record does, and reading goes on wherever its end shows.

Two ways through a text. A *run* guesses a cut between two records and has msgspec split everything before it at once
(about 1 µs a record); the parse proves or refutes the guess. Where no guess holds, *steps* take one value at a time.

Reasons of damage: `invalid_json`, `invalid_utf8`, `not_an_object`, `too_deep`, `record_too_large` (one value);
`not_json`, `truncated`, `corrupt_gzip`, `too_large`, `invalid_json` (all that is left); `trailing_bytes` (after gzip).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import BinaryIO

from iota_dagster.core import json_text
from iota_dagster.core.content import SAMPLE_BYTES, Content, DecodeLimits, Window

__all__ = ["Chunk", "Damage", "DecodeLimits", "Decoder"]

_DEFAULT_LIMITS = DecodeLimits()
_WINDOW_BYTES = 512 << 10
_CHUNK_VALUES = 4096  # steps yield at least this often, so that tiny values cannot fill the memory
_SEPARATORS = re.compile(rb"(?:[ \t\r\n,]|\xef\xbb\xbf)*+")
_HEADER = re.compile(rb'\{[ \t\r\n]*"Records"[ \t\r\n]*:[ \t\r\n]*\[')
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*"[^"\\]*"')
_LINE_START = re.compile(rb"\n[{\[]")
_WORD = re.compile(rb'[^ \t\r\n,\[\]{"]+')
_LONE_SCALAR = re.compile(rb'("[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[^ \t\r\n,\[\]{}"]++)[ \t\r]*+(?:\n|\Z)')
_CLOSERS = re.compile(rb"[}\]]+")
_BRACE, _BRACKET, _END_BRACE, _END_BRACKET, _QUOTE = b'{[}]"'
_NOT_AN_OBJECT = ("not_an_object", "a JSON value, but no object")


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
class _Pending:
    """What the steps have found since the last chunk."""

    first_ordinal: int
    records: list[bytes] = field(default_factory=list)
    ordinals: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    size: int = 0

    def __bool__(self) -> bool:
        return bool(self.records or self.damages)

    def full(self, window_bytes: int) -> bool:
        return len(self.records) + len(self.damages) >= _CHUNK_VALUES or self.size >= window_bytes

    def chunk(self) -> Chunk:
        return Chunk(self.first_ordinal, self.records, self.ordinals, self.damages, _offsets=self.offsets)


class _Place(Enum):
    TOP = "between top-level values"
    LIST = "inside a list of records"
    TAIL = "behind the list in its wrapper"


class Decoder:
    """Iterates the chunks of one object, once. Content never raises; only the stream's own `OSError` passes through.

    Memory: some windows, or some times `record_bytes` where a record is that large. `records`, `content_bytes` and
    `content_sha256` are final after the end.
    """

    def __init__(
        self, stream: BinaryIO, limits: DecodeLimits = _DEFAULT_LIMITS, *, window_bytes: int = _WINDOW_BYTES
    ) -> None:
        """Nothing is read before the iteration."""
        self.records = 0
        self._limits = limits
        self._window_bytes = window_bytes
        self._content = Content(stream, limits)
        self._window = Window(self._content)
        self._place = _Place.TOP
        self._wrapped = False
        self._lists = 0
        self._gap = b""  # what stood between the last two values
        self._separator = b""  # … with the braces and the first key around it
        self._steps_until = 0  # runs are not tried before this offset
        self._fault_told = False
        self._splitters: list[Callable[[bytes], list[bytes] | None]] = [json_text.split_lines, json_text.split_objects]
        self._pending = _Pending(0)

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
        while self._advance():
            before = self._pending
            chunk = self._run()
            if chunk is None:
                self._step()
            if before and (chunk is not None or before.full(self._window_bytes)):
                yield before.chunk()
                self._pending = _Pending(self.records)
            if chunk is not None:
                yield chunk
                self._pending = _Pending(self.records)
        self._finish()
        if self._pending:
            yield self._pending.chunk()

    def _advance(self) -> bool:
        """Stand at the next byte that means something, with a window in hand; False at the end."""
        window = self._window
        self._gap = b""
        while True:
            window.fill(self._window_bytes)
            separators = _SEPARATORS.match(window.data, window.at)
            if separators:
                self._gap = (self._gap + separators[0])[-64:]
                window.at = separators.end()
            if window.left or window.ended:
                return bool(window.left)

    # Runs: many records at once.

    def _run(self) -> Chunk | None:
        if self._window.offset < self._steps_until:
            return None
        if self._place is _Place.LIST:
            return self._run_of_list()
        if self._place is _Place.TOP and self._window.data[self._window.at] == _BRACE:
            return self._run_at_top()
        return None

    def _run_of_list(self) -> Chunk | None:
        window = self._window
        if not (window.ended or self._separator or self._lists > 1):
            return None  # the first steps learn the separator
        furthest = window.at
        for cut in self._cuts():
            if cut > window.at:
                text = window.data[window.at : cut]
                if (records := json_text.split_list(text)) is not None:
                    return self._chunk(text, records)
                furthest = max(furthest, cut)
        self._steps_until = window.offset + (furthest - window.at or window.left)
        return None

    def _cuts(self) -> Iterator[int]:
        """Guesses where a record of the list ends, the most promising first."""
        data, at = self._window.data, self._window.at
        if self._lists > 1:  # else not worth the search
            yield data.rfind(b"]", at, max(at, data.find(json_text.RECORDS_KEY, at)))
        if self._window.ended:
            yield data.rfind(b"]", at)
        if self._separator:
            yield data.rfind(self._separator, at) + 1
        if self._gap:
            yield data.rfind(b"}" + self._gap + b"{", at) + 1

    def _run_at_top(self) -> Chunk | None:
        window = self._window
        wrapper = window.data.find(json_text.RECORDS_KEY, window.at)
        end, whole = (wrapper, False) if wrapper >= 0 else (len(window.data), window.ended)
        for splitter in self._splitters:
            cut = end if whole else self._cut_at_top(splitter, end)
            if cut > window.at:
                text = window.data[window.at : cut]
                if (records := splitter(text)) is not None:
                    self._splitters.sort(key=lambda known: known is not splitter)
                    return self._chunk(text, records)
        self._steps_until = window.offset + end - window.at
        return None

    def _cut_at_top(self, splitter: Callable[[bytes], object], end: int) -> int:
        data, at = self._window.data, self._window.at
        if splitter is json_text.split_lines:
            return data.rfind(b"\n", at, end) + 1
        return json_text.last_between_objects(data, at, end)

    def _chunk(self, text: bytes, records: list[bytes]) -> Chunk:
        """The chunk of a text that was split whole; moves behind it."""
        first, offset = self.records, self._window.offset
        self._window.at += len(text)
        chunk = Chunk(first, records, range(first, first + len(records)), [], text, offset)
        bad = {index: problem for index in self._suspects(text, records) if (problem := self._problem(records[index]))}
        if bad:
            return self._without(bad, chunk, text, offset)
        self.records += len(records)
        return chunk

    def _suspects(self, text: bytes, records: list[bytes]) -> set[int]:
        """The records whose `_problem` must be looked at; cheap tests of the whole text clear the others."""
        limits = self._limits
        suspects = {index for index, record in enumerate(records) if record[0] != _BRACE}
        if not text.isascii():
            suspects.update(index for index, record in enumerate(records) if not record.isascii())
        if len(text) > limits.record_bytes:
            suspects.update(index for index, record in enumerate(records) if len(record) > limits.record_bytes)
        suspects.update(json_text.deeper_than(limits.nesting, text, records))
        return suspects

    def _without(self, bad: dict[int, tuple[str, str]], chunk: Chunk, text: bytes, offset: int) -> Chunk:
        found, end = _Pending(self.records), 0
        for index, record in enumerate(chunk.records):
            start = text.index(record, end)
            end = start + len(record)
            self._note(found, record, offset + start, bad.get(index))
        return found.chunk()

    # Steps: one value, bracket or piece of damage.

    def _step(self) -> None:
        code = self._window.data[self._window.at]
        if self._place is _Place.TOP:
            self._step_at_top(code)
        elif self._place is _Place.LIST:
            self._step_in_list(code)
        else:
            self._step_in_tail(code)

    def _step_at_top(self, code: int) -> None:
        window = self._window
        if code == _BRACKET:
            self._enter_list(window.at + 1, wrapped=False)
        elif code == _BRACE:
            header = _HEADER.match(window.data, window.at)
            if header:
                self._enter_list(header.end(), wrapped=True)
            else:
                self._value(unwrap=True)
        else:
            self._no_object_at_top()

    def _step_in_list(self, code: int) -> None:
        if code == _END_BRACKET:
            self._place = _Place.TAIL if self._wrapped else _Place.TOP
            self._window.at += 1
        elif code in (_BRACE, _BRACKET, _QUOTE):
            self._value(unwrap=False)
        else:
            self._word()

    def _step_in_tail(self, code: int) -> None:
        """Pass over the wrapper's other members: they are no records, unless they are another `Records`."""
        if code != _QUOTE:
            self._place = _Place.TOP  # its end, or no wrapper after all
            self._window.at += code == _END_BRACE
            return
        extent = json_text.Extent(1, unwrap=True)
        end = self._follow(extent)
        if extent.list_at is not None:
            self._enter_list(extent.list_at, wrapped=True)
        elif end is not None:
            self._place, self._window.at = _Place.TOP, end

    def _enter_list(self, at: int, *, wrapped: bool) -> None:
        self._lists += 1
        self._place, self._wrapped, self._separator, self._window.at = _Place.LIST, wrapped, b"", at
        self._steps_until = 0

    def _value(self, *, unwrap: bool) -> None:
        window = self._window
        value = json_text.first_value(window.data, window.at)
        if unwrap and (json_text.RECORDS_KEY in value if value else window.data.find(json_text.RECORDS_KEY) >= 0):
            extent = json_text.Extent(unwrap=True)
            extent.feed(window.data, window.at)
            if extent.list_at is not None:
                self._enter_list(extent.list_at, wrapped=True)
                return
        if value is not None:
            self._valid(value)
        elif json_text.is_beginning(window.data[window.at :]):
            self._unfinished()
        else:
            self._broken()

    def _valid(self, value: bytes) -> None:
        problem = self._problem(value)
        if problem is None and self._place is _Place.LIST:
            self._learn(value)
        self._note(self._pending, value, self._window.offset, problem)
        self._window.at += len(value)

    def _learn(self, record: bytes) -> None:
        key = _FIRST_KEY.match(record)
        if key and b"," in self._gap:
            self._separator = b"}" + self._gap + key[0]

    def _unfinished(self) -> None:
        """A sound value that goes on behind the window."""
        if not self._grow():
            if self._window.ended:
                self._rest("truncated", "the content ends inside a value")
            else:
                self._pass_large()

    def _broken(self) -> None:
        """A wrong value: it ends with its brackets, or before what looks like the next record if that comes first."""
        window = self._window
        following = self._next_start(len(window.data))
        scope = window.data[window.at : following]
        end = json_text.Extent().feed(scope)
        if end is not None:
            self._bad(window.at + end)
        elif following is not None:
            self._bad(following)
        elif not self._grow():
            if window.ended:
                self._rest(*_invalid(scope))
            else:
                self._pass_large()

    def _grow(self) -> bool:
        """Whether there was more to read, and still room for it."""
        window = self._window
        if window.ended or window.left > self._limits.record_bytes:
            return False
        window.fill(2 * window.left)
        return True

    def _next_start(self, end: int) -> int | None:
        """Where damage that begins here ends before `end`, going by what the next record begins with."""
        data, at = self._window.data, self._window.at
        key = _FIRST_KEY.match(data, at)
        if self._place is _Place.TOP:
            sign: re.Pattern[bytes] = _LINE_START
        elif self._separator:
            sign = re.compile(re.escape(self._separator))
        elif key:
            sign = re.compile(rb"\}[ \t\r\n]*,[ \t\r\n]*" + re.escape(key[0]))
        else:
            return None
        found = sign.search(data, at + 1, end)
        return found.start() + 1 if found else None

    def _no_object_at_top(self) -> None:
        window = self._window
        scalar = _LONE_SCALAR.match(window.data, window.at)
        closers = _CLOSERS.match(window.data, window.at)
        if closers:
            self._bad(closers.end())
        elif scalar and (window.ended or scalar.end() < len(window.data)) and not json_text.error(scalar[1]):
            self._note(self._pending, scalar[1], window.offset, _NOT_AN_OBJECT)
            window.at = scalar.end()
        elif (end := self._next_start(len(window.data))) is not None:
            self._bad(end)
        elif not self._grow():
            reason = "invalid_json" if self.records else "not_json"
            self._rest(reason, "neither an object nor a list of objects begins here")

    def _word(self) -> None:
        """A number, a literal or rubbish inside a list."""
        window = self._window
        word = _WORD.match(window.data, window.at)
        end = word.end() if word else window.at + 1
        value = window.data[window.at : end]
        if end < len(window.data):
            problem = _invalid(value) if json_text.error(value) else _NOT_AN_OBJECT
            self._note(self._pending, value, window.offset, problem)
            window.at = end
        elif not self._grow():
            self._rest(*(("truncated", "the content ends inside a list") if window.ended else _invalid(value)))

    # What does not fit into the window.

    def _follow(self, extent: json_text.Extent) -> int | None:
        """Read and forget until the extent ends; None at the content's end, or at a list to enter."""
        window = self._window
        end = extent.feed(window.data, window.at)
        while end is None and extent.list_at is None:
            window.at = extent.consumed
            if window.ended:
                window.at = len(window.data)
                return None
            # An open string may have held back a lone backslash, a key the colon that follows it.
            window.fill(window.left + self._window_bytes)
            end = extent.feed(window.data, window.at)
        return end

    def _pass_large(self) -> None:
        window = self._window
        start, beginning = window.offset, window.data[window.at : window.at + SAMPLE_BYTES]
        extent = json_text.Extent(unwrap=self._place is _Place.TOP)
        end = self._follow(extent)
        if extent.list_at is not None:  # not a record, but a wrapper with much before its list
            self._enter_list(extent.list_at, wrapped=True)
            return
        if end is None:
            self._place, self._fault_told = _Place.TOP, True
        else:
            window.at = end
        size = window.offset - start
        detail = f"more than {self._limits.record_bytes} bytes" + (", and the content ends inside it" * (end is None))
        self._damage(self._pending, start, ("record_too_large", detail), beginning, size)

    def _rest(self, reason: str, detail: str) -> None:
        """All that is left is one damage."""
        window = self._window
        start = window.offset
        beginning = window.data[window.at : window.at + self._limits.record_bytes]
        while window.left:
            window.at = len(window.data)
            window.fill(self._window_bytes)
        fault, size = self._content.fault, window.offset - start
        if fault and fault.reason != "trailing_bytes" and reason != "not_json":
            reason, detail = fault.reason, fault.detail
        self._place, self._fault_told = _Place.TOP, True
        data = beginning if size <= self._limits.record_bytes else beginning[:SAMPLE_BYTES]
        self._damage(self._pending, start, (reason, detail), data, size)

    def _finish(self) -> None:
        fault, offset = self._content.fault, self._content.size
        if fault and fault.reason != "trailing_bytes":
            if not self._fault_told:
                self._damage(self._pending, offset, (fault.reason, fault.detail), b"", 0)
            return
        if self._place is not _Place.TOP:
            self._damage(self._pending, offset, ("truncated", f"the content ends {self._place.value}"), b"", 0)
        if fault:
            self._damage(self._pending, offset, (fault.reason, fault.detail), fault.data, fault.size)

    # Verdicts and accounting: whatever takes an ordinal takes it here, or as one of a run.

    def _problem(self, value: bytes) -> tuple[str, str] | None:
        """Why a syntactically valid value is no record; None if it is one."""
        limits = self._limits
        if len(value) > limits.record_bytes:
            return "record_too_large", f"{len(value)} bytes, more than {limits.record_bytes}"
        if json_text.is_deeper_than(limits.nesting, value):
            return "too_deep", f"nested deeper than {limits.nesting}"
        if value[0] != _BRACE:
            return _NOT_AN_OBJECT
        return None if json_text.is_utf8(value) else ("invalid_utf8", "the bytes are not UTF-8")

    def _bad(self, end: int) -> None:
        value = self._window.data[self._window.at : end]
        problem = self._problem(value)
        if problem is None or problem is _NOT_AN_OBJECT:
            problem = _invalid(value)
        self._note(self._pending, value, self._window.offset, problem)
        self._window.at = end

    def _note(self, found: _Pending, value: bytes, offset: int, problem: tuple[str, str] | None) -> None:
        if problem:
            data = value if len(value) <= self._limits.record_bytes else value[:SAMPLE_BYTES]
            self._damage(found, offset, problem, data, len(value))
            return
        found.records.append(value)
        found.ordinals.append(self.records)
        found.offsets.append(offset)
        found.size += len(value)
        self.records += 1

    def _damage(self, found: _Pending, offset: int, problem: tuple[str, str], data: bytes, size: int) -> None:
        found.damages.append(Damage(self.records, offset, *problem, data, size))
        found.size += len(data)
        self.records += 1


def _invalid(value: bytes) -> tuple[str, str]:
    return "invalid_json", json_text.error(value) or "no valid JSON"
