"""Routing by columns: which rows of a record batch some rule may match, before a single record is read.

A coarse first sieve over the typed columns that hold a top-level text of the record as it stands; what passes is told
apart exactly by `detection.routes`. A null column says nothing of its field's absence (the value may be no text, the
key in another spelling), so such a row is kept unless no spelling of the key is in the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.detection.routing.values import Need

Mask = NDArray[np.bool_]
Words = NDArray[np.uint64]
_MOST_REMEMBERED = 10_000
_BEGIN_OTHERS = ("{", "[", "-", "t", "f", *"0123456789")
"""How JSON begins that is no text; null is a null in the column."""


class Sieve:
    """What some rules of one log type need, over the columns that can tell; `fields` are the columns it looks at.

    `texts` are the columns by field: see `Source.texts`. Each need is a bit of a few 64-bit words, each row of a record
    batch has such words, and each text of a column leaves some of the bits.
    """

    def __init__(self, needs: Sequence[Need], texts: Mapping[str, str]) -> None:
        self._none = not needs
        self._all = any(texts.keys().isdisjoint(need) for need in needs)
        wanted = [] if self._all else [field for field in texts if any(field in need for need in needs)]
        self._columns = {field: texts[field] for field in wanted}
        self._asked = {
            field: [(1 << bit, need[field]) for bit, need in enumerate(needs) if field in need] for field in wanted
        }
        self._size = -(-len(needs) // 64)
        self._full = (1 << len(needs)) - 1
        self._needing = {
            field: ~self._without(bit for bit, values in asked if not values.absent)
            for field, asked in self._asked.items()
        }
        self._known: dict[str, dict[str, Words]] = {field: {} for field in wanted}
        self.fields = tuple(self._columns.values())

    def mask(self, rows: pa.RecordBatch) -> Mask:
        """The rows that some rule may match."""
        if self._all or self._none:
            return np.full(rows.num_rows, self._all)
        left = np.tile(self._without(()), (rows.num_rows, 1))
        for field, column in self._columns.items():
            left &= self._leaving(field, rows.column(column).dictionary_encode())
        for field, column in self._columns.items():
            self._take_absent(left, rows, field, column)
        return cast("Mask", left.any(axis=1))

    def _leaving(self, field: str, encoded: pa.DictionaryArray) -> Words:
        """The words of each row by a column's texts; each different text is looked at once, and null leaves all."""
        words = [self._words_of(field, text) for text in encoded.dictionary.to_pylist()]
        indices = encoded.indices.fill_null(len(words)).to_numpy()
        return cast("Words", np.stack([*words, self._without(())])[indices])

    def _words_of(self, field: str, text: str) -> Words:
        known = self._known[field]
        if text not in known:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            asked = () if _stands_for_another(text) else self._asked[field]
            known[text] = self._without(bit for bit, values in asked if not values.admits(text))
        return known[text]

    def _without(self, bits: Iterable[int]) -> Words:
        """All bits but some, as words."""
        left = self._full - sum(bits)
        return np.frombuffer(left.to_bytes(8 * self._size, "little"), np.uint64)

    def _take_absent(self, left: Words, rows: pa.RecordBatch, field: str, column: str) -> None:
        """Take away what cannot do without a field where no spelling of its key is in the record."""
        needing, nulls = self._needing[field], _as_mask(rows.column(column).is_null())
        asked = nulls & (left & needing).any(axis=1) if nulls.any() else nulls
        if asked.any():
            raw = rows.column("p_raw").filter(pa.array(asked))
            absent = np.flatnonzero(asked)[~mentions(raw, field.rpartition(".")[2])]
            left[absent] &= ~needing


def mentions(raw: pa.Array, field: str) -> Mask:
    """Which records may have a key in some spelling; escapes and letters beyond ASCII leave it open.

    Three quick searches: as alternatives of one pattern they take three times as long, and so does Arrow's search for a
    plain text that is not found.
    """
    spelled = pc.match_substring_regex(raw, f'(?i)"{re.escape(field)}"')
    escaped = pc.match_substring_regex(raw, r"\\u")
    return _as_mask(pc.or_(spelled, escaped)) | ~_as_mask(pc.string_is_ascii(raw))


def _stands_for_another(text: str) -> bool:
    """Whether a text may be what a text column has for a value that is none: its JSON (see `sources.fields`)."""
    if not text.startswith(_BEGIN_OTHERS):
        return False
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return text[0] in "[{"  # perhaps too deep, or too odd, for this reader
    return True


def _as_mask(values: pa.Array) -> Mask:
    return cast("Mask", values.to_numpy(zero_copy_only=False))
