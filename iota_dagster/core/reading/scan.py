"""The exact way through a text: one value, bracket or piece of damage at a time.

Slower than the decoder's runs, but never at a loss: a value that is broken ends with its brackets or before what looks
like the next record, one that is too large is passed over without being held, and what nobody can read is one damage.
"""

from __future__ import annotations

import re
from enum import Enum

from iota_dagster.core.reading import json_text
from iota_dagster.core.reading.chunk import Findings, Problem
from iota_dagster.core.reading.content import SAMPLE_BYTES, DecodeLimits, Window
from iota_dagster.core.reading.verdict import NOT_AN_OBJECT, invalid_json, record_problem
from iota_dagster.core.reading.wrappers import LISTS_OF_WRAPPERS, is_wrapper_until_its_list

_BOM = b"\xef\xbb\xbf"
_SEPARATORS = re.compile(rb"(?:[ \t\r\n,]|" + _BOM + rb")*+")
_HEADER = re.compile(rb'\{[ \t\r\n]*"Records"[ \t\r\n]*:[ \t\r\n]*\[')
_FIRST_KEY = re.compile(rb'\{[ \t\r\n]*"[^"\\]*"')
_BETWEEN_RECORDS = rb"\}[ \t\r\n]*,[ \t\r\n]*"
_SOME_RECORD = re.compile(_BETWEEN_RECORDS + rb"\{")
_LINE_START = re.compile(rb"\n[{\[]")
_WORD = re.compile(rb'[^ \t\r\n,\[\]{"]+')
_LONE_SCALAR = re.compile(rb'("[^"\\\n]*+(?:\\.[^"\\\n]*+)*+"|[^ \t\r\n,\[\]{}"]++)[ \t\r]*+(?:\n|\Z)')
_CLOSERS = re.compile(rb"[}\]]+")
_BRACE, _BRACKET, _END_BRACE, _END_BRACKET, _QUOTE = b'{[}]"'
_FOLLOWERS = frozenset((b"", b" ", b"\t", b"\r", b"\n", b",", b"]"))


_RECORDS = (json_text.RECORDS_KEY,)
_RECORDS_KEY = re.compile(json_text.RECORDS_KEY)
_REACH = 4096


class Place(Enum):
    """Where in the content's structure the scanner stands."""

    TOP = "between top-level values"
    LIST = "inside a list of records"
    TAIL = "behind the list in its wrapper"


class Scanner:
    """Stands somewhere in a content and goes through it by steps; `records` counts the ordinals given so far."""

    def __init__(self, window: Window, limits: DecodeLimits, window_bytes: int) -> None:
        """Nothing is read before `advance`."""
        self.records = 0
        self.content = window.content
        self.limits = limits
        self.window = window
        self.place = Place.TOP
        self.lists = 0  # entered so far
        self.gap = b""  # what stood between the last two values
        self.separator = b""  # … with the braces and the first key around it
        self.found = Findings(0)
        self._window_bytes = window_bytes
        self._wrapped = False
        self._fault_told = False
        self._ahead: dict[re.Pattern[bytes], tuple[int, int | None]] = {}  # searched to this offset, found at that one

    def take(self) -> Findings:
        """What the steps have found since the last time."""
        found, self.found = self.found, Findings(self.records)
        return found

    def advance(self) -> bool:
        """Stand at the next byte that means something, with a window in hand; False at the end."""
        window = self.window
        self.gap = b""
        while True:
            window.fill(self._window_bytes)
            separators = _SEPARATORS.match(window.data, window.at)
            if separators:
                self.gap = (self.gap + separators[0])[-64:]
                window.at = separators.end()
            if window.left or window.ended:
                return bool(window.left)

    def step(self) -> None:
        """Take one value, bracket or piece of damage into `found`."""
        code = self.window.data[self.window.at]
        if self.place is Place.TOP:
            self._step_at_top(code)
        elif self.place is Place.LIST:
            self._step_in_list(code)
        else:
            self._step_in_tail(code)

    def _step_at_top(self, code: int) -> None:
        window = self.window
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
            self.place = Place.TAIL if self._wrapped else Place.TOP
            self.window.at += 1
        elif code in (_BRACE, _BRACKET, _QUOTE):
            self._value(unwrap=False)
        else:
            self._word()

    def _step_in_tail(self, code: int) -> None:
        """Pass over the wrapper's other members: they are no records, unless they are another `Records`."""
        if code != _QUOTE:
            self.place = Place.TOP  # its end, or no wrapper after all
            self.window.at += code == _END_BRACE
            return
        extent = json_text.Extent(1, lists=_RECORDS)
        end = self._follow(extent)
        if extent.list_at is not None:
            self._enter_list(extent.list_at, wrapped=True)
        elif end is not None:
            self.place, self.window.at = Place.TOP, end

    def _enter_list(self, at: int, *, wrapped: bool) -> None:
        self.lists += 1
        self.place, self._wrapped, self.separator, self.window.at = Place.LIST, wrapped, b"", at

    def _value(self, *, unwrap: bool) -> None:
        window = self.window
        value = json_text.first_value(window.data, window.at)
        unfinished = value is None and json_text.is_beginning(memoryview(window.data)[window.at :])
        if unwrap and self._enters_wrapper(value, broken=value is None and not unfinished):
            return
        if value is not None and value[0] == _QUOTE:
            self._scalar(value)
        elif value is not None:
            self._valid(value)
        elif unfinished:
            self._unfinished()
        else:
            self._broken()

    def _enters_wrapper(self, value: bytes | None, *, broken: bool) -> bool:
        """Whether the value has a list of `Records`, at which the scanner stands now."""
        window = self.window
        if json_text.RECORDS_KEY not in value if value else self._next(_RECORDS_KEY) is None:
            return False
        extent = json_text.Extent(lists=_RECORDS)
        extent.feed(value or window.data[window.at : self._next_start() if broken else None])
        if extent.list_at is None:
            return False
        self._enter_list(window.at + extent.list_at, wrapped=True)
        return True

    def _valid(self, value: bytes) -> None:
        if len(value) > self.limits.record_bytes and self._enters_page():
            return
        problem = record_problem(value, self.limits)
        if problem is None and self.place is Place.LIST:
            self._learn(value)
        self.note(self.found, value, self.window.offset, problem)
        self.window.at += len(value)

    def _learn(self, record: bytes) -> None:
        key = _FIRST_KEY.match(record)
        if key and b"," in self.gap:
            self.separator = b"}" + self.gap + key[0]

    def _unfinished(self) -> None:
        """A sound value that goes on behind the window."""
        if not self._grow():
            if self.window.ended:
                self._rest("truncated", "the content ends inside a value")
            else:
                self._pass_large()

    def _broken(self) -> None:
        """A wrong value: it ends with its brackets, or before what looks like the next record if that comes first."""
        window = self.window
        end = self._end_of_broken()
        if end is not None:
            self._bad(end)
        elif not self._grow():
            if window.ended:
                self._rest(*invalid_json(window.data[window.at :]))
            else:
                self._pass_large()

    def _end_of_broken(self) -> int | None:
        """Where the wrong value ends; looks no further than it must, as a window may hold very many such."""
        data, at, sign, reach = self.window.data, self.window.at, self._sign(), _REACH
        while True:
            found = sign.search(data, at + 1, at + 2 * reach)  # a sign may lie across the end of the reach
            following = found.start() + 1 if found else None
            end = json_text.Extent().feed(data[at : following or at + reach])
            if end is not None:
                return at + end
            if following is not None or at + reach >= len(data):
                return following
            reach *= 8

    def _grow(self) -> bool:
        """Whether there was more to read, and still room for it."""
        window = self.window
        if window.ended or window.left > self.limits.record_bytes:
            return False
        window.fill(2 * window.left)
        return True

    def _next_start(self) -> int | None:
        """Where damage that begins here ends, going by what the next record begins with."""
        found = self._next(self._sign())
        return None if found is None else found + 1

    def _sign(self) -> re.Pattern[bytes]:
        """What the end of a record and the beginning of the next one look like."""
        if self.place is Place.TOP:
            return _LINE_START
        if self.separator:
            return re.compile(re.escape(self.separator))
        key = _FIRST_KEY.match(self.window.data, self.window.at)
        return re.compile(_BETWEEN_RECORDS + re.escape(key[0])) if key else _SOME_RECORD

    def _next(self, sign: re.Pattern[bytes]) -> int | None:
        """Where a sign stands next in the window, behind this byte; what was found holds until it is passed."""
        window = self.window
        base, end = window.offset - window.at, window.offset + window.left
        searched, offset = self._ahead.get(sign, (-1, None))
        if searched != end or (offset is not None and offset <= window.offset):
            found = sign.search(window.data, window.at + 1)
            offset = base + found.start() if found else None
            self._ahead = {_RECORDS_KEY: self._ahead.get(_RECORDS_KEY, (-1, None)), sign: (end, offset)}
        return None if offset is None else offset - base

    def _no_object_at_top(self) -> None:
        window = self.window
        scalar = _LONE_SCALAR.match(window.data, window.at)
        closers = _CLOSERS.match(window.data, window.at)
        if closers:
            self._bad(closers.end())
        elif scalar and (window.ended or scalar.end() < len(window.data)) and not json_text.error(scalar[1]):
            self.note(self.found, scalar[1], window.offset, NOT_AN_OBJECT)
            window.at = scalar.end()
        elif (end := self._next_start()) is not None:
            self._bad(end)
        elif not self._grow():
            half_bom = window.ended and _BOM.startswith(window.data[window.at :])
            reason = "truncated" if half_bom else "invalid_json" if self.records else "not_json"
            self._rest(reason, "neither an object nor a list of objects begins here")

    def _word(self) -> None:
        """A number, a literal or rubbish inside a list."""
        window = self.window
        word = _WORD.match(window.data, window.at)
        value = word[0] if word else window.data[window.at : window.at + 1]
        if window.left > len(value):
            self._scalar(value)
        elif not self._grow():
            self._rest(*(("truncated", "the content ends inside a list") if window.ended else invalid_json(value)))

    def _scalar(self, value: bytes) -> None:
        window = self.window
        end = window.at + len(value)
        if end == len(window.data) and self._grow():
            return
        if window.data[end : end + 1] == b'"' or (value[0] == _QUOTE and window.data[end : end + 1] not in _FOLLOWERS):
            end = self._next_start() or end  # a quote is lost or one too many: inside is outside
            self._bad(end)
        elif json_text.error(value):
            self._bad(end)
        else:
            self._valid(value)

    # What does not fit into the window.

    def _follow(self, extent: json_text.Extent) -> int | None:
        """Read and forget until the extent ends; None at the content's end, or at a list to enter."""
        window = self.window
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

    def _enters_page(self) -> bool:
        """Whether a value too large for a record is a vendor's page at whose list the scanner stands now.

        What is before the list must say so, and lie within the size of a record; what follows the list is passed over.
        """
        window = self.window
        if self.place is not Place.TOP:
            return False
        beginning = window.data[window.at : window.at + self.limits.record_bytes]
        extent = json_text.Extent(lists=LISTS_OF_WRAPPERS)
        extent.feed(beginning)
        if extent.list_at is None or not is_wrapper_until_its_list(beginning[: extent.list_at]):
            return False
        self._enter_list(window.at + extent.list_at, wrapped=True)
        return True

    def _pass_large(self) -> None:
        window = self.window
        if self._enters_page():
            return
        start, beginning = window.offset, window.data[window.at : window.at + SAMPLE_BYTES]
        extent = json_text.Extent(lists=_RECORDS if self.place is Place.TOP else ())
        end = self._follow(extent)
        if extent.list_at is not None:  # not a record, but a wrapper with much before its list
            self._enter_list(extent.list_at, wrapped=True)
            return
        if end is None:
            self.place, self._fault_told = Place.TOP, True
        else:
            window.at = end
        size = window.offset - start
        detail = f"more than {self.limits.record_bytes} bytes" + (", and the content ends inside it" * (end is None))
        self._damage(self.found, start, ("record_too_large", detail), beginning, size)

    def _rest(self, reason: str, detail: str) -> None:
        """All that is left is one damage."""
        window = self.window
        start = window.offset
        beginning = window.data[window.at : window.at + self.limits.record_bytes]
        while window.left:
            window.at = len(window.data)
            window.fill(self._window_bytes)
        fault, size = self.content.fault, window.offset - start
        if fault and fault.reason != "trailing_bytes" and reason != "not_json":
            reason, detail = fault.reason, fault.detail
        self.place, self._fault_told = Place.TOP, True
        data = beginning if size <= self.limits.record_bytes else beginning[:SAMPLE_BYTES]
        self._damage(self.found, start, (reason, detail), data, size)

    def finish(self) -> None:
        """Tell what is wrong with the end of the content, once `advance` has said that it is there."""
        fault, offset = self.content.fault, self.content.size
        if fault and fault.reason != "trailing_bytes":
            if not self._fault_told:
                self._damage(self.found, offset, (fault.reason, fault.detail), b"", 0)
            return
        if self.place is not Place.TOP:
            self._damage(self.found, offset, ("truncated", f"the content ends {self.place.value}"), b"", 0)
        if fault:
            self._damage(self.found, offset, (fault.reason, fault.detail), fault.data, fault.size)

    # Verdicts and accounting: whatever takes an ordinal takes it here, or as one of a run.

    def _bad(self, end: int) -> None:
        value = self.window.data[self.window.at : end]
        if len(value) > self.limits.record_bytes and self._enters_page():
            return
        problem = record_problem(value, self.limits)
        if problem is None or problem is NOT_AN_OBJECT:
            problem = invalid_json(value)
        self.note(self.found, value, self.window.offset, problem)
        self.window.at = end

    def note(self, found: Findings, value: bytes, offset: int, problem: Problem | None) -> None:
        """Give a value its ordinal: as a record, or with a problem as damage."""
        if problem:
            data = value if len(value) <= self.limits.record_bytes else value[:SAMPLE_BYTES]
            self._damage(found, offset, problem, data, len(value))
            return
        found.add(value, offset)
        self.records += 1

    def _damage(self, found: Findings, offset: int, problem: Problem, data: bytes, size: int) -> None:
        found.add_damage(offset, problem, data, size)
        self.records += 1
