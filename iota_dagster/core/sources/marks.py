"""What tells a log type's records from all others: a few keys at the top level, and how their values begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

ANYTHING = b""
_ABSENT = msgspec.Raw()
_NAMES_SHOWN = 8

TEXT_VALUE, OBJECT_VALUE, LIST_VALUE = b'"', b"{", b"["


class RecordMarks(Protocol):
    """What a log type is told by."""

    def hold(self, record: bytes) -> bool:
        """Whether the record has them; never raises."""
        ...

    @property
    def count(self) -> int:
        """How many there are, see `Source.specificity`; as a text they are words for a person."""
        ...


@dataclass(frozen=True)
class Marks:
    """Keys that a record of this type must have, and keys that it must not have.

    `required` maps a key to the bytes that its JSON value may begin with (`"` for a text, `{` for an object, `"audit.`
    for some texts); several of them are alternatives. Of the keys in `some` it has at least `least`: so logs are told
    whose users choose the fields. A record is accepted when all hold.
    """

    required: Mapping[str, bytes | Sequence[bytes]]
    absent: Sequence[str] = ()
    some: Sequence[str] = ()
    least: int = 1
    _decode: Callable[[bytes], msgspec.Struct] = field(init=False, repr=False, compare=False)
    _starts: tuple[tuple[bytes, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the struct that finds the keys in a record."""
        names = [*self.required, *self.absent, *self.some]
        members = [(f"f{number}", msgspec.Raw, _ABSENT) for number in range(len(names))]
        rename = {f"f{number}": name for number, name in enumerate(names)}
        struct = msgspec.defstruct("_Marks", members, rename=rename, gc=False)
        starts = [(begins,) if isinstance(begins, bytes) else tuple(begins) for begins in self.required.values()]
        object.__setattr__(self, "_decode", msgspec.json.Decoder(struct).decode)
        object.__setattr__(self, "_starts", tuple(starts))

    def hold(self, record: bytes) -> bool:
        """Whether the record has them; never raises."""
        if not record.startswith(b"{"):
            return False
        try:
            found = msgspec.structs.astuple(self._decode(record))
        except (msgspec.MsgspecError, RecursionError):
            return False
        wanted = len(self._starts)
        unwanted = wanted + len(self.absent)
        if any(map(len, found[wanted:unwanted])):
            return False
        if self.some and sum(map(bool, map(len, found[unwanted:]))) < self.least:
            return False
        return all(
            len(value) and bytes(value).startswith(starts) for value, starts in zip(found, self._starts, strict=False)
        )

    @property
    def count(self) -> int:
        """How many there are: of two types that accept a record, the one with more marks is the more specific."""
        return len(self.required) + len(self.absent) + (self.least if self.some else 0)

    def __str__(self) -> str:
        """The marks in words."""
        words = [_words(name, begins) for name, begins in zip(self.required, self._starts, strict=True)]
        if self.some:
            words.append(f"{self.least} or more of {_several(self.some)}")
        without = f", without {', '.join(self.absent)}" if self.absent else ""
        return f"{', '.join(words)} at the top level{without}"


@dataclass(frozen=True)
class AnyOf:
    """Several sets of marks: a record of this type bears all of at least one of them."""

    choices: tuple[RecordMarks, ...]

    def hold(self, record: bytes) -> bool:
        """Whether the record has one set; never raises."""
        return any(choice.hold(record) for choice in self.choices)

    @property
    def count(self) -> int:
        """How many a record bears at least."""
        return min(choice.count for choice in self.choices)

    def __str__(self) -> str:
        """The marks in words."""
        return ", or ".join(map(str, self.choices))


def keys(names: str) -> tuple[str, ...]:
    """Keys that are written as one text, with spaces between."""
    return tuple(names.split())


def _several(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return f"{', '.join(names[:_NAMES_SHOWN])}{more}"


def _words(name: str, starts: tuple[bytes, ...]) -> str:
    texts = [start.decode().strip('"') for start in starts if len(start) > 1]
    return f"{name} ({' or '.join(f'{text}…' for text in texts)})" if texts else name
