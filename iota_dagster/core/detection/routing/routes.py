"""The rules of a log type by what they need of an event: which of them a record has to be shown to.

Only the fields that the rules ask for are read from a record, and the answer for each combination of their values is
remembered. Something else than a text rules nothing out. A field counts as absent only if the record has it in no
spelling, since rules may ask in any case (see `event`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from iota_dagster.core.detection.routing.values import Need, Values, is_never

COMMON_FIELDS, MOST_FIELDS = 4, 8
_MOST_REMEMBERED = 10_000
_LONGEST_REMEMBERED = 200

_T = TypeVar("_T")
_Found = str | Literal[False] | None
"""What a record has in a field: a text, False for nothing, None for what cannot be told."""
_Key = tuple[_Found, ...]
_TEXTS = {str}


class Routes(Generic[_T]):
    """Items (rules) with what each needs.

    One that can never match is shown everything: that is a mistake of its author, and so its errors are seen.
    """

    def __init__(self, items: Sequence[tuple[Need, _T]]) -> None:
        able = [({} if is_never(need) else need, item) for need, item in items]
        self.fields = routing_fields([need for need, _ in able])
        self._all = [item for _, item in able]
        self._needs = [[need.get(field) for need, _ in able] for field in self.fields]
        self._masks: list[dict[_Found, int]] = [{} for _ in self.fields]
        self._by_mask: dict[int, list[_T]] = {}
        self._every = (1 << len(able)) - 1
        self._peek = _peeker(self.fields)

    def of(self, record: bytes) -> Sequence[_T]:
        """The items that can match a record, in their own order; all of them where the record cannot be read."""
        try:
            key = self._peek(record)
        except (ValueError, RecursionError):
            return self._all
        mask = self._every
        for number, found in enumerate(key):
            bits = self._masks[number].get(found)
            mask &= self._admitting(number, found) if bits is None else bits
        items = self._by_mask.get(mask)
        return self._masked(mask) if items is None else items

    def _admitting(self, number: int, found: _Found) -> int:
        """The items that a field's value leaves, as a number whose bits stand for them."""
        mask = sum(1 << index for index, values in enumerate(self._needs[number]) if _admits(values, found))
        known = self._masks[number]
        if not found or len(found) <= _LONGEST_REMEMBERED:
            if len(known) >= _MOST_REMEMBERED:
                known.clear()
            known[found] = mask
        return mask

    def _masked(self, mask: int) -> list[_T]:
        items = [item for index, item in enumerate(self._all) if mask >> index & 1]
        if len(self._by_mask) >= _MOST_REMEMBERED:
            self._by_mask.clear()
        self._by_mask[mask] = items
        return items


def routing_fields(needs: Sequence[Need]) -> tuple[str, ...]:
    """The fields that tell rules apart: those that most of them need something of, then one of each rule left out."""
    count = Counter(field for need in needs for field in need)
    common = sorted(count, key=lambda field: (-count[field], field))
    chosen = common[:COMMON_FIELDS]
    for need in needs:
        if need and len(chosen) < MOST_FIELDS and not any(field in need for field in chosen):
            chosen.append(next(field for field in common if field in need))
    firsts = [field.partition(".")[0] for field in chosen]
    apart = [field for field in chosen if "." in field or firsts.count(field) == 1]
    return tuple(sorted(apart, key=lambda field: firsts.index(field.partition(".")[0])))  # those of one object together


def _admits(values: Values | None, found: _Found) -> bool:
    if values is None or found is None:
        return True
    return values.absent if found is False else values.admits(found)


def _peeker(fields: Sequence[str]) -> Callable[[bytes], _Key]:
    """A function that reads some fields of a JSON object."""
    if not fields:
        return lambda record: ()
    names: dict[str, list[str]] = {}
    for field in fields:
        first, _, second = field.partition(".")
        names.setdefault(first, []).extend([second] if second else [])
    decode, read = msgspec.json.Decoder(_struct(names)).decode, _reader(names)
    read_over_nulls = _reader_over_nulls(names)
    spelled = [f'"{field.rpartition(".")[2].lower()}"'.encode() for field in fields]

    def peek(record: bytes) -> _Key:
        try:
            key = read(decode(record))
        except AttributeError:  # of an object that is null, as CloudTrail writes it
            key = read_over_nulls(decode(record))
        if {*map(type, key)} == _TEXTS:
            return key
        lowered = b"" if None not in key or _obscured(record) else record.lower()
        found: list[_Found] = []
        for value, name in zip(key, spelled, strict=True):
            if value.__class__ is str:
                found.append(value)
            else:
                found.append(False if value is None and lowered and name not in lowered else None)
        return tuple(found)

    return peek


def _reader(names: Mapping[str, Sequence[str]]) -> Callable[[Any], _Key]:
    """A function that takes the values out of what `_struct` has read, in the order of the fields."""
    paths: list[str] = []
    for number, below in enumerate(names.values()):
        paths += [f"f{number}.f{index}" for index in range(len(below))] or [f"f{number}"]
    if len(paths) > 1:
        return cast("Callable[[Any], _Key]", attrgetter(*paths))
    single = attrgetter(paths[0])
    return lambda peeked: (single(peeked),)


def _reader_over_nulls(names: Mapping[str, Sequence[str]]) -> Callable[[Any], _Key]:
    """The same, with None for all that lies below a null; it takes longer."""
    places = [
        (f"f{number}", [f"f{index}" for index in range(len(below))]) for number, below in enumerate(names.values())
    ]

    def read(peeked: Any) -> _Key:
        found: list[_Found] = []
        for first, seconds in places:
            value = getattr(peeked, first)
            found += [getattr(value, second, None) for second in seconds] or [value]
        return tuple(found)

    return read


def _struct(names: Mapping[str, Sequence[str]]) -> type[msgspec.Struct]:
    """The type of an object of which only some fields are read; those with names below them are objects, or null."""
    fields: list[tuple[str, Any, Any]] = []
    for number, below in enumerate(names.values()):
        inner = _struct(dict.fromkeys(below, ())) if below else None
        fields.append((f"f{number}", inner | None, inner()) if inner else (f"f{number}", Any, None))
    rename = {f"f{number}": name for number, name in enumerate(names)}
    return msgspec.defstruct("Peek", fields, rename=rename, gc=False, frozen=True)


def _obscured(record: bytes) -> bool:
    """Whether a record may have a key that its bytes do not show: escapes and letters beyond ASCII leave it open."""
    return (b"\\" in record and b"\\u" in record) or not record.isascii()  # the single byte is found much faster
