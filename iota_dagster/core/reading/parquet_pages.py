"""What the pages of a Parquet column really hold, read from their headers before Arrow trusts them.

Arrow allocates what a page's header asks for, and reads a list however long it is; the sizes in the footer bind nobody.
A page is skipped by the length its header gives, as Arrow does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from iota_dagster.core.reading.thrift import Struct, integer, read_struct, struct

DICTIONARY_PAGE = 2
DELTA_BYTE_ARRAY = 7
_DATA_PAGE_V2 = 3
_HEADERS = {0: 5, DICTIONARY_PAGE: 7, _DATA_PAGE_V2: 8}  # page type -> the field with its own header
_HEADER_BYTES = 512
_MOST_HEADER_BYTES = 1 << 20  # statistics can be long texts


class Seekable(Protocol):
    """What is read of a stream."""

    def read(self, size: int = -1, /) -> bytes:
        """Up to `size` bytes."""
        ...

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Stand at `offset`."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One page: `size` is its bytes once decompressed, `values` counts nulls too."""

    kind: int
    size: int
    values: int
    encoding: int


def pages(stream: Seekable, start: int, size: int) -> Iterator[Page]:
    """The data and dictionary pages of the column chunk at `start`; `ValueError` where they are none."""
    end = start + size
    while start < end:
        header, length = _header(stream, start, end)
        kind, plain, stored = (integer(header, field) for field in (1, 2, 3))
        start += length + stored
        if min(plain, stored) < 0 or start > end:
            raise ValueError(f"a page of {plain} bytes, {stored} stored, does not fit its column")
        if kind in _HEADERS:
            inner = struct(header.get(_HEADERS[kind]))
            values = integer(inner, 1)
            if values < 0:
                raise ValueError(f"a page of {values} values")
            yield Page(kind, plain, values, integer(inner, 4 if kind == _DATA_PAGE_V2 else 2))


def _header(stream: Seekable, start: int, end: int) -> tuple[Struct, int]:
    """A page's header and its length."""
    wanted = _HEADER_BYTES
    while True:
        stream.seek(start)
        data = stream.read(min(wanted, end - start))
        try:
            return read_struct(data)
        except IndexError:
            if wanted >= _MOST_HEADER_BYTES or start + wanted >= end:
                raise ValueError(f"the page header at byte {start} has no end") from None
        wanted *= 8
