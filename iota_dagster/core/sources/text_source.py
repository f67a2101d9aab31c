"""A log type whose records are lines of text: how a line splits into fields, and what the fields are."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.fields import Layout

Split = Callable[[str], Sequence[Any] | None]
"""A line → the values of the layout's fields in order: texts, or what their kinds take as well (whole numbers for
times, tuples of texts for `WORDS`), None where the line says nothing. None: not such a line."""


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
    ) -> None:
        """`accepts` matches the beginning of every line of the type and of no other's; `key` is as in `JsonSource`."""
        self.log_type, self.table, self.description, self.marks = log_type, table, description, marks
        self.layout, self.parser_version, self.specificity = layout, parser_version, specificity
        self._split, self._accepts = split, accepts
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
        rows: list[Sequence[Any]] = []
        rejected: dict[int, RecordRejected] = {}
        for position, record in enumerate(records):
            values = self._split(record.decode())
            if values is None:
                rejected[position] = RecordRejected("malformed", f"{self.log_type}: the line has not its fields")
            else:
                rows.append(values)
        columns = list(zip(*rows, strict=True)) or [()] * len(self.layout.fields)
        taken = {field.path: values for field, values in zip(self.layout.fields, columns, strict=True)}
        return self.layout.readings(taken, len(rows), rejected)
