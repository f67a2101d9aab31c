"""A user's log type whose records are JSON objects."""

from __future__ import annotations

from collections.abc import Sequence

from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.fields import Field
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.record_tree import RecordTree
from iota_dagster.core.sources.user_marks import JsonMarks
from iota_dagster.core.sources.user_schema import UserSchema
from iota_dagster.core.sources.user_source import UserSource, required_fields


class UserJson(UserSource):
    """See `sources.base.Source` for what each part means."""

    shape = Shape.JSON

    def __init__(self, schema: UserSchema) -> None:
        """`ValueError` when two fields want one place in different ways."""
        super().__init__(schema, by_path=True)
        self._tree = RecordTree(self.layout.fields)
        self._marks = JsonMarks(
            [keys_of(item.place) for item in required_fields(schema)],
            {
                tuple(keys_of(path)): value if isinstance(value, tuple) else (value,)
                for path, value in schema.marks.values.items()
            },
        )
        self.marks, self.specificity = str(self._marks), self._marks.count

    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`."""
        return self._marks.hold(record)

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        return self.readings(*self._tree.read(records))


def keys_of(path: str) -> list[str]:
    """The keys on the way to a place."""
    return Field(path, Kind.TEXT, "").keys
