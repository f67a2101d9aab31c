"""Declared fields -> lake columns, indicators, event times and ids: what most sources are made of.

A source lists its `Field`s; `Layout` turns the values of many records, field by field, into `Readings`. Where a value
is not what its field declares, a text column takes its JSON text and any other column null: the record itself is whole
in `p_raw`, and nothing fails.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import INDICATORS, Readings
from iota_dagster.core.sources.columns import (
    MOMENT,
    NO_WORDS,
    Groups,
    Words,
    merged,
)
from iota_dagster.core.sources.finders import Finder
from iota_dagster.core.sources.kinds import Kind, Values, to_column
from iota_dagster.core.sources.times import NANOSECOND, to_microseconds

_DOTS = re.compile(r"(?<!\\)\.")
_encode_lines = msgspec.json.Encoder().encode_lines


@dataclass(frozen=True, slots=True)
class Field:
    """One typed column, from one place in the record.

    `path` leads there: `actor.id` through objects, `target[].id` through every item of a list (a column of texts then
    is one of lists); a dot within a key is written `\\.`. `finds` says what its texts add to the indicators. A field
    without a column only adds those.
    """

    path: str
    kind: Kind
    description: str
    finds: Finder | None = None
    name: str = ""
    column: bool = True

    @property
    def keys(self) -> list[str]:
        """The keys on the way, with the `[]` of lists."""
        return [key.replace("\\.", ".") for key in _DOTS.split(self.path)]

    @property
    def column_name(self) -> str:
        """The column's name: its own, else the path with underscores."""
        return self.name or self.path.replace("[]", "").replace(".", "_").replace("@", "").replace("-", "_")


def text(path: str, description: str, finds: Finder | None = None, name: str = "") -> Field:
    """A text; through a list, a list of texts."""
    return Field(path, Kind.WORDS if "[]" in path else Kind.TEXT, description, finds, name)


def integer(path: str, description: str, name: str = "") -> Field:
    """A whole number, or a text of one."""
    return Field(path, Kind.INTEGER, description, None, name)


def number(path: str, description: str, name: str = "") -> Field:
    """A number, or a text of one."""
    return Field(path, Kind.NUMBER, description, None, name)


def flag(path: str, description: str, name: str = "") -> Field:
    """True or false, or a text of one."""
    return Field(path, Kind.FLAG, description, None, name)


def moment(path: str, description: str, name: str = "") -> Field:
    """A time, see `times`."""
    return Field(path, Kind.TIME, description, None, name)


def words(path: str, description: str, finds: Finder | None = None, name: str = "") -> Field:
    """A list of texts."""
    return Field(path, Kind.WORDS, description, finds, name)


def structure(path: str, description: str, name: str = "") -> Field:
    """Whatever it is, as JSON text."""
    return Field(path, Kind.JSON, description, None, name)


def found_in(path: str, finds: Finder) -> Field:
    """No column: only what the texts there add to the indicators."""
    return Field(path, Kind.WORDS if "[]" in path else Kind.TEXT, "", finds, column=False)


Taken = Mapping[str, Values]
"""The values of all fields by path."""


@dataclass(frozen=True, slots=True)
class Layout:
    """A source's fields, and which of them say when, who and where.

    `time` and the others are paths of fields, the most telling first: the first with a value counts. `identity` are
    paths whose values together are the vendor's unique id, several of them as a JSON list; a record that lacks one of
    them has none.
    """

    fields: tuple[Field, ...]
    time: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    account: tuple[str, ...] = ()
    region: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse paths that no field has, and two fields of one column."""
        known = {field.path for field in self.fields}
        if unknown := {*self.time, *self.identity, *self.account, *self.region} - known:
            raise ValueError(f"no field has the path {', '.join(sorted(unknown))}")
        names = [field.column_name for field in self.fields if field.column]
        if doubled := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two fields have the column {', '.join(sorted(doubled))}")

    @property
    def schema(self) -> pa.Schema:
        """The typed columns."""
        return pa.schema(
            pa.field(field.column_name, field.kind.column, metadata={"description": field.description})
            for field in self.fields
            if field.column
        )

    @property
    def texts(self) -> dict[str, str]:
        """See `Source.texts`: the texts at the top of the record and one level below."""
        return {
            field.path: field.column_name
            for field in self.fields
            if field.column and field.kind is Kind.TEXT and field.path.count(".") <= 1
        }

    def readings(self, taken: Taken, size: int, rejected: Mapping[int, RecordRejected] | None = None) -> Readings:
        """The readings of `size` records, from the values of every field."""
        arrays = {field.path: to_column(field.kind, taken[field.path]) for field in self.fields}
        return Readings(
            event_time=self._event_times(arrays, size),
            event_id=self._ids(taken, size),
            account=_first_texts([taken[path] for path in self.account], size),
            region=_first_texts([taken[path] for path in self.region], size),
            columns=[_stored(arrays[field.path]) for field in self.fields if field.column],
            indicators=self.indicators(arrays),
            rejected=rejected or {},
        )

    def _event_times(self, arrays: Mapping[str, pa.Array], size: int) -> pa.TimestampArray:
        if not self.time:
            return pa.nulls(size, MOMENT)
        first, *others = (arrays[path] for path in self.time)
        for other in others:
            if not first.null_count:
                break
            first = _coalesced(first, other)
        return first

    def _ids(self, taken: Taken, size: int) -> list[str | None]:
        if not self.identity:
            return [None] * size
        if len(self.identity) == 1:
            return [_id_text(value) or None for value in _listed(taken[self.identity[0]])]
        parts = list(zip(*(map(_id_text, _listed(taken[path])) for path in self.identity), strict=True))
        texts = _encode_lines(parts).decode().split("\n")[:-1]  # JSON lists: other values never give the same text
        return [text if all(found) else None for text, found in zip(texts, parts, strict=True)]

    def indicators(self, arrays: Mapping[str, pa.Array]) -> dict[str, pa.ListArray]:
        """What the fields' texts say of each indicator, from their columns by path; a column may be missing."""
        found: dict[str, list[Groups[Words]]] = {}
        for field in self.fields:
            column = arrays.get(field.path)
            if field.finds is not None and column is not None and column.null_count < len(column):
                for name, groups in _found(field.finds, column):
                    found.setdefault(name, []).append(groups)
        return {name: merged(found[name]) for name in INDICATORS if name in found}


def _listed(values: Values) -> Sequence[Any]:
    return values.to_pylist() if isinstance(values, pa.Array) else values


def _id_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else str(value)


def _first_texts(columns: Sequence[Values], size: int) -> list[str | None]:
    if not columns:
        return [None] * size
    if all(isinstance(column, pa.Array) for column in columns):
        said = [pc.if_else(pc.equal(column, ""), None, column) for column in columns]
        return pc.coalesce(*said).to_pylist()  # type: ignore[no-any-return]
    rows = zip(*map(_listed, columns), strict=True)
    return [next((value for value in row if isinstance(value, str) and value), None) for row in rows]


def _coalesced(first: pa.TimestampArray, second: pa.TimestampArray) -> pa.TimestampArray:
    if first.type != second.type:
        try:
            first, second = first.cast(NANOSECOND), second.cast(NANOSECOND)
        except pa.ArrowInvalid:  # a year that nanoseconds do not reach
            first, second = to_microseconds(first), to_microseconds(second)
    return pc.coalesce(first, second)


def _stored(column: pa.Array) -> pa.Array:
    return to_microseconds(column) if pa.types.is_timestamp(column.type) else column


def _found(finder: Finder, column: pa.Array) -> list[tuple[str, Groups[Words]]]:
    """What the texts of a column add to each indicator that its finder gives."""
    nothing = tuple(NO_WORDS for _ in finder.gives)
    if pa.types.is_list(column.type):
        known: dict[tuple[str, ...], int] = {}
        rows = [known.setdefault(tuple(row or ()), len(known)) for row in column.to_pylist()]
        groups = Groups([_of_list(finder, words) for words in known], np.array(rows, np.int64))
    else:
        groups = Groups.of(column, finder.find, nothing)
    return [(name, groups.map(itemgetter(place))) for place, name in enumerate(finder.gives)]


def _of_list(finder: Finder, texts: Sequence[str]) -> tuple[Words, ...]:
    each = [finder.find(text) for text in texts]
    return tuple(tuple(dict.fromkeys(word for found in each for word in found[i])) for i in range(len(finder.gives)))
