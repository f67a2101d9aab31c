"""Okta System Log: who did what to whom, and logins kept apart from what only looks like one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.okta import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

RECORD: dict[str, Any] = {
    "uuid": "5b1c7f0e-ab83-11ed-9b30-9968d65e0001",
    "published": "2026-02-10T16:19:37.769Z",
    "eventType": "user.mfa.factor.reset_all",
    "version": "0",
    "severity": "INFO",
    "displayMessage": "Reset all factors for user",
    "legacyEventType": "core.user.factor.reset_all",
    "actor": {
        "id": "00u1",
        "type": "User",
        "alternateId": "Ann@example.com",
        "displayName": "Ann Example",
        "detailEntry": None,
    },
    "client": {
        "userAgent": {"rawUserAgent": "Mozilla/5.0", "os": "Windows 10", "browser": "FIREFOX"},
        "zone": "null",
        "device": "Computer",
        "ipAddress": "203.0.113.45",
        "geographicalContext": {"city": "Paris", "country": "France", "geolocation": {"lat": 48.8, "lon": 2.3}},
    },
    "device": {"id": "guo1", "managed": True},
    "authenticationContext": {"externalSessionId": "102example", "rootSessionId": "idxexample"},
    "outcome": {"result": "SUCCESS", "reason": None},
    "securityContext": {"asNumber": 64496, "asOrg": "Example Org", "domain": "Net.example.net", "isProxy": True},
    "debugContext": {
        "debugData": {
            "requestUri": "/api/v1/users",
            "threatSuspected": "false",
            "dtHash": "e79ed6ba",
            "origin": "https://example.okta.com",
        }
    },
    "transaction": {"type": "WEB", "id": "Y-oHexample", "detail": {}},
    "request": {"ipChain": [{"ip": "198.51.100.7", "version": "V4"}, {"ip": "2001:DB8::7", "version": "V6"}]},
    "target": [
        {"id": "00u2", "type": "User", "alternateId": "bob@example.com", "displayName": "Bob"},
        {"id": "0ua3", "type": "AppUser", "alternateId": "bob", "displayName": "Bob"},
        {"id": "0oa4", "type": "AppInstance", "alternateId": "Okta Dashboard"},
        {"id": "00u5", "type": "NewUser", "alternateId": "unknown"},
    ],
}
OLD = {
    "uuid": "f790999f-fe87-467a-9880-0000000000a1",
    "published": "2017-09-30T22:23:07.777Z",
    "eventType": "user.session.start",
    "actor": {"id": "00u1", "type": "User", "alternateId": "admin@example.com"},
    "client": {"ipAddress": "203.0.113.45"},
    "authenticationContext": {"externalSessionId": "unknown"},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    plain: dict[str, Any] = {name: value for name, value in RECORD.items() if isinstance(value, str)}
    plain["published"] = datetime(2026, 2, 10, 16, 19, 37, 769000, UTC)
    assert {name: found[name] for name in plain} == plain
    assert found["actor_alternateId"] == "Ann@example.com"
    assert found["client_userAgent_os"] == "Windows 10"
    assert found["client_geographicalContext_city"] == "Paris"
    assert found["securityContext_asNumber"] == 64496
    assert found["securityContext_isProxy"] is True
    assert found["debugContext_debugData_threatSuspected"] == "false"
    assert found["transaction"] == '{"type":"WEB","id":"Y-oHexample","detail":{}}'
    assert "outcome_reason" not in found


def test_time_and_id_are_oktas_own() -> None:
    found = row(SOURCE, RECORD)
    assert found["time"] == datetime(2026, 2, 10, 16, 19, 37, 769000, UTC)
    assert found["id"] == RECORD["uuid"]
    assert "account" not in found


def test_indicators_name_actor_users_addresses_and_sessions() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45", "198.51.100.7", "2001:db8::7"],
        "domain_names": ["net.example.net", "example.okta.com"],
        "emails": ["ann@example.com", "bob@example.com"],
        "usernames": ["Ann@example.com", "bob@example.com", "bob"],
        "trace_ids": ["102example", "idxexample", "e79ed6ba", "Y-oHexample"],
    }


def test_what_okta_does_not_know_is_no_indicator() -> None:
    found = indicators(row(SOURCE, OLD, actor={"id": "x", "type": "User", "alternateId": "unknown"}))
    assert found == {"ip_addresses": ["203.0.113.45"]}


@pytest.mark.parametrize("target", [None, [], {}, "x", [7], [{"type": "User", "alternateId": 7}], [{"type": None}]])
def test_targets_of_another_form_cost_only_themselves(target: Any) -> None:
    found = row(SOURCE, RECORD, target=target)
    assert found["p_any_usernames"] == ["Ann@example.com"]
    assert found["id"] == RECORD["uuid"]


def test_a_record_is_known_however_it_is_written() -> None:
    assert all(SOURCE.accepts(text) for record in (RECORD, OLD) for text in writings(record))
    assert len(rows(SOURCE, *writings(RECORD))) == 4
    for other in ({}, {**OLD, "actor": "admin"}, {"eventType": "AwsApiCall", "userIdentity": {}}, {"uuid": "x"}):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(
        row(SOURCE, RECORD, severity=3, client="none", securityContext={"asNumber": "AS1", "isProxy": "no"})
    )
    assert found["severity"] == "3"
    assert found["client"] == '"none"'
    assert "securityContext_asNumber" not in found
    assert "securityContext_isProxy" not in found
    assert found["eventType"] == RECORD["eventType"]
