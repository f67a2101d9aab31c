"""Correlation rules among each other, and what they need to know of other rules' matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iota_dagster.core.detection.correlation.rule import CorrelationRule


def circular(rules: Iterable[CorrelationRule]) -> list[CorrelationRule]:
    """The rules that are members of themselves, directly or through others."""
    members = {rule.id: rule.rule_ids for rule in rules}

    def leads_to(start: str) -> set[str]:
        seen: set[str] = set()
        ahead = [start]
        while ahead:
            found = members.get(ahead.pop(), frozenset()) - seen
            seen |= found
            ahead.extend(found)
        return seen

    return [rule for rule in rules if rule.id in leads_to(rule.id)]


def fields_needed(rules: Iterable[CorrelationRule]) -> dict[str, tuple[str, ...]]:
    """For each member rule, the paths at which its matches hold what the enabled rules join them by."""
    paths: dict[str, set[str]] = {}
    for rule in rules:
        for member in rule.members if rule.enabled else ():
            held = paths.setdefault(member.rule_id, set())
            held.update(path for _, found in member.joins for path in found)
    return {rule_id: tuple(sorted(found)) for rule_id, found in sorted(paths.items())}


def by_member(rules: Iterable[CorrelationRule]) -> Mapping[str, list[CorrelationRule]]:
    """The enabled rules by the rules whose matches they look at."""
    found: dict[str, list[CorrelationRule]] = {}
    for rule in rules:
        for rule_id in sorted(rule.rule_ids) if rule.enabled else ():
            found.setdefault(rule_id, []).append(rule)
    return found
