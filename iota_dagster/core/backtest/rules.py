"""Which rules of a pack a backtest can run: those that judge one event by itself."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from iota_dagster.core.detection.rule import Rule, RulePack
from iota_dagster.core.errors import RuleError
from iota_dagster.core.sources import SOURCES


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A rule that a backtest cannot run, and why."""

    rule_id: str
    reason: str


def choose(pack: RulePack, rule_ids: Sequence[str]) -> tuple[RulePack, tuple[LeftOut, ...]]:
    """The rules of these ids, disabled ones too; without ids all enabled rules. With them those that are left out.

    `RuleError` for an id that the pack does not have, and when no rule is left.
    """
    _check(pack, rule_ids)
    chosen = [rule for rule in pack.rules if (rule.id in rule_ids if rule_ids else rule.enabled)]
    left_out = [LeftOut(rule.id, reason) for rule in chosen if (reason := _reason(rule))]
    left_out += [item for item in _others(pack) if not rule_ids or item.rule_id in rule_ids]
    kept = [msgspec.structs.replace(rule, enabled=True) for rule in chosen if not _reason(rule)]
    if not kept:
        why = "; ".join(f"{item.rule_id}: {item.reason}" for item in left_out) or "none is enabled"
        raise RuleError(f"there is no rule to run ({why})")
    return replace(pack, rules=tuple(kept), correlations=()), tuple(left_out)


def _check(pack: RulePack, rule_ids: Sequence[str]) -> None:
    known = {rule.id for rule in pack.rules} | {item.rule_id for item in _others(pack)}
    for name in rule_ids:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hints = [f"did you mean {near[0]}?"] if near else []
            hints += [f"a file cannot be read: {error}" for error in pack.errors]
            raise RuleError("; ".join([f"there is no rule {name}", *hints]))


def _others(pack: RulePack) -> Iterator[LeftOut]:
    """What a pack has beside the rules that judge events."""
    for rule in pack.correlations:
        yield LeftOut(rule.id, "a correlation rule judges other rules' matches")
    for item in pack.skipped:
        yield LeftOut(item.id, item.reason)


def _reason(rule: Rule) -> str:
    """Why a rule cannot be run; empty when it can."""
    if rule.kind != "rule":
        return f"a {rule.kind} judges no events"
    if SOURCES.keys().isdisjoint(rule.log_types):
        return "the lake has no table of its log types"
    return "it remembers values from event to event" if rule.remembers else ""
