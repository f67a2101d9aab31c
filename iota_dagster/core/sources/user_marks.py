"""What tells a user's JSON log type from others: fields that are there, and fields that have one of some values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from iota_dagster.core.sources.user_schema import Value

_Test = frozenset[bytes]
"""The values that a field may have, as canonical JSON; of an empty one any but null."""
_Node = dict[str, "_Node | _Test"]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_SHOWN = 40


class JsonMarks:
    """Tests records of JSON; each place is the keys on the way to it."""

    def __init__(
        self, required: Sequence[Sequence[str]], values: Mapping[tuple[str, ...], Sequence[Value]] | None = None
    ) -> None:
        """`ValueError` when a place is both fixed and on the way to another one."""
        tests: dict[tuple[str, ...], _Test] = {tuple(keys): frozenset() for keys in required}
        tests |= {keys: frozenset(map(_encode, choices)) for keys, choices in (values or {}).items()}
        self.count = len(tests)
        self._words = [_in_words(keys, (values or {}).get(keys, ())) for keys in tests]
        self._root: _Node = {}
        for keys in sorted(tests, key=len):
            _plant(self._root, keys, tests[keys])
        self._read = msgspec.json.Decoder(_struct(self._root)).decode

    def hold(self, record: bytes) -> bool:
        """Whether the record has them; never raises."""
        if not record.startswith(b"{"):
            return False
        try:
            return _holds(self._root, self._read(record))
        except (msgspec.MsgspecError, RecursionError):
            return False

    def __str__(self) -> str:
        return ", ".join(self._words)


def _plant(root: _Node, keys: Sequence[str], test: _Test) -> None:
    *way, last = keys
    node = root
    for key in way:
        inner = node.get(key)
        if isinstance(inner, frozenset) and inner:
            raise ValueError(f"{'.'.join(keys)} lies below {key}, which has a fixed value")
        if not isinstance(inner, dict):  # that it is there follows from what lies below it
            inner = node[key] = {}
        node = inner
    node[last] = test


def _struct(node: _Node) -> type[msgspec.Struct]:
    """A struct that lacks nothing: a record without one of its keys cannot be decoded into it."""
    members = [
        (f"f{number}", _struct(below) if isinstance(below, dict) else msgspec.Raw)
        for number, below in enumerate(node.values())
    ]
    rename = {f"f{number}": key for number, key in enumerate(node)}
    return msgspec.defstruct("_Marks", members, rename=rename, gc=False)


def _holds(node: _Node, found: msgspec.Struct) -> bool:
    return all(
        _holds(below, value) if isinstance(below, dict) else _passes(below, bytes(value))
        for below, value in zip(node.values(), msgspec.structs.astuple(found), strict=True)
    )


def _passes(test: _Test, value: bytes) -> bool:
    if not test:
        return value != b"null"
    return value in test or (value[:1] not in b"{[" and _encode(_decode(value)) in test)


def _in_words(keys: Sequence[str], choices: Sequence[Any]) -> str:
    shown = " or ".join(str(choice)[:_SHOWN] for choice in choices)
    return f"{'.'.join(keys)} ({shown})" if shown else ".".join(keys)
