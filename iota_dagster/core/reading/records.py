"""The way into a log object: which reader its content needs, by its first bytes and never by its name.

| first bytes | reader |
|---|---|
| `PAR1` | `parquet_records.ParquetRecords` |
| white space, then `{`, or `[` as of a list of objects | `decode.Decoder`, within `unwrap.Unwrapped` |
| anything else | `lines.LineReader`, likewise: its lines may be JSON objects |
"""

from __future__ import annotations

import re
from typing import BinaryIO

from iota_dagster.core.reading.chunk import Chunk, Damage, RecordReader
from iota_dagster.core.reading.content import Content, DecodeLimits, Window
from iota_dagster.core.reading.decode import WINDOW_BYTES, Decoder
from iota_dagster.core.reading.lines import NO_HEADERS, Headers, LineReader
from iota_dagster.core.reading.parquet_records import PARQUET_MARK, ParquetRecords
from iota_dagster.core.reading.unwrap import Unwrapped

__all__ = ["Chunk", "Damage", "Headers", "RecordReader", "open_records"]

_DEFAULT_LIMITS = DecodeLimits()
_BLANKS = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)*+")
_PEEK_BYTES = 4096
_IN_LIST = (b"", b"{", b"[", b"]", b'"', b",")
"""What follows a list's bracket, blanks aside."""


def open_records(
    stream: BinaryIO,
    limits: DecodeLimits = _DEFAULT_LIMITS,
    *,
    headers: Headers = NO_HEADERS,
    header: bytes | None = None,
    window_bytes: int = WINDOW_BYTES,
) -> RecordReader:
    """The records of an object, whatever its form; reads its beginning.

    `headers` tells which lines of a text are headers, `header` is the one in force at the beginning. `stream` stands
    at its start, and stays open while the records are read.
    """
    window = Window(Content(stream, limits))
    window.fill(_PEEK_BYTES)
    if window.data.startswith(PARQUET_MARK):
        return ParquetRecords(stream, window, limits, window_bytes)
    if _is_json(window, limits):
        reader: RecordReader = Decoder(window, limits, window_bytes=window_bytes)
    else:
        reader = LineReader(window, limits, window_bytes, headers=headers, header=header)
    return Unwrapped(reader, limits, window_bytes, header=header)


def _is_json(window: Window, limits: DecodeLimits) -> bool:
    """Whether the first bytes that mean something open an object or a list of them; moves over blank lines before.

    A line may begin with a bracket too, as in `[06/Feb/2026:00:00:38 +0000] …`.
    """
    while True:
        data, end = window.data, _behind_blanks(window.data, window.at)
        window.at = data.rfind(b"\n", window.at, end) + 1 or window.at
        if data[end : end + 1] == b"[":
            behind = _behind_blanks(data, end + 1)
            if behind < len(data) or window.ended:
                return data[behind : behind + 1] in _IN_LIST
        elif end < len(data) or window.ended:
            return data[end : end + 1] == b"{"
        if window.left > limits.record_bytes:
            window.at = end  # so many blanks are no part of a record
        window.fill(window.left + _PEEK_BYTES)


def _behind_blanks(data: bytes, at: int) -> int:
    blanks = _BLANKS.match(data, at)
    return blanks.end() if blanks else at
