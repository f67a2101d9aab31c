"""From Python values to Arrow columns, quickly: what the sources share.

A function takes the values of one field of many records. Equal values give equal results whatever stands beside them,
so that reading an object in other pieces gives the same rows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

TEXT = pa.string()
MOMENT = pa.timestamp("us", tz="UTC")
WORDS = pa.list_(pa.string())

T = TypeVar("T")
U = TypeVar("U")
Words = tuple[str, ...]
"""One row's values of one indicator."""
NO_WORDS: Words = ()

# What Python's datetime can hold: a time outside would break whoever reads the row.
_FIRST_MICROSECOND = -62_135_596_800_000_000
_LAST_MICROSECOND = 253_402_300_799_999_999
_TOO_FINE = re.compile(r"(\.\d{6})\d+")


def strings(values: Sequence[str | None]) -> pa.StringArray:
    """A text column; one without any value costs next to nothing."""
    if not any(values) and values.count(None) == len(values):  # `any` ends at the first text, `count` never
        return pa.nulls(len(values), TEXT)
    return pa.array(values, TEXT)


def json_texts(values: Sequence[msgspec.Raw]) -> pa.StringArray:
    """A column of JSON texts as the vendor wrote them; an empty text (field absent) and `null` become null.

    The texts are joined once and the column is laid over the result: no Python string is made per value.
    """
    data = b"".join(values)
    if not data:
        return pa.nulls(len(values), TEXT)
    sizes = np.fromiter(map(len, values), np.int32, len(values))
    offsets = np.zeros(len(values) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    present = sizes > 0
    four = np.flatnonzero(sizes == 4)
    present[four] = np.frombuffer(data, np.uint8)[offsets[four]] != ord("n")  # of all JSON values only null has an n
    validity = pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(offsets), pa.py_buffer(data), validity)


def moments(values: pa.StringArray) -> pa.TimestampArray:
    """Times from RFC 3339 texts; null where a text is no time, lacks its zone or leaves the years 1 to 9999."""
    try:
        return within_calendar(values.cast(MOMENT))
    except pa.ArrowInvalid:
        encoded = values.dictionary_encode()
        known = pa.array([_moment(text) for text in encoded.dictionary.to_pylist()], pa.int64())
        return within_calendar(known.take(encoded.indices).cast(MOMENT))


def _moment(text: str) -> int | None:
    """Microseconds since the epoch; digits beyond them are cut off."""
    try:
        parsed = pa.array([_TOO_FINE.sub(r"\1", text)], TEXT).cast(MOMENT)
    except pa.ArrowInvalid:
        return None
    return int(parsed.cast(pa.int64())[0].as_py())


def within_calendar(times: pa.TimestampArray) -> pa.TimestampArray:
    """The times, those outside the years 1 to 9999 made null."""
    micros = microseconds(times)
    outside = (micros < _FIRST_MICROSECOND) | (micros > _LAST_MICROSECOND)
    if not outside.any():
        return times
    missing = outside | times.is_null().to_numpy(zero_copy_only=False)
    return pa.array(micros, pa.int64(), mask=missing).cast(MOMENT)


def microseconds(times: pa.TimestampArray) -> NDArray[np.int64]:
    """Times as microseconds since the epoch, 0 where null."""
    numbers = times.cast(pa.int64())
    if numbers.null_count:
        numbers = numbers.fill_null(0)
    return np.asarray(numbers.to_numpy(), np.int64)


def lists(rows: Sequence[Sequence[str]]) -> pa.ListArray:
    """A column of word lists; an empty list becomes null."""
    sizes = np.fromiter(map(len, rows), np.int32, len(rows))
    return _list_array(sizes, pa.array(list(chain.from_iterable(rows)), TEXT))


def zipped(*columns: pa.StringArray) -> pa.ListArray:
    """A column of word lists: row by row the values of several columns, nulls and empty texts left out."""
    rows, width = len(columns[0]), len(columns)
    lengths = [pc.binary_length(column).fill_null(0).to_numpy(zero_copy_only=False) for column in columns]
    present = np.stack(lengths, axis=1) > 0
    order = np.arange(rows)[:, None] + np.arange(width) * rows
    values = pa.concat_arrays(columns).take(pa.array(order[present]))
    return _list_array(present.sum(axis=1, dtype=np.int32), values)


def united(*columns: pa.StringArray) -> pa.ListArray:
    """A column of word lists: row by row the values of several columns, each once and nulls left out."""
    encoded = pa.concat_arrays(columns).dictionary_encode()
    codes = encoded.indices.fill_null(-1).to_numpy().reshape(len(columns), -1)
    present = codes >= 0
    for later in range(1, len(columns)):
        for earlier in range(later):
            present[later] &= codes[later] != codes[earlier]
    values = encoded.dictionary.take(pa.array(codes.T[present.T]))
    return _list_array(present.sum(axis=0, dtype=np.int32), values)


def _list_array(sizes: NDArray[np.int32], values: pa.StringArray) -> pa.ListArray:
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(sizes == 0))


@dataclass(frozen=True, slots=True)
class Groups(Generic[T]):
    """One value per row where few are distinct: row i has `values[rows[i]]`."""

    values: Sequence[T]
    rows: NDArray[np.int64]

    @classmethod
    def of(cls, texts: pa.StringArray, read: Callable[[str], T], nothing: T) -> Groups[T]:
        """What `read` says of each text, asked once per distinct text; `nothing` where null."""
        encoded = texts.dictionary_encode()
        values = [*map(read, encoded.dictionary.to_pylist()), nothing]
        return cls(values, encoded.indices.fill_null(len(values) - 1).to_numpy().astype(np.int64))

    def map(self, change: Callable[[T], U]) -> Groups[U]:
        """The rows with another value for each distinct one."""
        return Groups([change(value) for value in self.values], self.rows)

    def join(self: Groups[Words], *others: Groups[Words]) -> Groups[Words]:
        """Row by row the words of all, each once, in order; worked out once per distinct combination."""
        joined = self
        for other in others:
            joined = joined._join(other)
        return joined

    def _join(self: Groups[Words], other: Groups[Words]) -> Groups[Words]:
        width = len(other.values)
        pairs = pa.array(self.rows * width + other.rows).dictionary_encode()
        split = [divmod(pair, width) for pair in pairs.dictionary.to_pylist()]
        words = [tuple(dict.fromkeys(self.values[left] + other.values[right])) for left, right in split]
        return Groups(words, pairs.indices.to_numpy().astype(np.int64))

    def lists(self: Groups[Words]) -> pa.ListArray:
        """The rows as a column of word lists; an empty list becomes null."""
        if not any(self.values):
            return pa.nulls(len(self.rows), WORDS)
        return lists(self.values).take(pa.array(self.rows))

    def single(self: Groups[Words]) -> pa.StringArray | None:
        """The rows as a column of words, null where there is none; None if some row has more than one."""
        if max(map(len, self.values)) > 1:
            return None
        return pa.array([words[0] if words else None for words in self.values], TEXT).take(pa.array(self.rows))


def merged(groups: Sequence[Groups[Words]]) -> pa.ListArray:
    """A column of word lists: row by row the words of all groups, each once and in order."""
    telling = [group for group in groups if any(group.values)] or groups[:1]
    columns = [group.single() for group in telling]
    if any(column is None for column in columns):
        return telling[0].join(*telling[1:]).lists()
    return united(*columns)  # without a Python object for each combination, of which there may be one for every row
