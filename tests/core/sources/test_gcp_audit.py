"""Google Cloud audit entries: who did what, and BigQuery's form of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from iota_dagster.core.sources.gcp_audit import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row, text_of

PAYLOAD: Record = {
    "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
    "status": {"code": 7, "message": "PERMISSION_DENIED"},
    "authenticationInfo": {
        "principalEmail": "ann@example.com",
        "principalSubject": "user:ann@example.com",
        "serviceAccountKeyName": "//iam.googleapis.com/projects/example/serviceAccounts/sa/keys/k1",
        "serviceAccountDelegationInfo": [
            {"principalSubject": "serviceAccount:job@example.iam.gserviceaccount.com"},
            {"firstPartyPrincipal": {"principalEmail": "robot@example.com"}},
        ],
    },
    "requestMetadata": {"callerIp": "203.0.113.45", "callerSuppliedUserAgent": "gcloud/1.0"},
    "serviceName": "cloudresourcemanager.googleapis.com",
    "methodName": "SetIamPolicy",
    "authorizationInfo": [{"resource": "projects/example", "permission": "projects.setIamPolicy", "granted": True}],
    "resourceName": "projects/example",
    "serviceData": {
        "policyDelta": {"bindingDeltas": [{"action": "ADD", "role": "r", "member": "user:bob@example.com"}]}
    },
    "request": {"resource": "example"},
    "resourceLocation": {"currentLocations": ["europe-west1"]},
}
RECORD: Record = {
    "protoPayload": PAYLOAD,
    "insertId": "sb2",
    "resource": {"type": "service_account", "labels": {"project_id": "example", "email_id": "sa@example.com"}},
    "timestamp": "2024-03-14T09:26:53.589793Z",
    "severity": "NOTICE",
    "logName": "projects/example/logs/cloudaudit.googleapis.com%2Factivity",
    "operation": {"id": "operation-1", "first": True},
}


def payload(**changes: object) -> Record:
    return {"protoPayload": {**PAYLOAD, **changes}}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    assert {name.removeprefix("protoPayload_"): found[name] for name in found if name.startswith("protoPayload_")} == {
        "serviceName": "cloudresourcemanager.googleapis.com",
        "methodName": "SetIamPolicy",
        "resourceName": "projects/example",
        "authenticationInfo_principalEmail": "ann@example.com",
        "authenticationInfo_principalSubject": "user:ann@example.com",
        "authenticationInfo_serviceAccountKeyName": PAYLOAD["authenticationInfo"]["serviceAccountKeyName"],
        "authenticationInfo_serviceAccountDelegationInfo_principalSubject": [
            "serviceAccount:job@example.iam.gserviceaccount.com"
        ],
        "requestMetadata_callerIp": "203.0.113.45",
        "requestMetadata_callerSuppliedUserAgent": "gcloud/1.0",
        "status_code": 7,
        "status_message": "PERMISSION_DENIED",
        "authorizationInfo_permission": ["projects.setIamPolicy"],
        "authorizationInfo": '[{"resource":"projects/example","permission":"projects.setIamPolicy","granted":true}]',
        "request": '{"resource":"example"}',
        "serviceData": text_of(PAYLOAD["serviceData"]).decode(),
        "resourceLocation_currentLocations": ["europe-west1"],
    }
    assert (found["operation_id"], found["operation_first"]) == ("operation-1", True)
    assert row(SOURCE, RECORD)["time"] == datetime(2024, 3, 14, 9, 26, 53, 589793, UTC)


def test_indicators_name_who_acted_for_whom_and_who_was_given_a_role() -> None:
    found = {name: sorted(words) for name, words in indicators(row(SOURCE, RECORD)).items()}
    job = "job@example.iam.gserviceaccount.com"
    assert found == {
        "ip_addresses": ["203.0.113.45"],
        "usernames": ["ann@example.com", "bob@example.com", job, "robot@example.com"],
        "emails": ["ann@example.com", "bob@example.com", job, "robot@example.com", "sa@example.com"],
        "trace_ids": ["operation-1"],
    }


@pytest.mark.parametrize(
    ("member", "expected"),
    [
        ("domain:Example.com", {"domain_names": ["example.com"]}),
        ("deleted:user:Eve@example.com?uid=12", {"emails": ["eve@example.com"], "usernames": ["Eve@example.com"]}),
        ("principal://iam.googleapis.com/p/subject/ci", {"usernames": ["principal://iam.googleapis.com/p/subject/ci"]}),
        ("allUsers", {}),
        ("projectOwner:example", {}),
    ],
)
def test_the_members_of_policies_are_found_by_their_names(member: str, expected: Record) -> None:
    record = {"protoPayload": {"methodName": "SetIamPolicy", "authenticationInfo": {"principalSubject": member}}}
    assert indicators(row(SOURCE, record)) == expected


def test_addresses_in_the_parameters_of_workspace_events_are_found() -> None:
    event = {"parameter": [{"name": "affected_email_address", "value": "Bob@example.com"}, {"boolValue": True}]}
    found = indicators(
        row(SOURCE, RECORD, **payload(metadata={"event": [event]}, response={"email": "sa2@example.com"}))
    )
    assert {"bob@example.com", "sa2@example.com"} <= set(found["emails"])


def test_a_hidden_caller_is_no_address() -> None:
    found = row(SOURCE, RECORD, **payload(requestMetadata={"callerIp": "gce-internal-ip"}))
    assert columns(found)["protoPayload_requestMetadata_callerIp"] == "gce-internal-ip"
    assert "ip_addresses" not in indicators(found)


def test_an_export_of_bigquery_has_columns_of_its_own() -> None:
    """A column that rules are routed by must not say what the record does not say in that place."""
    record = {name: value for name, value in RECORD.items() if name != "protoPayload"}
    found = row(SOURCE, record, protopayload_auditlog=PAYLOAD, textPayload=None)
    assert columns(found)["protopayload_auditlog_methodName"] == "SetIamPolicy"
    assert columns(found)["protopayload_auditlog"].startswith('{"@type"')
    assert "protoPayload_methodName" not in columns(found)
    assert indicators(found)["ip_addresses"] == ["203.0.113.45"]
    assert "ann@example.com" in indicators(found)["usernames"]


def test_a_payload_without_its_entry_has_neither_time_nor_identity() -> None:
    found = row(SOURCE, {"methodName": "v1.compute.firewalls.insert"})
    assert found == {"column methodName": "v1.compute.firewalls.insert"}


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, **payload(status="failed", authorizationInfo="none", methodName=5)))
    assert found["protoPayload_methodName"] == "5"
    assert found["protoPayload_authorizationInfo"] == '"none"'
    assert found["protoPayload_authenticationInfo_principalEmail"] == "ann@example.com"
    assert not {"protoPayload_status_code", "protoPayload_authorizationInfo_permission"} & found.keys()


def test_deliveries_of_a_sink_are_expected() -> None:
    assert SOURCE.expects("cloudaudit.googleapis.com/activity/2024/03/14/09:00:00_09:59:59_S0.json")
