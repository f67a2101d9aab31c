"""The rules of a log type by what they need of an event: which of them a record has to be shown to.

Only the fields that the rules ask for are read from a record, and the answer for each combination of their values is
remembered. Something else than a text rules nothing out. A field counts as absent only if the record has it in no
spelling, since rules may ask in any case (see `event`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

from iota_dagster.core.detection.values import Need, Values, is_never

MOST_FIELDS = 4
_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 200

_T = TypeVar("_T")
_Found = str | Literal[False] | None
"""What a record has in a field: a text, False for nothing, None for what cannot be told."""
_Key = tuple[_Found, ...]


class Routes(Generic[_T]):
    """Items (rules) with what each needs.

    One that can never match is shown everything: that is a mistake of its author, and so its errors are seen.
    """

    def __init__(self, items: Sequence[tuple[Need, _T]]) -> None:
        able = [({} if is_never(need) else need, item) for need, item in items]
        self.fields = routing_fields([need for need, _ in able])
        self._all = [item for _, item in able]
        self._items = [([need.get(field) for field in self.fields], item) for need, item in able]
        self._remembered: dict[_Key, list[_T]] = {}
        self._peek = _peeker(self.fields)

    def of(self, record: bytes) -> Sequence[_T]:
        """The items that can match a record, in their own order; all of them where the record cannot be read."""
        try:
            key = self._peek(record)
        except (ValueError, RecursionError):
            return self._all
        found = self._remembered.get(key)
        return self._look_up(key) if found is None else found

    def _look_up(self, key: _Key) -> list[_T]:
        found = [item for values, item in self._items if all(map(_admits, values, key))]
        if all(not text or len(text) <= _LONGEST_REMEMBERED for text in key):
            if len(self._remembered) >= _MOST_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = found
        return found


def routing_fields(needs: Sequence[Need]) -> tuple[str, ...]:
    """The fields that tell rules apart best: those that most of them need something of."""
    count = Counter(field for need in needs for field in need)
    return tuple(field for field, _ in sorted(count.items(), key=lambda item: (-item[1], item[0]))[:MOST_FIELDS])


def _admits(values: Values | None, found: _Found) -> bool:
    if values is None or found is None:
        return True
    return values.absent if found is False else values.admits(found)


def _peeker(fields: Sequence[str]) -> Callable[[bytes], _Key]:
    """A function that reads some top-level fields of a JSON object."""
    names = [f"f{number}" for number in range(len(fields))]
    known = [(name, Any, None) for name in names]
    struct = msgspec.defstruct("Peek", known, rename=dict(zip(names, fields, strict=True)), gc=False)
    decode, astuple = msgspec.json.Decoder(struct).decode, msgspec.structs.astuple
    spelled = [f'"{field.lower()}"'.encode() for field in fields]

    def peek(record: bytes) -> _Key:
        key = astuple(decode(record))
        if None in key:
            lowered = b"" if _obscured(record) else record.lower()
            return tuple(
                value if value.__class__ is str else _absence(value, name, lowered)
                for value, name in zip(key, spelled, strict=True)
            )
        return tuple(value if value.__class__ is str else None for value in key)

    return peek


def _absence(value: object, name: bytes, lowered: bytes) -> _Found:
    """False when there is no such field in any spelling; None when that, or what it holds, is open."""
    return False if value is None and lowered and name not in lowered else None


def _obscured(record: bytes) -> bool:
    """Whether a record may have a key that its bytes do not show: escapes and letters beyond ASCII leave it open."""
    return (b"\\" in record and b"\\u" in record) or not record.isascii()  # the single byte is found much faster
