"""A rule that fails is news of its own: somebody relies on it. Each failing rule is an alert, one a day."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch

PREFIX = "iota.RuleFailed."
"""The id of the alert's rule is this and the id of the rule that failed."""
PERIOD_MINUTES = 24 * 60
UNREADABLE = "decode"
"""Stands for the rule where an event could not be shown to any."""

_RUNBOOK = """\
1. Look at error and function: they name the file and the line of the rule.
2. Add the event of this alert to the rule's tests, and repair the rule until `iota rules test` passes.
3. Process the hours again in which the rule failed: `iota backfill`, or a backfill of the UI.
"""


def error_matches(failures: Iterable[RuleFailure], rules_version: str) -> list[RuleMatch]:
    """One match for each rule that failed, on the first event that it failed on."""
    by_rule: dict[str, list[RuleFailure]] = {}
    for failure in failures:
        by_rule.setdefault(failure.rule_id or UNREADABLE, []).append(failure)
    return [_match(rule_id, found, rules_version) for rule_id, found in by_rule.items()]


def is_deciding(failure: RuleFailure) -> bool:
    """Whether it is a rule's, after which it is not known whether the rule matches: not one of its texts alone."""
    return failure.function in ("rule", "import")


def is_shared(failure: RuleFailure) -> bool:
    """Whether it is of something that rules share (see `surroundings`)."""
    return failure.function in ("data model", "lookup table")


def _match(rule_id: str, failures: Sequence[RuleFailure], rules_version: str) -> RuleMatch:
    first = min(failures, key=lambda failure: failure.index)
    subject = "An event could not be shown to the rules" if rule_id == UNREADABLE else f"Rule {rule_id} fails"
    return RuleMatch(
        index=first.index,
        rule_id=f"{PREFIX}{rule_id}",
        rule_version=rules_version,
        severity="MEDIUM",
        title=f"{subject}: {first.error}"[:1000],
        dedup=rule_id,
        description="Detections of this rule are missing for the events on which it fails.",
        reference="",
        runbook=_RUNBOOK,
        period_minutes=PERIOD_MINUTES,
        threshold=1,
        create_alert=True,
        unique=None,
        destinations=None,
        context={
            "rule": rule_id,
            "function": first.function,
            "error": first.error,
            "failures": sum(failure.count for failure in failures),
        },
    )
