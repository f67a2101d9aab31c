"""Arrow's columns as values for JSON: row by row, nulls left out, every value as people write it.

Times are RFC 3339 in UTC with their column's precision (a time without a zone counts as UTC), dates ISO 8601, decimals
their digits; bytes are text where they are UTF-8, else base64; what JSON has no number for is `NaN`, `Infinity`, ….
A map whose keys are texts is an object. Equal values of a dictionary stay one object in memory.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

_VALUE_BYTES = 8  # about what a number takes, and the signs around a value


_Sizes = npt.NDArray[np.int64]


class InvalidText(ValueError):
    """A row holds a text that is no UTF-8."""


class _Bytes:
    """A text that is no UTF-8."""

    def __init__(self, data: bytes) -> None:
        self.data = data


def _refuse(value: object) -> object:
    raise InvalidText("a text that is not UTF-8")


def _show(value: object) -> object:
    return value.data.decode("utf-8", "backslashreplace") if isinstance(value, _Bytes) else str(value)


encode = msgspec.json.Encoder(enc_hook=_refuse).encode
"""A row as JSON; `InvalidText` if one of its texts is not UTF-8."""
show = msgspec.json.Encoder(enc_hook=_show).encode
"""A row as JSON, whatever it holds."""


def rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The rows of a batch; `ValueError` where two columns have one name."""
    return _objects(batch.schema.names, [_values(column) for column in batch.columns], batch.num_rows)


def row_sizes(batch: pa.RecordBatch) -> _Sizes:
    """About how many bytes each row takes as JSON, found without building it."""
    return sum((_sizes(column) for column in batch.columns), _constant(batch.num_rows, _names(batch.schema.names)))


def _objects(names: Sequence[str], columns: Sequence[list[Any]], count: int) -> list[dict[str, Any]]:
    if len(set(names)) < len(names):
        raise ValueError("two columns have the same name")
    if not columns:
        return [{} for _ in range(count)]
    if any(None in column for column in columns):
        lines: Iterable[tuple[Any, ...]] = zip(*columns, strict=True)
        return [{name: value for name, value in zip(names, line) if value is not None} for line in lines]  # noqa: B905
    return [dict(zip(names, line)) for line in zip(*columns, strict=True)]  # noqa: B905


def _values(array: pa.Array) -> list[Any]:
    """JSON-ready values, None for null."""
    kind = array.type
    if types.is_dictionary(kind):
        known = _values(array.dictionary)
        return [None if index is None else known[index] for index in array.indices.to_pylist()]
    if isinstance(kind, pa.BaseExtensionType):
        return _values(array.storage)
    if types.is_struct(kind):
        return _structs(array)
    if types.is_map(kind):
        return [None if pairs is None else _map(pairs) for pairs in _lists(_entries(array))]
    if types.is_nested(kind):
        return _lists(array)
    return _scalars(array)


def _structs(array: pa.StructArray) -> list[Any]:
    found = _objects([field.name for field in array.type], [_values(child) for child in array.flatten()], len(array))
    if not array.null_count:
        return found
    return [value if valid else None for value, valid in zip(found, array.is_valid().to_pylist(), strict=True)]


def _lists(array: pa.Array) -> list[Any]:
    values = iter(_values(array.flatten()))  # without those of null lists
    lengths = pc.list_value_length(array).to_pylist()
    return [None if length is None else list(islice(values, length)) for length in lengths]


def _entries(array: pa.MapArray) -> pa.ListArray:
    """A map's entries as a list of structs."""
    pairs = pa.StructArray.from_arrays([array.keys, array.items], names=["key", "value"])
    mask = array.is_null() if array.null_count else None
    offsets = pc.subtract(array.offsets, array.offsets[0])
    used = pairs.slice(array.offsets[0].as_py(), offsets[-1].as_py())
    return pa.ListArray.from_arrays(offsets, used, mask=mask)


def _map(pairs: list[dict[str, Any]]) -> object:
    found = {pair.get("key"): pair.get("value") for pair in pairs}
    if len(found) == len(pairs) and all(isinstance(key, str) for key in found):
        return found
    return [[pair.get("key"), pair.get("value")] for pair in pairs]


def _scalars(array: pa.Array) -> list[Any]:
    kind = array.type
    if types.is_timestamp(kind):
        return _times(array)
    if types.is_floating(kind):
        return _floats(array)
    if types.is_string(kind) or types.is_large_string(kind):
        return _texts(array)
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return [None if value is None else _text_of(value) for value in array.to_pylist()]
    if types.is_integer(kind) or types.is_boolean(kind) or types.is_null(kind):
        return array.to_pylist()  # type: ignore[no-any-return]
    if types.is_duration(kind):
        return pc.cast(array, pa.int64()).to_pylist()  # type: ignore[no-any-return]
    return pc.cast(array, pa.string()).to_pylist()  # type: ignore[no-any-return]


def _times(array: pa.TimestampArray) -> list[Any]:
    utc = pc.cast(array, pa.timestamp(array.type.unit))  # their instants, whatever zone they are shown in
    texts = pc.replace_substring(pc.cast(utc, pa.string()), " ", "T", max_replacements=1)
    return pc.binary_join_element_wise(texts, "Z", "").to_pylist()  # type: ignore[no-any-return]


def _floats(array: pa.Array) -> list[Any]:
    values: list[Any] = pc.cast(array, pa.float64()).to_pylist()
    if pc.all(pc.is_finite(array)).as_py() is not False:
        return values
    return [value if value is None or math.isfinite(value) else _no_number(value) for value in values]


def _no_number(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _texts(array: pa.Array) -> list[Any]:
    try:
        return array.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        binary = pa.large_binary() if types.is_large_string(array.type) else pa.binary()
        return [None if value is None else _checked(value) for value in array.view(binary).to_pylist()]


def _checked(value: bytes) -> str | _Bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return _Bytes(value)


def _text_of(value: bytes) -> str:
    text = _checked(value)
    return text if isinstance(text, str) else base64.b64encode(value).decode()


# Sizes.


def _sizes(array: pa.Array) -> _Sizes:
    kind = array.type
    if types.is_dictionary(kind):
        known: _Sizes = _sizes(array.dictionary)
        indices = array.indices.fill_null(0).to_numpy(zero_copy_only=False)
        return known[indices] if len(known) else _constant(len(array), 0)
    if isinstance(kind, pa.BaseExtensionType):
        return _sizes(array.storage)
    if types.is_struct(kind):
        names = _names([field.name for field in kind])
        return sum((_sizes(child) for child in array.flatten()), _constant(len(array), names))
    if types.is_nested(kind):
        return _list_sizes(_entries(array) if types.is_map(kind) else array)
    if types.is_string(kind) or types.is_binary(kind) or types.is_large_string(kind) or types.is_large_binary(kind):
        lengths = pc.binary_length(array).fill_null(0).to_numpy(zero_copy_only=False)
        sizes: _Sizes = lengths.astype(np.int64) + _VALUE_BYTES
        return sizes
    return _constant(len(array), _VALUE_BYTES + (kind.byte_width if types.is_fixed_size_binary(kind) else 0))


def _list_sizes(array: pa.Array) -> _Sizes:
    lengths = pc.list_value_length(array).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    upto = np.concatenate(([0], np.cumsum(_sizes(array.flatten()))))
    ends = np.concatenate(([0], np.cumsum(lengths)))
    sizes: _Sizes = np.diff(upto[ends]) + _VALUE_BYTES
    return sizes


def _constant(count: int, size: int) -> _Sizes:
    return np.full(count, size, np.int64)


def _names(names: Sequence[str]) -> int:
    return sum(len(name) + _VALUE_BYTES for name in names)


def spans(sizes: _Sizes, most: int) -> list[tuple[int, int]]:
    """Neighbouring rows `(start, stop)` of about `most` bytes each, one row at least."""
    upto = np.cumsum(sizes)
    cuts, at = [0], 0
    while at < len(sizes):
        before = int(upto[at - 1]) if at else 0
        at = max(at + 1, int(np.searchsorted(upto, before + most, side="right")))
        cuts.append(at)
    return list(pairwise(cuts))
