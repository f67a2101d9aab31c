"""GitHub webhooks: bodies that name neither their event nor its time nor an id."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.github_audit import SOURCE as AUDIT
from iota_dagster.core.sources.github_webhook import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

REPOSITORY: dict[str, Any] = {
    "id": 186853002,
    "full_name": "example/billing",
    "private": True,
    "visibility": "private",
    "created_at": "2019-05-15T15:19:25Z",
    "updated_at": "2024-05-15T15:21:03Z",
    "pushed_at": "2024-05-15T15:20:57Z",
}
SENDER = {"login": "ann", "id": 1, "type": "User"}
BASE = {"repository": REPOSITORY, "sender": SENDER}
PUSH: dict[str, Any] = {
    "ref": "refs/heads/main",
    "before": "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
    "after": "0000000000000000000000000000000000000000",
    "created": False,
    "deleted": True,
    "forced": False,
    "commits": [{"id": "1", "timestamp": "2018-01-01T00:00:00Z", "author": {"email": "Carl@example.org"}}],
    "head_commit": {"author": {"email": "dora@example.org"}, "committer": {"email": "noreply@example.com"}},
    "repository": REPOSITORY | {"created_at": 1557933565, "pushed_at": 1557933657},
    "pusher": {"name": "bob", "email": "bob@example.com"},
    "sender": SENDER,
}
ALERT = BASE | {
    "action": "created",
    "alert": {
        "number": 42,
        "secret_type": "stripe_api_key",
        "html_url": "https://github.com/example/billing/security/secret-scanning/42",
        "created_at": "2024-06-01T10:00:00Z",
    },
    "organization": {"login": "example"},
    "enterprise": {"slug": "example-inc"},
    "installation": {"id": 7, "node_id": "x"},
}
OLD, THEN = "2019-01-01T00:00:00Z", "2024-06-01T10:00:00Z"
MOMENT = datetime(2024, 6, 1, 10, tzinfo=UTC)


def test_a_push_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, PUSH))
    plain = ("ref", "before", "after", "created", "deleted", "forced")
    assert {name: found[name] for name in plain} == {name: PUSH[name] for name in plain}
    assert found["repository_full_name"] == "example/billing"
    assert found["repository_private"] is True
    assert (found["pusher_name"], found["pusher_email"], found["sender_login"]) == ("bob", "bob@example.com", "ann")
    assert "action" not in found


def test_an_alert_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, ALERT))
    assert (found["action"], found["alert_number"], found["alert_secret_type"]) == ("created", 42, "stripe_api_key")
    assert found["alert"].startswith('{"number":42,')
    assert (found["organization_login"], found["enterprise_slug"]) == ("example", "example-inc")
    assert found["installation_id"] == 7


ABOUT: list[tuple[dict[str, Any], bool]] = [
    ({"action": "opened", "pull_request": {"created_at": THEN}}, True),
    ({"action": "closed", "pull_request": {"created_at": OLD, "updated_at": THEN, "merged": True}}, True),
    ({"action": "closed", "pull_request": {"created_at": OLD}}, False),
    ({"action": "created", "comment": {"updated_at": THEN}, "issue": {"updated_at": OLD}}, True),
    ({"action": "deleted", "comment": {"updated_at": THEN}, "issue": {"updated_at": THEN}}, False),
    ({"action": "milestoned", "issue": {"updated_at": THEN}, "milestone": {"updated_at": OLD}}, True),
    ({"action": "submitted", "review": {"submitted_at": THEN}, "pull_request": {"updated_at": OLD}}, True),
    ({"action": "completed", "workflow_run": {"created_at": OLD, "updated_at": THEN}, "workflow": {}}, True),
    ({"action": "in_progress", "workflow_job": {"created_at": OLD, "started_at": THEN}}, True),
    ({"action": "completed", "check_run": {"started_at": OLD, "completed_at": THEN}}, True),
    ({"action": "created", "rule": {"created_at": THEN, "updated_at": "2024-06-01T06:00:00.000-04:00"}}, True),
    ({"action": "created", "key": {"created_at": THEN}}, True),
    ({"action": "deleted", "key": {"created_at": THEN}}, False),
    ({"action": "resolved", "alert": {"created_at": OLD, "resolved_at": THEN}}, True),
    ({"action": "reopened", "alert": {"created_at": OLD, "resolved_at": None}}, False),
    ({"action": "dismiss", "alert": {"created_at": OLD, "dismissed_at": THEN}}, True),
    ({"action": "created", "location": {"type": "commit"}, "alert": {"created_at": OLD}}, False),
    ({"action": "created", "installation": {"created_at": 1717236000, "updated_at": 1717236000}}, True),
    ({"action": "removed", "installation": {"created_at": OLD, "updated_at": OLD}}, False),
    ({"action": "added", "member": {"login": "bob"}}, False),
    ({"action": "member_added", "membership": {"user": {"login": "bob"}}, "organization": {}}, False),
    ({"action": "created", "team": {"slug": "ops"}}, False),
    ({"action": "blocked", "blocked_user": {"login": "bob"}}, False),
    ({"zen": "Be calm.", "hook_id": 1, "hook": {"created_at": OLD, "updated_at": THEN}}, True),
    ({"forkee": {"created_at": THEN}}, True),
    ({"action": "created", "starred_at": THEN}, True),
    ({"action": "deleted", "starred_at": None}, False),
    ({"state": "success", "sha": "1", "updated_at": THEN}, True),
    ({"action": "created", "comment": "none"}, False),
    ({"action": "created", "comment": {"updated_at": [1], "created_at": THEN}}, False),
    ({"action": "created", "comment": {"updated_at": THEN, "started_at": [1]}}, True),
]


@pytest.mark.parametrize(("about", "told"), ABOUT, ids=[f"{n} {' '.join(about)}" for n, (about, _) in enumerate(ABOUT)])
def test_the_time_is_that_of_the_thing_which_the_event_is_about(about: dict[str, Any], told: bool) -> None:
    assert row(SOURCE, BASE | about).get("time") == (MOMENT if told else None)


@pytest.mark.parametrize("action", [None, "created", "publicized", "archived", "renamed", "transferred"])
def test_an_event_about_the_repository_itself_has_its_time(action: str | None) -> None:
    assert row(SOURCE, BASE, action=action)["time"] == datetime(2024, 5, 15, 15, 21, 3, tzinfo=UTC)


@pytest.mark.parametrize("action", ["deleted", "started", "enabled", "", 5])
def test_an_event_that_only_names_a_repository_has_no_time(action: str | int) -> None:
    assert "time" not in row(SOURCE, BASE, action=action)


def test_a_workflow_that_is_started_by_hand_has_no_time() -> None:
    assert "time" not in row(SOURCE, BASE, inputs=None, ref="refs/heads/main", workflow=".github/workflows/ci.yml")


def test_a_push_has_the_repositorys_time_of_it_not_that_of_its_commits() -> None:
    assert row(SOURCE, PUSH)["time"] == datetime(2019, 5, 15, 15, 20, 57, tzinfo=UTC)
    made = row(SOURCE, BASE, ref="v1", ref_type="tag", pusher_type="user")
    assert made["time"] == datetime(2024, 5, 15, 15, 20, 57, tzinfo=UTC)
    assert "time" not in row(SOURCE, PUSH, repository={"full_name": "example/billing"})


def test_two_webhooks_of_one_thing_are_two_facts() -> None:
    assert not [found for found in rows(SOURCE, text_of(ALERT), text_of(ALERT), text_of(PUSH)) if "id" in found]


def test_indicators_name_everybody_concerned() -> None:
    assert indicators(row(SOURCE, PUSH)) == {
        "emails": ["bob@example.com", "carl@example.org", "dora@example.org", "noreply@example.com"],
        "usernames": ["ann", "bob"],
    }
    hook = {
        "zen": "Be calm.",
        "hook": {"config": {"url": "https://hooks.example.net/x"}},
        "blocked_user": {"login": "m"},
    }
    assert indicators(row(SOURCE, BASE | hook)) == {"domain_names": ["hooks.example.net"], "usernames": ["ann", "m"]}


SENDERLESS: list[dict[str, Any]] = [
    {"action": "push", "repository": {"full_name": "example/r"}, "pusher": {"name": "u"}},
    {"ref": "refs/heads/main", "repository": {"full_name": "example/r"}, "pusher": {"name": "u"}},
    {"action": "published", "security_advisory": {"ghsa_id": "GHSA-example"}},
    {"action": "created", "alert": {"number": 1}, "repository": {"full_name": "example/r"}},
    {"zen": "Be calm.", "hook_id": 1, "hook": {"type": "App"}},
]


@pytest.mark.parametrize("record", [PUSH, ALERT, BASE, {"action": "revoked", "sender": SENDER}, *SENDERLESS])
def test_a_record_is_known_however_it_is_written_and_is_no_audit_event(record: dict[str, Any]) -> None:
    assert all(SOURCE.accepts(text) and not AUDIT.accepts(text) for text in writings(record))
    assert len(rows(SOURCE, *writings(record))) == 4


def test_what_is_no_webhook_is_not_taken_for_one() -> None:
    audit = {"action": "git.push", "repository": "example/r", "actor": "ann", "@timestamp": 1729176166108}
    others: list[dict[str, Any]] = [
        {},
        {"action": "x"},
        {"sender": "ann", "action": "x"},
        {"hook": {}},
        {"repository": {}},
    ]
    for other in (audit, *others):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, ALERT, sender="ann", alert={"number": "one", "secret_type": 5}))
    assert "sender_login" not in found
    assert "alert_number" not in found
    assert found["alert_secret_type"] == "5"
    assert found["repository_full_name"] == "example/billing"
