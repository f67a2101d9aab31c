"""What the engine answers: matches, and the failures of rules beside them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """One rule matched one record. `index` is the record's place in the sequence that was judged.

    `context` is JSON-encodable. `destinations` None means the configured routing, an empty tuple nowhere.
    """

    index: int
    rule_id: str
    rule_version: str
    severity: str
    title: str
    dedup: str
    description: str
    reference: str
    runbook: str
    period_minutes: int
    threshold: int
    create_alert: bool
    unique: str | None
    destinations: tuple[str, ...] | None
    context: dict[str, Any]


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """A function of a rule failed `count` times; `index` and `error` are those of the first record it failed on.

    A record that is no JSON object is a failure of no rule: `rule_id` is empty and `function` is `decode`.
    """

    rule_id: str
    function: str
    error: str
    index: int
    count: int


@dataclass(frozen=True, slots=True)
class RuleCost:
    """How often a rule was called, and about how many seconds its calls took: some of them were measured."""

    rule_id: str
    calls: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """All that the rules have to say about some records, and what it took: no part of what verdicts compare by."""

    matches: list[RuleMatch]
    failures: list[RuleFailure]
    costs: list[RuleCost] = field(default_factory=list, compare=False)
