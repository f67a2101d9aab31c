"""A log type whose records are lines of text: how a line splits into fields, and what the fields are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.columns import TEXT, WORDS, lists, strings
from iota_dagster.core.sources.fields import Field, Layout, Taken
from iota_dagster.core.sources.kinds import Kind

Split = Callable[[str], Sequence[Any] | None]
"""A line → the values of the layout's fields in order: texts, or what their kinds take as well (whole numbers for
times, tuples of texts for `WORDS`), None where the line says nothing. None: not such a line."""


class Part(NamedTuple):
    """Some records' fields: the positions of the records in rising order, and the fields' columns by path.

    The columns are texts, or lists of texts for `WORDS`; a field without one says nothing in any of the records.
    """

    places: Sequence[int]
    columns: Mapping[str, pa.Array]


Quick = Callable[[Sequence[bytes]], Sequence[Part]]
"""Records → those of them that can be read many at once, as a `Split` of texts would; each in one part at most."""


class TextSource:
    """A `Source` made of declarations; see `sources.base.Source` for what each part means."""

    exclusive = True
    shape = Shape.LINE

    def __init__(
        self,
        log_type: str,
        table: str,
        layout: Layout,
        split: Split,
        *,
        description: str,
        marks: str,
        accepts: re.Pattern[bytes],
        specificity: int,
        key: str | None = None,
        parser_version: int = 1,
        quick: Quick | None = None,
    ) -> None:
        """`accepts` matches the beginning of every line of the type and of no other's; `key` is as in `JsonSource`.

        `quick` reads what it can of the lines; `split` must say the same of them, but for being slower.
        """
        self.log_type, self.table, self.description, self.marks = log_type, table, description, marks
        self.layout, self.parser_version, self.specificity = layout, parser_version, specificity
        self._split, self._accepts, self._quick = split, accepts, quick
        self._key = re.compile(key) if key else None

    @cached_property
    def columns(self) -> pa.Schema:
        """See `Source.columns`."""
        return self.layout.schema

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """See `Source.texts`: rules see a line as its columns, so these have the columns' names."""
        return {column: column for column in self.layout.texts.values()}

    def expects(self, key: str) -> bool:
        """See `Source.expects`."""
        return self._key is not None and self._key.search(key) is not None

    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`."""
        return self._accepts.match(record) is not None

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        parts = [part for part in self._quick(records) if part.places] if self._quick else []
        quick = {place for part in parts for place in part.places}
        rest = [place for place in range(len(records)) if place not in quick]
        taken, rejected = self._each(records, rest)
        if parts:
            taken = self._together(parts, taken, [place for place in rest if place not in rejected])
        return self.layout.readings(taken, len(records) - len(rejected), rejected)

    def _each(self, records: Sequence[bytes], places: Sequence[int]) -> tuple[Taken, dict[int, RecordRejected]]:
        """The values of the records at these places, and why some have none."""
        rows: list[Sequence[Any]] = []
        rejected: dict[int, RecordRejected] = {}
        for place in places:
            values = self._split(records[place].decode())
            if values is None:
                rejected[place] = RecordRejected("malformed", f"{self.log_type}: the line has not its fields")
            else:
                rows.append(values)
        columns = list(zip(*rows, strict=True)) or [()] * len(self.layout.fields)
        return {field.path: values for field, values in zip(self.layout.fields, columns, strict=True)}, rejected

    def _together(self, parts: list[Part], others: Taken, places: Sequence[int]) -> Taken:
        """The parts and the other values, which are of the records at these places, in the records' order."""
        if places:
            parts = [
                *parts,
                Part(places, {field.path: _texts(field, others[field.path]) for field in self.layout.fields}),
            ]
        order = pa.array(np.argsort(np.concatenate([part.places for part in parts]))) if len(parts) > 1 else None
        return {field.path: _joined(field, parts, order) for field in self.layout.fields}


def _type(field: Field) -> pa.DataType:
    return WORDS if field.kind is Kind.WORDS else TEXT


def _texts(field: Field, values: Sequence[Any]) -> pa.Array:
    return lists([value or () for value in values]) if field.kind is Kind.WORDS else strings(values)


def _joined(field: Field, parts: Sequence[Part], order: pa.Array | None) -> pa.Array:
    """One field's column, its rows put into order."""
    kind, path = _type(field), field.path
    if not any(path in part.columns for part in parts):
        return pa.nulls(sum(len(part.places) for part in parts), kind)
    columns = [part.columns[path] if path in part.columns else pa.nulls(len(part.places), kind) for part in parts]
    return columns[0] if order is None else pa.concat_arrays(columns).take(order)
