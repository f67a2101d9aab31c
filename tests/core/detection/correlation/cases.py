"""Correlation rules and matches for their tests."""

from __future__ import annotations

import textwrap
from datetime import UTC, datetime, timedelta
from typing import Any

from iota_dagster.core import yaml12
from iota_dagster.core.detection.correlation.metadata import read_correlation
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.signals import Signal

START = datetime(2026, 11, 22, 10, tzinfo=UTC)

HEAD = """\
AnalysisType: correlation_rule
RuleID: Takeover
DisplayName: Account taken over
Enabled: true
Severity: High
"""


def at(minutes: float) -> datetime:
    """That many minutes after ten o'clock."""
    return START + timedelta(minutes=minutes)


def read(text: str, head: str = HEAD) -> tuple[CorrelationRule | None, list[tuple[int, str]]]:
    """A rule of these keys (with the usual ones before them), or what is wrong with it."""
    return read_correlation(yaml12.load(head + textwrap.dedent(text)))


def a_rule(text: str, head: str = HEAD) -> CorrelationRule:
    """A rule without mistakes."""
    rule, problems = read(text, head)
    assert rule, problems
    return rule


def a_signal(rule_id: str, minutes: float, name: str = "", notify: bool = True, **values: Any) -> Signal:
    """A match of a rule at ten o'clock and so many minutes; a field with several values is given as a list."""
    held = {path: value if isinstance(value, list) else [value] for path, value in values.items()}
    return Signal(name or f"{rule_id}@{minutes}", rule_id, at(minutes), held, notify, f"{rule_id} happened")


BRUTE_FORCE = """\
Detection:
  - Sequence:
      - { ID: Failed, RuleID: Login.Failed, MinMatchCount: 3 }
      - { ID: Success, RuleID: Login }
    Transitions:
      - { From: Failed, To: Success, WithinTimeFrameMinutes: 30, Match: [{ On: user }] }
    LookbackWindowMinutes: 60
"""
"""Three failures, then a success, of one user within half an hour."""

WEAKENED = """\
Detection:
  - Group:
      - { ID: Logging, RuleID: Logging.Off }
      - { ID: Versions, RuleID: Versions.Off }
    MatchCriteria:
      bucket:
        - { GroupID: Logging, Match: p_alert_context.bucket }
        - { GroupID: Versions, Match: bucketName }
    LookbackWindowMinutes: 30
"""
"""Two protections of a bucket off within half an hour, in whichever order."""

UNANSWERED = """\
Detection:
  - Sequence:
      - { ID: Exposed, RuleID: Key.Exposed }
      - { ID: Revoked, RuleID: Key.Revoked, Absence: true }
    Transitions:
      - { From: Exposed, To: Revoked, WithinTimeFrameMinutes: 15, Match: [{ On: key }] }
    LookbackWindowMinutes: 30
"""
"""A key exposed and not revoked within a quarter of an hour."""
