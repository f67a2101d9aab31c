"""What the user-defined log types of all formats share: declared columns, and readings of the values found in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property

import pyarrow as pa

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources import finders
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.fields import Field, Layout
from iota_dagster.core.sources.finders import Finder
from iota_dagster.core.sources.kinds import Kind, Values
from iota_dagster.core.sources.user_patterns import trust
from iota_dagster.core.sources.user_schema import FieldType, Indicator, UserField, UserSchema
from iota_dagster.core.sources.user_times import converter

KINDS: Mapping[FieldType, Kind] = {
    "text": Kind.TEXT,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "flag": Kind.FLAG,
    "time": Kind.TIME,
    "words": Kind.WORDS,
    "json": Kind.JSON,
}
FINDERS: Mapping[Indicator, Finder] = {
    "ip": finders.IP,
    "place": finders.PLACE,
    "url": finders.URL,
    "domain": finders.DOMAIN,
    "email": finders.EMAIL,
    "user": finders.USER,
    "arn": finders.ARN,
    "account": finders.ACCOUNT,
    "instance": finders.INSTANCE,
    "sha256": finders.SHA256,
    "trace": finders.TRACE,
}


class UserSource:
    """The half of a `Source` that follows from the schema alone; a format adds `accepts` and `read_many`."""

    exclusive = False

    def __init__(self, schema: UserSchema, *, by_path: bool) -> None:
        """`by_path`: values are found by the fields' paths, else by their columns' names."""
        self.schema = schema
        self.log_type, self.table, self.description = schema.log_type, schema.table_name, schema.description
        self.parser_version = schema.version
        self.layout = _layout(schema, by_path)
        self._key, self._trusted = re.compile(schema.key) if schema.key else None, trust(schema.key)
        self._time = schema.time and converter(schema.time.format, schema.time.zone)

    @cached_property
    def columns(self) -> pa.Schema:
        """See `Source.columns`."""
        return self.layout.schema

    @cached_property
    def texts(self) -> Mapping[str, str]:
        """See `Source.texts`."""
        return self.layout.texts

    def expects(self, key: str) -> bool:
        """See `Source.expects`."""
        return self._key is not None and self._trusted.covers(key) and self._key.search(key) is not None

    def readings(self, taken: dict[str, Values], size: int, rejected: Mapping[int, RecordRejected]) -> Readings:
        """The readings of the values of every field."""
        if self._time:
            (path,) = self.layout.time
            taken[path] = self._time(taken[path])
        return self.layout.readings(taken, size, rejected)


def required_fields(schema: UserSchema) -> list[UserField]:
    """The fields without which a record is of another type."""
    return [item for item in schema.fields if item.required]


def _layout(schema: UserSchema, by_path: bool) -> Layout:
    def path(name: str) -> str:
        return schema.field(name).place if by_path else name

    fields = tuple(
        Field(
            item.place if by_path else item.name,
            Kind.WORDS if by_path and "[]" in item.place else KINDS[item.type],
            item.description,
            FINDERS[item.indicator] if item.indicator else None,
            item.name,
        )
        for item in schema.fields
    )
    return Layout(
        fields,
        time=(path(schema.time.field),) if schema.time else (),
        identity=tuple(map(path, schema.identity)),
        account=(path(schema.account),) if schema.account else (),
        region=(path(schema.region),) if schema.region else (),
    )
