"""GitHub audit log: streamed, exported and trimmed events, and never a webhook."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.github_audit import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

RECORD: dict[str, Any] = {
    "@timestamp": 1729176166108,
    "_document_id": "m-example1",
    "action": "git.push",
    "actor": "ann",
    "actor_id": 51111,
    "actor_is_bot": "False",
    "actor_ip": "203.0.113.45",
    "actor_location": {"country_code": "FR"},
    "user": "bob",
    "user_id": 0,
    "external_identity_nameid": "Ann@example.com",
    "business": "example-inc",
    "org": "example",
    "org_id": 11111,
    "repo": "example/billing",
    "repository": "example/billing",
    "repository_public": False,
    "user_agent": "git/2.41.5",
    "transport_protocol_name": "ssh",
    "programmatic_access_type": "Public Key (User/Deploy)",
    "hashed_token": "tO8qpNGhmNe8OMdEXAMPLE",
    "request_id": "10000000-0000-0000-0000-000000000000",
}
TRIMMED = {"action": "repo.create", "actor": "ann", "created_at": 1710000000000, "id": "evt-1"}
UNNUMBERED = {"action": "user.create", "actor": "ann", "@timestamp": 1727681685875, "business": "example-inc"}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    other = {"@timestamp", "_document_id", "actor_is_bot", "actor_location"}
    assert {name: found[name] for name in RECORD.keys() - other} == {
        name: RECORD[name] for name in RECORD.keys() - other
    }
    assert found["timestamp"] == datetime(2024, 10, 17, 14, 42, 46, 108000, UTC)
    assert found["document_id"] == "m-example1"
    assert found["actor_is_bot"] is False
    assert found["actor_location_country_code"] == "FR"


@pytest.mark.parametrize("name", ["@timestamp", "created_at"])
def test_the_time_is_in_milliseconds_in_either_field(name: str) -> None:
    assert row(SOURCE, {"action": "repo.create", name: 1729176166108})["time"] == datetime(
        2024, 10, 17, 14, 42, 46, 108000, UTC
    )


def test_the_id_is_the_documents_and_two_acts_never_share_it() -> None:
    found, other = rows(SOURCE, text_of(RECORD), text_of(RECORD, action="git.clone"))
    assert found["id"] == '["m-example1","git.push"]'
    assert other["id"] != found["id"]
    assert "id" not in row(SOURCE, TRIMMED)
    assert "id" not in row(SOURCE, UNNUMBERED)


def test_indicators_name_users_address_token_and_request() -> None:
    assert indicators(row(SOURCE, RECORD, blocked_user="mallory")) == {
        "ip_addresses": ["203.0.113.45"],
        "emails": ["ann@example.com"],
        "usernames": ["ann", "bob", "Ann@example.com", "mallory"],
        "trace_ids": ["tO8qpNGhmNe8OMdEXAMPLE", "10000000-0000-0000-0000-000000000000"],
    }


def test_a_record_is_known_however_it_is_written() -> None:
    masked = {"action": "org.create", "_document_id": "x"}
    known = (RECORD, TRIMMED, UNNUMBERED, masked)
    assert all(SOURCE.accepts(text) for record in known for text in writings(record))
    assert len(rows(SOURCE, *writings(RECORD))) == 4
    webhook = {"action": "created", "sender": {"login": "ann"}, "repository": {"full_name": "example/billing"}}
    flow = {"action": "ACCEPT", "@timestamp": "2026-01-01T00:00:00Z"}
    for other in ({}, webhook, {**RECORD, "sender": {}}, flow, {"action": "x", "created_at": 1}, {"actor": "x"}):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, org=["one", "two"], permission=False, actor_id="many", created_at="soon"))
    assert found["org"] == '["one","two"]'
    assert found["permission"] == "false"
    assert "actor_id" not in found
    assert "created_at" not in found
    assert found["actor"] == "ann"
