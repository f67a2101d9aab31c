"""What is expected of an hour of a lake table, derived from the table's schema: plain values, no engine.

An expectation is of a frame of rows or of a frame of facts. A fact is a pair of texts that has to be equal: what the
ledger or the schema says, and what was found in the files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import pyarrow as pa

from iota_dagster.core.hours import Hour, hour_start
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.schema import COMMON, FLAG_ABSURD, FLAG_MISSING
from iota_dagster.core.quality.checks import Check


class FactKind(StrEnum):
    """What a fact is about; its value is the fact in words."""

    FILE = "the file is whole"
    FILE_ROWS = "the file has the rows that the ledger says"
    BATCH_ROWS = "the batch has the rows that it admitted"
    TYPE = "the column has its declared type"
    NULLS = "the column has no nulls"


CHECK_OF: Mapping[FactKind, Check] = {
    FactKind.FILE: Check.LEDGER,
    FactKind.FILE_ROWS: Check.LEDGER,
    FactKind.BATCH_ROWS: Check.LEDGER,
    FactKind.TYPE: Check.COLUMNS,
    FactKind.NULLS: Check.EVENTS,
}


@dataclass(frozen=True, slots=True)
class Fact:
    """Two texts about `subject` (a file, a batch, a column) that have to be equal."""

    kind: FactKind
    subject: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class NotNull:
    """Every row has a value."""

    column: str


@dataclass(frozen=True, slots=True)
class Unique:
    """No value twice in the hour."""

    column: str


@dataclass(frozen=True, slots=True)
class OneOf:
    """A value is one of these, or null."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """A moment lies in [first, end), in rows whose `unless` is null."""

    column: str
    first: datetime
    end: datetime
    unless: str


Expectation = NotNull | Unique | OneOf | Within

_IDENTITY = {alert_matches.TABLE: "match_id"}
_CLOSED: Mapping[str, tuple[str, ...]] = {
    "p_event_time_flag": (FLAG_ABSURD, FLAG_MISSING),
    "severity": ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"),
}
"""Columns of our own making whose values are known; what a vendor writes tomorrow is no fault."""
_OWN_TABLES_CLOSED = {alert_matches.TABLE: ("severity",)}
_OPTIONAL = frozenset({"p_event_time_flag", "p_account_id", "p_region"})


@dataclass(frozen=True, slots=True)
class Suite:
    """What is expected of one table and hour; `log_type` is None for a table that is of no one log type."""

    table: str
    hour: Hour
    schema: pa.Schema
    log_type: str | None

    @property
    def identity(self) -> str:
        """The column that tells rows apart."""
        return _IDENTITY.get(self.table, "p_event_id")

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without nulls: the envelope of an event, but for what a log may not say."""
        if self.log_type is None:
            return (self.identity, "rule_id", "p_event_time", "p_batch")
        return tuple(name for name in COMMON.names if not name.startswith("p_any_") and name not in _OPTIONAL)

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """What every row of the frame of rows has to meet."""
        found: list[Expectation] = [NotNull(self.identity), Unique(self.identity), NotNull("p_event_time")]
        if self.log_type is not None:
            start, end = hour_start(self.hour), hour_start(self.hour + 1)
            found += [NotNull("p_log_type"), OneOf("p_log_type", (self.log_type,))]
            found.append(Within("p_event_time", start, end, "p_event_time_flag"))
        return (*found, *(OneOf(name, _CLOSED[name]) for name in self.closed))

    @property
    def closed(self) -> Sequence[str]:
        """Columns whose possible values are known."""
        return _OWN_TABLES_CLOSED.get(self.table, ("p_event_time_flag",))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the frame of rows, each once: those that something is expected of."""
        return tuple(dict.fromkeys(item.column for item in self.expectations))


def type_name(kind: pa.DataType) -> str:
    """A type in words; what a list calls its items, which a Parquet file does not keep, is no part of it."""
    return f"list<{type_name(kind.value_type)}>" if pa.types.is_list(kind) else str(kind)
