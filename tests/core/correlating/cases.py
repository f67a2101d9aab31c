"""A correlation rule, the matches it looks for, and a store in which batches leave them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from iota_dagster.core.model import Alert, Match
from iota_dagster.core.store.alerts import record_matches
from iota_dagster.core.store.database import Database
from tests.core.alerting.cases import a_match, at

TAKEOVER = """\
Detection:
  - Sequence:
      - { ID: Failed, RuleID: Login.Failed, MinMatchCount: 2 }
      - { ID: Success, RuleID: Login }
    Transitions: [{ From: Failed, To: Success, Match: [{ On: p_alert_context.user }] }]
    LookbackWindowMinutes: 30
"""


def everywhere(alert: Alert, named: tuple[str, ...] | None) -> Sequence[str]:
    """Where an alert goes: to the file, unless its rule says otherwise."""
    return ("file",) if named is None else named


def a_member(rule_id: str, minutes: float, user: str = "alice", **more: Any) -> Match:
    """A match of a rule that makes no alert of its own."""
    known = {"rule_id": rule_id, "dedup": user, "context": {"user": user}, "create_alert": False}
    return a_match(f"{rule_id}@{minutes} {user}", minutes, title=f"{rule_id}@{minutes}", **known, **more)


def record(store: Database, batch: str, *found: Match, notify: bool = True) -> None:
    """What a batch's `alerts` does."""
    with store.begin() as connection:
        known: dict[str, Any] = {"now": at(90), "notify_within": timedelta(hours=24), "route": everywhere}
        record_matches(connection, batch, found, notify=notify, **known)
