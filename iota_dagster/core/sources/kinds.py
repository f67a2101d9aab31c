"""What a field can hold, and how its values become a column, whatever they are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

import pyarrow as pa

from iota_dagster.core.sources.columns import MOMENT, TEXT, WORDS, json_texts, lists, strings
from iota_dagster.core.sources.times import times, times_of_texts


class Kind(Enum):
    """What a field holds, by the Arrow type of its column."""

    TEXT = TEXT
    INTEGER = pa.int64()
    NUMBER = pa.float64()
    FLAG = pa.bool_()
    TIME = MOMENT
    WORDS = WORDS  # a list of texts
    JSON = "json"  # any structure, kept as its JSON text

    @property
    def column(self) -> pa.DataType:
        """The column's type."""
        return TEXT if self is Kind.JSON else self.value


Values = Sequence[Any]
"""One field's values, record by record: what JSON has, or an Arrow column of texts (of lists of texts for `WORDS`)."""


def to_column(kind: Kind, values: Values) -> pa.Array:
    """The column of a field's values; what is not of its kind is null, or JSON text in a text column."""
    if not isinstance(values, pa.Array):
        return _CONVERT[kind](values)
    if kind.column == values.type:
        return values
    if values.null_count == len(values):
        return pa.nulls(len(values), kind.column)
    return _CONVERT_TEXTS[kind](values)


def _integers(values: Values) -> pa.Int64Array:
    if float in set(map(type, values)):  # Arrow would cut 0.5 down to 0, but only beside numbers
        return pa.array([_integer(value) for value in values], pa.int64())
    return _typed(values, pa.int64(), _integer)


def _typed(values: Values, kind: pa.DataType, one: Callable[[Any], Any]) -> pa.Array:
    """A column of numbers from numbers or texts of them; by `one` for each value where some are neither."""
    try:
        return pa.array(values, kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
        pass
    try:
        return pa.array(values, TEXT).cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([one(value) for value in values], kind)


def _typed_texts(texts: pa.StringArray, kind: pa.DataType, one: Callable[[Any], Any]) -> pa.Array:
    try:
        return texts.cast(kind)
    except pa.ArrowInvalid:
        return pa.array([one(text) for text in texts.to_pylist()], kind)


_HEXADECIMAL = re.compile("0[xX][0-9a-fA-F]{1,16}")  # Arrow reads these as the 64 bits of a number with a sign


def _integer(value: Any) -> int | None:
    """What Arrow makes of a value alone, where it takes it; more where it does not."""
    if isinstance(value, str) and _HEXADECIMAL.fullmatch(value):
        return int.from_bytes(int(value, 16).to_bytes(8), signed=True)
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        return None
    exact = not isinstance(value, float) or value == whole
    return whole if exact and -(2**63) <= whole < 2**63 else None


def _numbers(values: Values) -> pa.DoubleArray:
    return _typed(values, pa.float64(), _number)


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


_FLAGS = {"true": True, "false": False, "1": True, "0": False}


def _flags(values: Values) -> pa.BooleanArray:
    return pa.array(
        [value if value is None or isinstance(value, bool) else _FLAGS.get(str(value).lower()) for value in values],
        pa.bool_(),
    )


def _lists(values: Values) -> pa.ListArray:
    return lists([value or () for value in values])


_CONVERT: Mapping[Kind, Callable[[Values], pa.Array]] = {
    Kind.TEXT: strings,
    Kind.INTEGER: _integers,
    Kind.NUMBER: _numbers,
    Kind.FLAG: _flags,
    Kind.TIME: times,
    Kind.WORDS: _lists,
    Kind.JSON: json_texts,
}
_CONVERT_TEXTS: Mapping[Kind, Callable[[pa.StringArray], pa.Array]] = {
    Kind.INTEGER: lambda texts: _typed_texts(texts, pa.int64(), _integer),
    Kind.NUMBER: lambda texts: _typed_texts(texts, pa.float64(), _number),
    Kind.FLAG: lambda texts: _flags(texts.to_pylist()),
    Kind.TIME: times_of_texts,
}
