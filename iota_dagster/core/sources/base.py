"""What a log source is: the interface that every module in this folder fills.

A source turns vendor records (the bytes as the vendor wrote them) into `Readings`, column by column. Whatever is the
same for all sources (the `p_` envelope, hours, identity, accounting) happens once, in `ingest.py` and `parts.py`.

Most sources are a declaration: a `JsonSource` for JSON objects, a `TextSource` for lines of text. One whose records
need more overrides its `read_many`, or fills `Source` itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

import pyarrow as pa

from iota_dagster.core.errors import RecordRejected

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


class Shape(Enum):
    """What a record is."""

    JSON = "a JSON object"
    LINE = "a line of text"


@dataclass(frozen=True, slots=True)
class Readings:
    """What many records say, column by column.

    Row i speaks of the i-th record that is not in `rejected`, which maps a record's position among all to the reason.
    `event_time` is in UTC, in micro- or nanoseconds, and null without a usable time (the row is then dated by its
    object and flagged). `event_id` is the vendor's unique id, or None: then the identity is a hash of place and content
    (DESIGN §5). `columns` are those of the source, in order. `indicators` holds `list<string>` arrays by their names in
    `INDICATORS`, and lacks what no row names.
    """

    event_time: pa.TimestampArray
    event_id: Sequence[str | None]
    account: Sequence[str | None]
    region: Sequence[str | None]
    columns: Sequence[pa.Array]
    indicators: Mapping[str, pa.ListArray] = field(default_factory=dict)
    rejected: Mapping[int, RecordRejected] = field(default_factory=dict)


class Source(Protocol):
    """One log type: how to know it, read it and store it.

    Equal sources read alike, whatever they were asked before: what one keeps (`UserLines` the lines that it has taken
    apart, up to a bound) only saves time.
    """

    @property
    def log_type(self) -> str:
        """The public name, e.g. `AWS.CloudTrail`."""
        ...

    @property
    def table(self) -> str:
        """The lake table, e.g. `cloudtrail_events`."""
        ...

    @property
    def description(self) -> str:
        """What the log tells, in a line for the documentation."""
        ...

    @property
    def shape(self) -> Shape:
        """What its records are. Of a line, rules see the typed columns as a JSON object; of an object, itself."""
        ...

    @property
    def columns(self) -> pa.Schema:
        """The typed columns, without the `p_` envelope; every one nullable, with a description in its metadata."""
        ...

    @property
    def parser_version(self) -> int:
        """Changes whenever the same bytes would give another reading."""
        ...

    @property
    def marks(self) -> str:
        """What `accepts` looks for, in words for a person with an unclassified record."""
        ...

    @property
    def specificity(self) -> int:
        """How many marks `accepts` looks for: of two types that accept a record the one with more of them reads it."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether no other exclusive source accepts a record that it accepts: true of all that iota brings along."""
        ...

    @property
    def texts(self) -> Mapping[str, str]:
        """Columns that hold a text of the record as it stands, by its place there (`userIdentity.type`).

        Rules are routed by them, the most telling first. What is no text in the record is null there, or equals no text
        that a rule asks for (`5` for the number 5).
        """
        ...

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


@runtime_checkable
class HeadedSource(Source, Protocol):
    """A log type whose lines say what they mean in a line above them."""

    @property
    def header_starts(self) -> frozenset[bytes]:
        """The first four bytes of every possible header."""
        ...

    def is_header(self, line: bytes) -> bool:
        """Whether a line is no record, but says what the fields of the lines below it are."""
        ...

    def below(self, header: bytes) -> Source:
        """The source as it reads the lines below a header."""
        ...
