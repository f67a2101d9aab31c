"""What a log source is: the interface that every module in this folder fills.

A source turns vendor records (the bytes as the vendor wrote them) into `Readings`, column by column. Whatever is the
same for all sources (the `p_` envelope, hours, identity, accounting) happens once, in `ingest.py` and `parts.py`.

Most sources are one small class over `RecordSource`: schema, marks, and a `read` for one record. A source whose volume
counts implements `Source` itself, with a `read_many` that never builds a Python object per field.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

import pyarrow as pa

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.columns import MOMENT, lists

INDICATORS = (
    "p_any_ip_addresses",
    "p_any_domain_names",
    "p_any_emails",
    "p_any_usernames",
    "p_any_aws_arns",
    "p_any_aws_account_ids",
    "p_any_aws_instance_ids",
    "p_any_sha256_hashes",
    "p_any_trace_ids",
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What one record says.

    `event_time` is aware UTC, or None without a usable one (the row is then dated by its object and flagged).
    `event_id` is the vendor's unique id, or None: then the identity is a hash of place and content (DESIGN §5).
    `columns` follow the source's `columns` schema in order. `indicators` maps a name of `INDICATORS` to its values.
    """

    event_time: datetime | None
    event_id: str | None
    account: str | None
    region: str | None
    columns: tuple[Any, ...]
    indicators: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Readings:
    """What many records say, column by column; the meaning of each field is that of `Reading`.

    Row i speaks of the i-th record that is not in `rejected`, which maps a record's position among all to the reason.
    `event_time` is `timestamp[us, UTC]`; `indicators` holds `list<string>` arrays, and lacks what no row names.
    """

    event_time: pa.TimestampArray
    event_id: Sequence[str | None]
    account: Sequence[str | None]
    region: Sequence[str | None]
    columns: Sequence[pa.Array]
    indicators: Mapping[str, pa.ListArray] = field(default_factory=dict)
    rejected: Mapping[int, RecordRejected] = field(default_factory=dict)


class Source(Protocol):
    """One log type: how to know it, read it and store it. There is one instance, and it holds no state."""

    log_type: str
    """The public name, e.g. `AWS.CloudTrail`."""
    table: str
    """The lake table, e.g. `cloudtrail_events`."""
    columns: pa.Schema
    """The typed columns, without the `p_` envelope; every one nullable, with a description in its metadata."""
    parser_version: int
    """Raised whenever the same bytes would give another reading."""
    marks: str
    """What `accepts` looks for, in words for a person with an unclassified record."""
    texts: Mapping[str, str]
    """Columns that hold a text of the record as it stands, by its place there (`userIdentity.type`), the most telling
    first: rules are routed by them. What is no text in the record is null there, or equals no text that a rule asks
    for (`5` for the number 5)."""

    def __hash__(self) -> int: ...

    def expects(self, key: str) -> bool:
        """Whether an object's key looks like this type's delivery: it is then asked first."""
        ...

    def accepts(self, record: bytes) -> bool:
        """Whether the record bears this type's marks; cheap, and never true for another type's record."""
        ...

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """The readings of many records; the same whichever records are read together."""
        ...


class RecordSource(ABC):
    """A `Source` that reads record by record: simple to write, about twice as slow as column by column."""

    log_type: ClassVar[str]
    table: ClassVar[str]
    columns: ClassVar[pa.Schema]
    parser_version: ClassVar[int] = 1
    marks: ClassVar[str]
    texts: ClassVar[Mapping[str, str]] = {}

    def expects(self, key: str) -> bool:
        """False: the type has no delivery of its own."""
        return False

    @abstractmethod
    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`."""

    @abstractmethod
    def read(self, record: bytes) -> Reading:
        """The record's reading; `RecordRejected` when it is not a record of this type after all."""

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """The records read one by one, turned into columns."""
        rows: list[Reading] = []
        rejected: dict[int, RecordRejected] = {}
        for position, record in enumerate(records):
            try:
                rows.append(self.read(record))
            except RecordRejected as error:
                rejected[position] = error
        return self._as_columns(rows, rejected)

    def _as_columns(self, rows: list[Reading], rejected: Mapping[int, RecordRejected]) -> Readings:
        names = {name for row in rows for name in row.indicators}
        return Readings(
            event_time=pa.array([row.event_time for row in rows], MOMENT),
            event_id=[row.event_id for row in rows],
            account=[row.account for row in rows],
            region=[row.region for row in rows],
            columns=[pa.array([row.columns[i] for row in rows], kind.type) for i, kind in enumerate(self.columns)],
            indicators={name: lists([row.indicators.get(name, ()) for row in rows]) for name in names},
            rejected=rejected,
        )
