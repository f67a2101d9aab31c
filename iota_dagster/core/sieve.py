"""Routing by columns: which rows of a record batch some rule may match, before a single record is read.

A coarse first sieve over the typed columns that hold a top-level text of the record as it stands; what passes is told
apart exactly by `detection.routes`. A null column says nothing of its field's absence (the value may be no text, the
key in another spelling), so such a row is kept unless no spelling of the key is in the record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.detection.values import Need, Values

Mask = NDArray[np.bool_]


class Sieve:
    """What some rules of one log type need, over the columns that can tell; `fields` are those it looks at."""

    def __init__(self, needs: Sequence[Need], texts: Sequence[str]) -> None:
        self._wanted: dict[str, Values] = {}
        self._all, self._none = False, not needs
        for need in needs:
            field = next((name for name in texts if name in need), None)
            if field is None:
                self._all = True
            else:
                self._wanted[field] = self._wanted.get(field, Values()) | need[field]
        self.fields = () if self._all else tuple(self._wanted)

    def mask(self, rows: pa.RecordBatch) -> Mask:
        """The rows that some rule may match."""
        if self._all or self._none:
            return np.full(rows.num_rows, self._all)
        passed = np.zeros(rows.num_rows, np.bool_)
        for field in self.fields:
            passed |= _among(rows.column(field), self._wanted[field])
        for field in self.fields:
            passed |= _perhaps(rows, field, self._wanted[field].absent, passed)
        return passed


def _among(column: pa.Array, values: Values) -> Mask:
    found = pc.is_in(column, value_set=pa.array(sorted(values.exact), pa.string()))
    for prefix in sorted(values.prefixes):
        found = pc.or_(found, pc.fill_null(pc.starts_with(column, prefix), False))
    return _as_mask(found)


def _perhaps(rows: pa.RecordBatch, field: str, absent: bool, passed: Mask) -> Mask:
    """Of the rows not passed yet, those whose column is null and that may have the field all the same."""
    open_rows = _as_mask(rows.column(field).is_null()) & ~passed
    if absent or not open_rows.any():
        return open_rows
    indices = np.flatnonzero(open_rows)
    raw = rows.column("p_raw").take(pa.array(indices))
    open_rows[indices] = _as_mask(mentions(raw, field))
    return open_rows


def mentions(raw: pa.Array, field: str) -> pa.Array:
    """Which records may have a key in some spelling; escapes and letters beyond ASCII leave it open."""
    spelled = pc.match_substring(raw, f'"{field}"', ignore_case=True)
    escaped = pc.match_substring(raw, "\\u")
    return pc.or_(pc.or_(spelled, escaped), pc.invert(pc.string_is_ascii(raw)))


def _as_mask(values: pa.Array) -> Mask:
    return cast("Mask", values.to_numpy(zero_copy_only=False))
