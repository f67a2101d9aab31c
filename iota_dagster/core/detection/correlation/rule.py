"""A correlation rule as a value: which matches of which rules make one of its own, and how they hang together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import ClassVar

from iota_dagster.core.detection.correlation.signals import Signal


@dataclass(frozen=True, slots=True)
class Member:
    """One step of a sequence, or one member of a group: at least `count` matches of a rule, or (`absent`) none.

    `joins`: by the number of a join, the paths of this member's matches in which the join's value stands.
    """

    id: str
    rule_id: str
    count: int = 1
    absent: bool = False
    joins: tuple[tuple[int, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """How much time may lie between two steps, given by their numbers.

    From the first counted match of `first` to the last one of `last`; both may be the same step. If one of them is
    absent: how long after (before) its neighbour it must not have happened.
    """

    first: int
    last: int
    length: timedelta


@dataclass(frozen=True, slots=True)
class CorrelationTest:
    """A test of a correlation rule: matches of its members, and whether they must make one of its own."""

    __test__: ClassVar[bool] = False  # not for pytest

    name: str
    expected: bool
    line: int
    signals: tuple[Signal, ...]


@dataclass(frozen=True, slots=True)
class CorrelationRule:
    """One correlation rule. `version` is a hash of its content.

    `joins` are the names of the values that its members must share; `window` is the most time from the first of its
    matches to the last. `destinations` None: the configured routing.
    """

    id: str
    version: str
    file: str
    enabled: bool
    severity: str
    title: str
    ordered: bool
    members: tuple[Member, ...]
    window: timedelta
    joins: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    description: str = ""
    reference: str = ""
    runbook: str = ""
    period_minutes: int = 60
    threshold: int = 1
    create_alert: bool = True
    destinations: tuple[str, ...] | None = None
    tags: tuple[str, ...] = ()
    reports: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tests: tuple[CorrelationTest, ...] = ()

    @property
    def rule_ids(self) -> frozenset[str]:
        """The rules whose matches it looks at."""
        return frozenset(member.rule_id for member in self.members)

    @property
    def waits(self) -> bool:
        """Whether it needs to know that something did not happen, which takes time to be sure of."""
        return any(member.absent for member in self.members)

    @property
    def reach(self) -> timedelta:
        """How far before one of its matches lie the matches that decide it, at most.

        So a match that came, went or changed at `t` may change what this rule makes in `[t, t + reach]` and nowhere
        else, and to know what it makes in a span takes the matches from `reach` before it to its end.
        """
        if not self.waits:
            return self.window
        lengths = [self.window, *(frame.length for frame in self.frames)]
        return self.window + 2 * max(lengths)
