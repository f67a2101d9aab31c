"""Slack audit logs: the API's entries, and the trimmed ones of exports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.slack_audit import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

ADA = {"id": "W123AB456", "name": "Ada Example", "email": "Ada@example.com", "team": "T01ABCDEF"}
BOB = {"id": "W999ZZ999", "name": "bob", "email": "bob@example.org", "team": "T01ABCDEF"}
RECORD: dict[str, Any] = {
    "id": "0123a45b-6c7d-8900-e12f-3456789abc03",
    "date_create": 1710408600,
    "action": "anomaly",
    "actor": {"type": "user", "user": ADA},
    "entity": {"type": "user", "user": BOB},
    "context": {
        "location": {"type": "workspace", "id": "T01ABCDEF", "name": "Example", "domain": "example"},
        "ua": "python-requests/2.31",
        "session_id": 847288190092,
        "ip_address": "198.51.100.4",
    },
    "details": {
        "action_timestamp": 1710408599123456,
        "reason": ["asn", "ip_address"],
        "previous_ip_address": "2001:DB8::7",
        "inviter": {"type": "user", "user": {"id": "W7", "email": "carl@example.org"}},
    },
}
TRIMMED = {
    "action": "app_installed",
    "actor": {"type": "user", "user": {"id": "W012J3FEWAU", "name": "owner"}},
    "date_create": "2021-06-08 22:16:15",
    "entity": {"type": "app", "app": {"id": "A049JV0H0KC", "name": "Notion", "scopes": ["channels:read"]}},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    assert found["date_create"] == datetime(2024, 3, 14, 9, 30, tzinfo=UTC)
    assert found["actor_user_email"] == "Ada@example.com"
    assert found["entity_user_id"] == "W999ZZ999"
    assert found["context_location_domain"] == "example"
    assert found["context_session_id"] == 847288190092
    assert found["context_ua"] == "python-requests/2.31"
    assert found["details"].startswith('{"action_timestamp":1710408599123456,')
    assert {name: found[name] for name in ("id", "action")} == {name: RECORD[name] for name in ("id", "action")}


def test_what_it_was_done_to_has_columns_by_its_kind() -> None:
    found = columns(row(SOURCE, TRIMMED))
    assert (found["entity_type"], found["entity_app_id"], found["entity_app_name"]) == ("app", "A049JV0H0KC", "Notion")
    file = {"type": "file", "file": {"id": "F0AAAAAAA", "name": "secrets \u2603.csv"}}
    assert columns(row(SOURCE, RECORD, entity=file))["entity_file_name"] == "secrets \u2603.csv"


@pytest.mark.parametrize("written", [1710408600, "1710408600", "2024-03-14 09:30:00", "2024-03-14T09:30:00Z"])
def test_the_time_is_a_number_or_in_trimmed_records_a_text(written: int | str) -> None:
    assert row(SOURCE, RECORD, date_create=written)["time"] == datetime(2024, 3, 14, 9, 30, tzinfo=UTC)


def test_the_id_is_slacks_own_and_trimmed_records_have_none() -> None:
    assert row(SOURCE, RECORD)["id"] == "0123a45b-6c7d-8900-e12f-3456789abc03"
    assert "id" not in row(SOURCE, TRIMMED)


def test_indicators_name_users_and_both_addresses_of_an_anomaly() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["198.51.100.4", "2001:db8::7"],
        "emails": ["ada@example.com", "bob@example.org", "carl@example.org"],
        "usernames": ["Ada Example", "Ada@example.com", "bob", "bob@example.org", "carl@example.org"],
    }


def test_a_record_is_known_however_it_is_written() -> None:
    assert all(SOURCE.accepts(text) for record in (RECORD, TRIMMED) for text in writings(record))
    assert len(rows(SOURCE, *writings(RECORD))) == 4
    for other in ({}, {**RECORD, "actor": "ada"}, {**RECORD, "action": 5}, {"date_create": 1}, {"action": "x"}):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, context={"ip_address": 7, "session_id": "none"}, entity="all"))
    assert found["context_ip_address"] == "7"
    assert "context_session_id" not in found
    assert found["entity"] == '"all"'
    assert found["actor_user_name"] == "Ada Example"
