"""Thrift's compact protocol, as much as Parquet's footers and page headers need: bytes -> plain values.

`IndexError` says that the data end too early, `ValueError` that they are no such thing.
"""

from __future__ import annotations

Value = int | bytes | list["Value"] | dict[int, "Value"] | None
"""A number, a text, a list, a struct by its fields' numbers; None stands for what Parquet's layout never asks for."""
Struct = dict[int, Value]

_MOST_DEPTH = 16
_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _SET, _STRUCT = 1, 2, 3, 7, 8, 9, 10, 12
_INTEGERS = frozenset({4, 5, 6})


def read_struct(data: bytes, at: int = 0, depth: int = 0) -> tuple[Struct, int]:
    """The struct at `at`, and where it ends."""
    fields: Struct = {}
    number = 0
    while code := data[at]:
        at += 1
        if code >> 4:
            number += code >> 4
        else:
            number, at = _zigzag(data, at)
        fields[number], at = _value(code & 15, data, at, depth)
    return fields, at + 1


def integer(fields: Struct, number: int) -> int:
    """A field that must be a number."""
    value = fields.get(number)
    if not isinstance(value, int):
        raise ValueError(f"field {number} is no number")
    return value


def struct(value: Value) -> Struct:
    """A value that must be a struct."""
    if not isinstance(value, dict):
        raise ValueError("a struct is missing")
    return value


def structs(fields: Struct, number: int) -> list[Struct]:
    """A field that must be a list of structs; a missing one is empty."""
    value = fields.get(number, [])
    if not isinstance(value, list):
        raise ValueError(f"field {number} is no list")
    return [struct(item) for item in value]


def _value(kind: int, data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if depth > _MOST_DEPTH:
        raise ValueError("structs are nested too deep")
    if kind in (_TRUE, _FALSE):
        return None, at
    if kind in _INTEGERS:
        return _zigzag(data, at)
    if kind == _STRUCT:
        return read_struct(data, at, depth + 1)
    if kind == _BINARY:
        size, at = _varint(data, at)
        return data[at : at + size], _within(data, at + size)
    if kind in (_LIST, _SET):
        return _list(data, at, depth)
    if kind in (_BYTE, _DOUBLE):
        return None, _within(data, at + (1 if kind == _BYTE else 8))
    raise ValueError(f"a value of type {kind}")  # Parquet has no maps


def _list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    count, kind = data[at] >> 4, data[at] & 15
    at += 1
    if count == 15:
        count, at = _varint(data, at)
    found: list[Value] = []
    for _ in range(count):
        value, at = (None, at + 1) if kind in (_TRUE, _FALSE) else _value(kind, data, at, depth + 1)
        found.append(value)
        _within(data, at)
    return found, at


def _within(data: bytes, end: int) -> int:
    if end > len(data):
        raise IndexError(end)
    return end


def _zigzag(data: bytes, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number without an end")
