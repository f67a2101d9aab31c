"""JSON as text: where values begin and end, and whether they are valid, without building them.

Valid is what msgspec takes, which is RFC 8259: no NaN, no trailing comma, no raw control character, no lone surrogate
escape. UTF-8 inside strings and nesting are not looked at by it: `is_utf8` and `deeper_than` are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

_values = msgspec.json.Decoder(list[msgspec.Raw])
_value = msgspec.json.Decoder(msgspec.Raw)
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)|[{}\[\]]', re.DOTALL)
_STRING_REST = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+("?)', re.DOTALL)
_LIST_FOLLOWS = re.compile(rb"[ \t\r\n]*+(?::[ \t\r\n]*+)?+(\[?)")
_TRAILING = re.compile(r"trailing characters \(byte (\d+)\)")
_BETWEEN_OBJECTS = re.compile(rb"\}[ \t\r\n]*\{")
_QUOTE, _OPEN, _BRACE = ord('"'), frozenset(b"{["), ord("{")
_SPAN = 4096
_SLICE = 64 << 10  # small temporaries stay in the cache and in the allocator
RECORDS_KEY = b'"Records"'


def split_list(text: bytes) -> list[bytes] | None:
    """The values of a comma-separated run, byte for byte; None unless `text` is exactly such a run.

    If `[text]` is valid JSON then `text` ends after a whole value, so success proves a guessed cut right.
    """
    try:
        return list(map(bytes, _values.decode(b"".join((b"[", text, b"]")))))
    except (msgspec.MsgspecError, RecursionError):
        return None


def split_lines(text: bytes) -> list[bytes] | None:
    """The values of JSON lines; None unless every line that is not blank is exactly one object."""
    return _proven([line for line in (raw.strip(b" \t\r,") for raw in text.split(b"\n")) if line])


def split_objects(text: bytes) -> list[bytes] | None:
    """The objects of a run without commas, white space between them or not; None unless it is exactly that."""
    pieces = _BETWEEN_OBJECTS.split(text)
    last = len(pieces) - 1
    braced = [b"".join((b"{" if n else b"", piece, b"}" if n < last else b"")) for n, piece in enumerate(pieces)]
    return _proven([piece.strip(b" \t\r\n") for piece in braced])


def _proven(pieces: list[bytes]) -> list[bytes] | None:
    # Joined pieces may parse although a piece is not a value (a string cut in two): only equality proves each.
    if not all(piece.startswith(b"{") for piece in pieces) or split_list(b",".join(pieces)) != pieces:
        return None
    return pieces


def last_between_objects(text: bytes, start: int, end: int) -> int:
    """Where the second object of the last `} {` between `start` and `end` begins; -1 without one."""
    brace = end
    while (brace := text.rfind(b"{", start, brace)) > start:
        before = text[max(start, brace - 64) : brace].rstrip(b" \t\r\n")
        if before.endswith(b"}"):
            return brace
    return -1


def first_value(text: bytes, at: int) -> bytes | None:
    """The valid object or list that begins at `at`; None if it is not valid, not whole, or was not found this way.

    msgspec's complaint about what follows a value tells its end far faster than a scan would. It is a hint only: the
    value it leads to is parsed again, and such a value can have no other end.
    """
    wrong = error(memoryview(text)[at:])
    hint = _TRAILING.search(wrong)
    if wrong and not hint:
        return None
    value = text[at : at + int(hint[1]) - 1 if hint else len(text)].rstrip(b" \t\r\n")
    return None if error(value) else value


def error(text: bytes | memoryview) -> str:
    """Why `text` is not one valid JSON value; empty if it is."""
    try:
        _value.decode(text)
    except (msgspec.MsgspecError, RecursionError) as wrong:
        return str(wrong)
    return ""


def is_beginning(text: bytes | memoryview) -> bool:
    """Whether `text` is the beginning of a valid value: cut off, but not wrong."""
    wrong = error(text)
    if wrong.endswith((f"invalid number (byte {len(text)})", f"invalid character (byte {len(text)})")):
        wrong = error(b"".join((text, b"0")))  # `1.` lacks only a digit
    return not wrong or "truncated" in wrong


def is_utf8(text: bytes) -> bool:
    """Whether `text` is valid UTF-8."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


class Extent:
    """Finds the end of a value by its strings and brackets alone, over as many texts as it takes.

    `depth` 0 starts at a value; 1 inside an object, whose end is looked for. The search also stops at a list under one
    of the keys `lists` (in quotes) of the outermost object: `list_at` is then its first byte inside.
    """

    def __init__(self, depth: int = 0, *, lists: Sequence[bytes] = ()) -> None:
        """Nothing is searched before `feed`."""
        self.depth = self.deepest = depth
        self.list_at: int | None = None
        self.consumed = 0
        self._lists = lists
        self._quoted = False

    def feed(self, text: bytes, at: int = 0) -> int | None:
        """Where the value ends in `text`; None if it does not: then go on with a text that begins at `consumed`."""
        if self._quoted:
            rest = _STRING_REST.match(text, at)
            self.consumed = at = rest.end() if rest else at
            self._quoted = not (rest and rest[1])
            if self._quoted:
                return None
            if self.depth == 0:
                return at
        return self._brackets(text, at)

    def _brackets(self, text: bytes, at: int) -> int | None:
        for token in _TOKEN.finditer(text, at):
            first = text[token.start()]
            if first == _QUOTE:
                if not token[1]:
                    self._quoted = not (self.depth == 1 and any(key.startswith(token[0]) for key in self._lists))
                    self.consumed = token.end() if self._quoted else token.start()
                    return None
                if self.depth == 1 and token[0] in self._lists and self._stops_at(text, token):
                    return None
            elif first in _OPEN:
                self.depth += 1
                self.deepest = max(self.deepest, self.depth)
            else:
                self.depth -= 1
            if self.depth == 0:
                return token.end()
        self.consumed = len(text)
        return None

    def _stops_at(self, text: bytes, key: re.Match[bytes]) -> bool:
        follows = _LIST_FOLLOWS.match(text, key.end())
        if follows and follows[1]:
            self.list_at = follows.end()
        self.consumed = key.start()
        return follows is not None and (bool(follows[1]) or follows.end() == len(text))


def deeper_than(limit: int, text: bytes, records: Sequence[bytes]) -> list[int]:
    """Which of the records of `text` nest deeper than `limit`.

    Counting every record's brackets would cost more than parsing it. A record of up to 4 KiB lies within some 4 KiB
    and 64 bytes of `text`, so if no such stretch has more than `limit` opening brackets, only longer ones are counted.
    """
    suspects: Sequence[int] = range(len(records))
    if _densest(text) <= limit:
        suspects = [n for n, record in enumerate(records) if len(record) > _SPAN]
    return [n for n in suspects if is_deeper_than(limit, records[n])]


def is_deeper_than(limit: int, record: bytes) -> bool:
    """Whether one value nests deeper than `limit`."""
    if record.count(b"{") + record.count(b"[") <= limit:
        return False
    extent = Extent()
    extent.feed(record)
    return extent.deepest > limit


def _densest(text: bytes) -> int:
    """The most opening brackets in any `_SPAN` + 64 bytes of `text` (64-byte steps)."""
    codes = np.frombuffer(text, np.uint8)
    counts = np.concatenate([_opens(codes[at : at + _SLICE]) for at in range(0, len(codes), _SLICE)])
    sums = np.concatenate(([0], np.cumsum(counts, dtype=np.int64)))
    width = min(_SPAN // 64 + 1, len(counts))
    return int((sums[width:] - sums[:-width]).max())


def _opens(codes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    bits = np.packbits((codes | 0x20) == _BRACE)  # `[` is `{` without that bit
    words = np.zeros(-(-len(bits) // 8), np.uint64)
    words.view(np.uint8)[: len(bits)] = bits
    return np.bitwise_count(words)
