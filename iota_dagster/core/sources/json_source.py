"""A log type whose records are JSON objects: marks, fields and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

import pyarrow as pa

from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.fields import Layout
from iota_dagster.core.sources.marks import RecordMarks
from iota_dagster.core.sources.record_tree import RecordTree


class JsonSource:
    """A `Source` made of declarations; see `sources.base.Source` for what each part means.

    Most log types are one of these, a value in a module of their own. What needs more overrides `read_many`.
    """

    exclusive = True
    shape = Shape.JSON

    def __init__(
        self,
        log_type: str,
        table: str,
        layout: Layout,
        marks: RecordMarks,
        *,
        description: str,
        key: str | None = None,
        parser_version: int = 1,
        tree: RecordTree | None = None,
    ) -> None:
        """`key` is a regular expression that keys of the type's own deliveries match somewhere.

        `tree` takes the fields' values out of records where these do not just lie at the fields' places.
        """
        self.log_type, self.table, self.description = log_type, table, description
        self.layout, self.parser_version = layout, parser_version
        self._marks = marks
        self._key = re.compile(key) if key else None
        self._tree = tree or RecordTree(layout.fields)

    @cached_property
    def columns(self) -> pa.Schema:
        """See `Source.columns`."""
        return self.layout.schema

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """See `Source.texts`."""
        return self.layout.texts

    @property
    def marks(self) -> str:
        """See `Source.marks`."""
        return str(self._marks)

    @property
    def specificity(self) -> int:
        """See `Source.specificity`."""
        return self._marks.count

    def expects(self, key: str) -> bool:
        """See `Source.expects`."""
        return self._key is not None and self._key.search(key) is not None

    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`."""
        return self._marks.hold(record)

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        taken, size, rejected = self._tree.read(records)
        return self.layout.readings(taken, size, rejected)
