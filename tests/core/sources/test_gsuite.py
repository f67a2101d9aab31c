"""Google Workspace activities: one record each, however many events it has, and indicators in their parameters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.gsuite import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

HASH = "ab" * 32
RECORD: dict[str, Any] = {
    "kind": "admin#reports#activity",
    "id": {
        "time": "2026-03-13T10:25:01.859Z",
        "uniqueQualifier": "-119782077599",
        "applicationName": "drive",
        "customerId": "C01example",
    },
    "etag": '"example/tag"',
    "actor": {
        "callerType": "USER",
        "email": "Ann@example.com",
        "profileId": "1052",
        "applicationInfo": {"applicationName": "Sync", "oauthClientId": "77", "impersonation": True},
    },
    "ownerDomain": "example.com",
    "ipAddress": "2001:DB8::9",
    "networkInfo": {"ipAsn": [64496], "regionCode": "FR"},
    "events": [
        {
            "type": "acl_change",
            "name": "change_document_visibility",
            "parameters": [
                {"name": "primary_event", "boolValue": True},
                {"name": "size", "intValue": "63846009000"},
                {"name": "target_user", "value": "bob@example.org"},
                {"name": "target_domain", "value": "Partner.example"},
                {"name": "recipients", "multiValue": ["carl@example.org", "203.0.113.9"]},
                {"name": "app_version", "value": "1.2.3.4"},
                {"name": "file_hash", "value": HASH},
            ],
        },
        {
            "type": "access",
            "name": "download",
            "parameters": [
                {"name": "link", "value": "https://files.example.net/x"},
                {"name": "by", "messageValue": {"parameter": [{"name": "email", "value": "dora@example.org"}]}},
                {"name": "of", "multiMessageValue": [{"parameter": [{"name": "ip", "value": "198.51.100.7"}]}]},
            ],
        },
        {"type": "access", "name": "view"},
    ],
}
OLD = {
    "kind": "audit#activity",
    "id": {"time": "2014-03-17T15:39:18.460Z", "uniqQualifier": "5", "applicationName": "drive"},
    "actor": {"key": "SYSTEM"},
    "events": [{"type": "access", "name": "edit"}],
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    assert found["id_time"] == datetime(2026, 3, 13, 10, 25, 1, 859000, UTC)
    names = {f"id_{name}": value for name, value in RECORD["id"].items() if name != "time"}
    assert {name: found[name] for name in names} == names
    assert found["actor_email"] == "Ann@example.com"
    assert found["actor_applicationInfo_impersonation"] is True
    assert found["networkInfo_regionCode"] == "FR"
    assert found["networkInfo"] == '{"ipAsn":[64496],"regionCode":"FR"}'
    assert found["kind"] == "admin#reports#activity"


def test_several_events_of_one_activity_stay_one_row() -> None:
    (found,) = rows(SOURCE, text_of(RECORD))
    assert found["column events_name"] == ["change_document_visibility", "download", "view"]
    assert found["column events_type"] == ["acl_change", "access", "access"]
    assert found["column events"].startswith('[{"type":"acl_change"')


def test_an_activity_is_known_by_time_qualifier_and_application() -> None:
    found = row(SOURCE, RECORD)
    assert found["time"] == datetime(2026, 3, 13, 10, 25, 1, 859000, UTC)
    assert found["id"] == '["2026-03-13T10:25:01.859Z","-119782077599","drive"]'
    other = row(SOURCE, RECORD, id={**RECORD["id"], "applicationName": "login"})
    assert other["id"] != found["id"]


@pytest.mark.parametrize("lacking", ["time", "uniqueQualifier", "applicationName"])
def test_an_activity_that_lacks_a_part_of_its_id_has_none(lacking: str) -> None:
    rest = {name: value for name, value in RECORD["id"].items() if name != lacking}
    assert "id" not in row(SOURCE, RECORD, id=rest)
    assert "id" not in row(SOURCE, OLD)


def test_indicators_are_found_in_the_parameters_too() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["2001:db8::9", "203.0.113.9", "198.51.100.7"],
        "domain_names": ["example.com", "partner.example", "files.example.net"],
        "emails": ["ann@example.com", "bob@example.org", "carl@example.org", "dora@example.org"],
        "usernames": ["Ann@example.com"],
        "sha256_hashes": [HASH],
    }


@pytest.mark.parametrize(
    "events", [[], [7], [{"parameters": "x"}], [{"parameters": [{"name": 7, "value": "a@example.org"}]}], [None]]
)
def test_events_of_another_form_cost_only_themselves(events: Any) -> None:
    found = row(SOURCE, RECORD, events=events)
    assert found["p_any_emails"] == ["ann@example.com"]
    assert found["column id_applicationName"] == "drive"


def test_a_record_is_known_however_it_is_written() -> None:
    unkind = {name: value for name, value in RECORD.items() if name != "kind"}
    eventless = {name: value for name, value in RECORD.items() if name != "events"}
    assert all(SOURCE.accepts(text) for record in (RECORD, OLD, unkind, eventless) for text in writings(record))
    assert len(rows(SOURCE, *writings(RECORD))) == 4
    page = {"kind": "admin#reports#activities", "id": {}, "items": []}
    for other in ({}, page, {**unkind, "id": "x"}, {**unkind, "actor": "ann"}, {"kind": "Event", "id": {}}):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, ipAddress=["203.0.113.9"], id={**RECORD["id"], "uniqueQualifier": -5}))
    assert found["ipAddress"] == '["203.0.113.9"]'
    assert found["id_uniqueQualifier"] == "-5"
    assert found["id_applicationName"] == "drive"
