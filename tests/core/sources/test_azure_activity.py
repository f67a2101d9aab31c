"""Azure's activity log, as it is exported and as its REST API lists it."""

from __future__ import annotations

import pytest

from iota_dagster.core.sources.azure_activity import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row, rows, text_of, writings

CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
DISK = "/SUBSCRIPTIONS/00000000-0000-4000-8000-000000000001/RESOURCEGROUPS/WEB/PROVIDERS/MICROSOFT.COMPUTE/DISKS/D1"
EXPORTED: Record = {
    "time": "2024-03-14T09:26:53.5897932Z",
    "resourceId": DISK,
    "operationName": "MICROSOFT.COMPUTE/DISKS/BEGINGETACCESS/ACTION",
    "category": "Administrative",
    "resultType": "Success",
    "resultSignature": "Succeeded.OK",
    "durationMs": "142",
    "callerIpAddress": "203.0.113.45",
    "correlationId": "c776f9f4",
    "identity": {
        "authorization": {
            "scope": DISK,
            "action": "Microsoft.Compute/disks/beginGetAccess/action",
            "evidence": {"role": "Owner"},
        },
        "claims": {f"{CLAIMS}/upn": "Bob@example.com", "appid": "04b07795", "ipaddr": "198.51.100.7"},
    },
    "level": "Information",
    "location": "global",
    "properties": {"statusCode": "OK"},
}
LISTED: Record = {
    "eventTimestamp": "2024-03-14T09:26:53.5897932Z",
    "eventDataId": "e1",
    "correlationId": "c776f9f4",
    "operationName": {"value": "Microsoft.Compute/disks/write", "localizedValue": "Update disk"},
    "category": {"value": "Administrative", "localizedValue": "Administrative"},
    "status": {"value": "Succeeded", "localizedValue": "Succeeded"},
    "subStatus": {"value": "OK"},
    "caller": "bob@example.com",
    "claims": {f"{CLAIMS}/name": "bob@example.com", f"{CLAIMS}/upn": "bob@example.com", "ipaddr": "198.51.100.7"},
    "authorization": {"action": "Microsoft.Compute/disks/write"},
    "httpRequest": {"clientIpAddress": "203.0.113.45", "method": "PUT"},
    "resourceId": DISK,
    "subscriptionId": "00000000-0000-4000-8000-000000000001",
    "level": "Informational",
}


def test_an_exported_entry_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, EXPORTED))
    same = EXPORTED.keys() - {"time", "durationMs", "identity", "properties"}
    assert {name: found[name] for name in same} == {name: EXPORTED[name] for name in same}
    assert found["durationMs"] == 142
    assert found["claims_upn"] == "Bob@example.com"
    assert found["identity_authorization_evidence_role"] == "Owner"
    assert found["properties"] == '{"statusCode":"OK"}'
    assert found["time"].isoformat() == "2024-03-14T09:26:53.589793+00:00"
    assert not {name for name in found if name.endswith("_value")}


def test_a_listed_entry_has_its_names_below_their_fields() -> None:
    """Rules see an object there: a column that they are routed by must not say a text in its place."""
    found = columns(row(SOURCE, LISTED))
    assert found["operationName_value"] == "Microsoft.Compute/disks/write"
    assert (found["category_value"], found["status_value"], found["subStatus_value"]) == (
        "Administrative",
        "Succeeded",
        "OK",
    )
    assert (found["caller"], found["httpRequest_clientIpAddress"]) == ("bob@example.com", "203.0.113.45")
    assert not {"operationName", "category"} & found.keys()


def test_both_forms_can_be_read_together() -> None:
    exported, listed = rows(SOURCE, text_of(EXPORTED), text_of(LISTED))
    assert exported.pop("time") == listed.pop("time")
    for found, record in ((exported, EXPORTED), (listed, LISTED)):
        assert found.items() <= row(SOURCE, record).items()


def test_an_entry_is_known_by_its_id_or_by_its_operation_and_what_it_says() -> None:
    assert row(SOURCE, LISTED)["id"] == "e1"
    started, ended = row(SOURCE, EXPORTED, resultType="Start")["id"], row(SOURCE, EXPORTED)["id"]
    assert started != ended
    assert started.split(":")[0] == ended.split(":")[0] == "c776f9f4"
    assert ended == row(SOURCE, EXPORTED)["id"]
    assert "id" not in row(SOURCE, EXPORTED, correlationId=None)


def test_indicators_name_who_acted_from_where() -> None:
    assert indicators(row(SOURCE, EXPORTED)) == {
        "ip_addresses": ["203.0.113.45", "198.51.100.7"],
        "emails": ["bob@example.com"],
        "usernames": ["Bob@example.com", "04b07795"],
        "trace_ids": ["c776f9f4"],
    }
    assert indicators(row(SOURCE, LISTED)) == {
        "ip_addresses": ["203.0.113.45", "198.51.100.7"],
        "emails": ["bob@example.com"],
        "usernames": ["bob@example.com"],
        "trace_ids": ["c776f9f4"],
    }


TRIMMED: Record = {"operationName": "MICROSOFT.COMPUTE/DISKS/WRITE", "resourceId": DISK, "resultType": "Start"}


@pytest.mark.parametrize(
    "record",
    [EXPORTED, LISTED, TRIMMED, {**TRIMMED, "operationName": {"value": "x"}}, {**EXPORTED, "category": "Action"}],
)
def test_an_entry_is_known_however_it_is_written(record: Record) -> None:
    assert all(SOURCE.accepts(text) for text in writings(record))


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"records": [EXPORTED]},
        {**EXPORTED, "category": "SignInLogs"},
        {**EXPORTED, "category": "AuditEvent"},
        {"operationName": "Sign-in activity", "time": "2024-03-14T09:26:53Z", "category": "SignInLogs"},
        {"eventTimestamp": "2024-03-14T09:26:53Z", "eventName": "x"},
    ],
)
def test_wrappers_and_other_logs_of_azure_are_refused(record: Record) -> None:
    assert not SOURCE.accepts(text_of(record))


def test_deliveries_of_a_diagnostic_setting_are_expected() -> None:
    assert SOURCE.expects("insights-activity-logs/resourceId=/SUBSCRIPTIONS/X/y=2024/m=03/d=14/h=09/m=00/PT1H.json")
    assert SOURCE.expects("insights-operational-logs/name=default/PT1H.json")


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, EXPORTED, level=4, durationMs="soon", identity=["none"], operationName=[1], category=7))
    assert not {"durationMs", "claims_upn", "operationName", "category"} & found.keys()
    assert (found["level"], found["identity"]) == ("4", '["none"]')
    assert found["callerIpAddress"] == "203.0.113.45"
