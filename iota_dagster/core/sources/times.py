"""Event times as vendors write them: RFC 3339 with or without zone, and numbers since 1970 in any unit.

A text without a zone is UTC: no vendor here writes local time without saying so. A number's unit is told by its size,
which is unambiguous for every moment between 1973 and 5138.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isfinite

import numpy as np
import pyarrow as pa

from iota_dagster.core.sources.columns import MOMENT, TEXT, within_calendar

NANOSECOND = pa.timestamp("ns", tz="UTC")
Written = str | int | float | None
"""A time as a record has it."""

_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,12})?")
_TEXT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2})(?::([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,12}))?)?|(?=[Z+-]))"
    r" ?(?:[Zz]|UTC|([+-])([01][0-9]|2[0-3]):?([0-5][0-9])?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NANOSECONDS = ((10**11, 10**9), (10**14, 10**6), (10**17, 10**3), (10**20, 1))
"""Numbers below the first are in units of the second."""
_FINEST = range(-(2**63) + 1, 2**63)


def times(values: Sequence[Written]) -> pa.TimestampArray:
    """Times of a column; null where a value is no time, or one outside the years 1 to 9999.

    In microseconds, or in nanoseconds where some value has them and all fit into 64 bits.
    """
    kinds = set(map(type, values))
    if kinds <= {int, type(None)}:
        return _from_nanoseconds([_of_number(value) if isinstance(value, int) else None for value in values])
    if kinds <= {str, type(None)}:
        return times_of_texts(pa.array(values, TEXT))
    return _from_nanoseconds([nanoseconds_of(value) for value in values])


def times_of_texts(texts: pa.StringArray) -> pa.TimestampArray:
    """The same of a column of texts."""
    try:
        return within_calendar(texts.cast(MOMENT))
    except pa.ArrowInvalid:
        encoded = texts.dictionary_encode()
        known = _from_nanoseconds([nanoseconds(text) for text in encoded.dictionary.to_pylist()])
        return known.take(encoded.indices)


def nanoseconds_of(value: Written) -> int | None:
    """Nanoseconds since 1970 of a time as a record has it; None when it is no time."""
    if isinstance(value, float):
        return _of_number(Decimal(repr(value))) if isfinite(value) else None
    return nanoseconds(value if isinstance(value, str) else repr(value))


def nanoseconds(text: str) -> int | None:
    """Nanoseconds since 1970 of a time as text; None when it is no time. Digits beyond them are cut off."""
    if _NUMBER.fullmatch(text):
        return _of_number(Decimal(text))
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, hours, minutes = found.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute or 0), int(second or 0), tzinfo=UTC)
    except ValueError:
        return None
    whole = (moment - _EPOCH) // timedelta(seconds=1)
    offset = (int(hours) * 3600 + int(minutes or 0) * 60) * (-1 if sign == "-" else 1) if sign else 0
    return (whole - offset) * 10**9 + int((fraction or "0")[:9].ljust(9, "0"))


def _of_number(value: int | Decimal) -> int | None:
    for below, unit in _NANOSECONDS:
        if 0 <= value < below:
            return int(value * unit)
    return None


def _from_nanoseconds(values: Sequence[int | None]) -> pa.TimestampArray:
    fine = any(value is not None and value % 1000 for value in values)
    if fine and all(value is None or value in _FINEST for value in values):
        return pa.array(values, pa.int64()).cast(NANOSECOND)
    micros = [None if value is None else value // 1000 for value in values]
    return within_calendar(pa.array(micros, pa.int64()).cast(MOMENT))


def to_microseconds(moments: pa.TimestampArray) -> pa.TimestampArray:
    """The times as the lake keeps them; what is finer is cut off."""
    if moments.type == MOMENT:
        return moments
    nanos = np.asarray(moments.cast(pa.int64()).fill_null(0).to_numpy())
    mask = np.asarray(moments.is_null().to_numpy(zero_copy_only=False))
    return pa.array(nanos // 1000, pa.int64(), mask=mask).cast(MOMENT)
