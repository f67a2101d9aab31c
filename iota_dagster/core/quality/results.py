"""Results as plain values: what an engine says of each expectation, and what that means for an hour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.quality.checks import Check
from iota_dagster.core.quality.suite import Fact, Suite

SAMPLES = 5
"""Failing values that a result shows."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One failing value: whose it is (an event, a file, a column), and the value itself."""

    subject: str
    value: str


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one expectation: how many values failed it, and the first of them."""

    check: Check
    expectation: str
    passed: bool
    unexpected: int = 0
    samples: tuple[Sample, ...] = ()


class Validator(Protocol):
    """An engine that holds frames against expectations."""

    def facts(self, name: str, facts: Sequence[Fact]) -> list[Result]:
        """One result for each kind of fact that there is."""
        ...

    def rows(self, name: str, suite: Suite, frame: pa.Table) -> list[Result]:
        """One result for each expectation of a suite."""
        ...


@dataclass(frozen=True, slots=True)
class HourQuality:
    """An hour of a lake table, looked at: what it holds, how many of its rows the frame had, and all results.

    `rows` were counted in the files; uniqueness, log types, times and all facts are of all of them. Of so many batches
    the rows were `not_brought_back` after retention took them: they are not expected.
    """

    table: str
    hour: Hour
    rows: int
    examined: int
    not_brought_back: int
    results: tuple[Result, ...]

    @property
    def name(self) -> str:
        """Table and hour, for people."""
        return f"{self.table} {hour_key(self.hour)}"

    def failed(self, check: Check | None = None) -> list[Result]:
        """The expectations that were not met, all or those of one check."""
        return [item for item in self.results if not item.passed and check in (None, item.check)]
