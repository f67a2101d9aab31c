"""Routing by columns: which rows of a record batch some rule may match, before a single record is read.

A coarse first sieve over the typed columns that hold a top-level text of the record as it stands; what passes is told
apart exactly by `detection.routes`. A null column says nothing of its field's absence (the value may be no text, the
key in another spelling), so such a row is kept unless no spelling of the key is in the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.detection.values import Need, Values

Mask = NDArray[np.bool_]


class Sieve:
    """What some rules of one log type need, over the columns that can tell; `fields` are the columns it looks at.

    `texts` are the columns by field, the most telling first: see `Source.texts`.
    """

    def __init__(self, needs: Sequence[Need], texts: Mapping[str, str]) -> None:
        self._wanted: dict[str, Values] = {}
        self._columns = texts
        self._all, self._none = False, not needs
        for need in needs:
            field = next((name for name in texts if name in need), None)
            if field is None:
                self._all = True
            else:
                self._wanted[field] = self._wanted.get(field, Values()) | need[field]
        self.fields = () if self._all else tuple(texts[field] for field in self._wanted)

    def mask(self, rows: pa.RecordBatch) -> Mask:
        """The rows that some rule may match."""
        if self._all or self._none:
            return np.full(rows.num_rows, self._all)
        passed = np.zeros(rows.num_rows, np.bool_)
        for field, values in self._wanted.items():
            passed |= _among(rows.column(self._columns[field]), values)
        for field, values in self._wanted.items():
            passed |= self._perhaps(rows, field, values.absent, passed)
        return passed

    def _perhaps(self, rows: pa.RecordBatch, field: str, absent: bool, passed: Mask) -> Mask:
        """Of the rows not passed yet, those whose column is null and that may have the field all the same."""
        open_rows = _as_mask(rows.column(self._columns[field]).is_null()) & ~passed
        if absent or not open_rows.any():
            return open_rows
        indices = np.flatnonzero(open_rows)
        raw = rows.column("p_raw").take(pa.array(indices))
        open_rows[indices] = _as_mask(mentions(raw, field.rpartition(".")[2]))
        return open_rows


def _among(column: pa.Array, values: Values) -> Mask:
    """Each different text is looked at once."""
    encoded = column.dictionary_encode()
    admitted = np.array([*map(values.admits, encoded.dictionary.to_pylist()), False], np.bool_)
    return cast("Mask", admitted[encoded.indices.fill_null(len(admitted) - 1).to_numpy()])


def mentions(raw: pa.Array, field: str) -> pa.Array:
    """Which records may have a key in some spelling; escapes and letters beyond ASCII leave it open."""
    spelled = pc.match_substring(raw, f'"{field}"', ignore_case=True)
    escaped = pc.match_substring(raw, "\\u")
    return pc.or_(pc.or_(spelled, escaped), pc.invert(pc.string_is_ascii(raw)))


def _as_mask(values: pa.Array) -> Mask:
    return cast("Mask", values.to_numpy(zero_copy_only=False))
