"""Figures of one step of one batch: values by series, as Prometheus knows them (`metrics`, `store.figures`)."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from iota_dagster.core.observability.metrics import Family

Series = tuple[str, tuple[str, ...]]
"""(sample name, label values): of a histogram's `_bucket` samples the last label is its upper bound."""


class Step(StrEnum):
    """The steps of a batch that write figures, each in a transaction of its own."""

    EVENTS = "events"
    LAKE = "lake"
    RULES = "rules"


@dataclass(slots=True)
class Figures:
    """Values by series."""

    values: dict[Series, float] = field(default_factory=dict)

    def add(self, family: Family, *labels: str, value: float = 1) -> None:
        """Count; nothing is kept of a zero."""
        if value:
            key = family.name, labels
            self.values[key] = self.values.get(key, 0) + value

    def latest(self, family: Family, *labels: str, value: float) -> None:
        """Keep the largest value: for times."""
        key = family.name, labels
        self.values[key] = max(self.values.get(key, value), value)

    def observe(self, family: Family, *labels: str, seconds: Iterable[float]) -> None:
        """Put durations into a histogram; one below zero (two clocks differ) counts as none at all."""
        for value in seconds:
            shown = max(value, 0.0)
            self.put(family, labels, bisect_left(family.buckets, shown), 1, shown)

    def put(self, family: Family, labels: tuple[str, ...], place: int, count: int, seconds: float) -> None:
        """Put `count` durations, `seconds` in all, into the bucket at a place; the one after the last is infinite."""
        bound = family.buckets[place] if place < len(family.buckets) else float("inf")
        for key, value in (
            ((f"{family.name}_bucket", (*labels, bound_text(bound))), count),
            ((f"{family.name}_sum", labels), seconds),
        ):
            self.values[key] = self.values.get(key, 0) + value


def bound_text(bound: float) -> str:
    """A bucket's upper bound as the label `le` has it."""
    return "+Inf" if bound == float("inf") else repr(float(bound))
