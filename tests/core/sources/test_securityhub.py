"""Security Hub findings: states of a finding that one time and one id do not tell apart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.securityhub import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

ID = "arn:aws:securityhub:eu-central-1:111122223333:security-control/S3.2/finding/0d6c3e3f"
HOST = "arn:aws:ec2:eu-central-1:111122223333:instance/i-0123456789abcdef0"
RECORD: dict[str, Any] = {
    "SchemaVersion": "2018-10-08",
    "Id": ID,
    "ProductArn": "arn:aws:securityhub:eu-central-1::product/aws/securityhub",
    "ProductName": "Security Hub",
    "CompanyName": "AWS",
    "Region": "eu-central-1",
    "GeneratorId": "security-control/S3.2",
    "AwsAccountId": "111122223333",
    "Types": ["Software and Configuration Checks/Industry Standards"],
    "FirstObservedAt": "2024-03-13T08:00:00.000Z",
    "CreatedAt": "2024-03-13T08:00:00.000Z",
    "UpdatedAt": "2024-03-14T10:26:53.123+01:00",
    "ProcessedAt": "2024-03-14T09:27:00.000Z",
    "Severity": {"Label": "CRITICAL", "Normalized": 90, "Original": "CRITICAL"},
    "Title": "Buckets should block public read access",
    "Description": "It can be read by everybody.",
    "Confidence": 80,
    "Compliance": {"Status": "FAILED", "SecurityControlId": "S3.2"},
    "Workflow": {"Status": "NEW"},
    "RecordState": "ACTIVE",
    "Resources": [
        {"Type": "AwsEc2Instance", "Id": HOST, "Details": {"AwsEc2Instance": {"IpV4Addresses": ["198.51.100.7"]}}},
        {"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::example-data"},
    ],
    "Vulnerabilities": [{"Id": "CVE-2024-0001"}],
    "Network": {"SourceIpV4": "203.0.113.45", "DestinationDomain": "Evil.example.com"},
    "ThreatIntelIndicators": [
        {"Type": "HASH_SHA256", "Value": "AB" * 32},
        {"Type": "URL", "Value": "https://www.example.net/x"},
        {"Type": "EMAIL_ADDRESS", "Value": "mallory@example.com"},
        {"Type": "IPV6_ADDRESS", "Value": "2001:DB8::1"},
    ],
    "Note": {"Text": "Known", "UpdatedBy": "ann"},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    plain = {name: value for name, value in RECORD.items() if isinstance(value, str | int) and not name.endswith("At")}
    assert plain.items() <= found.items()
    assert found["UpdatedAt"] == datetime(2024, 3, 14, 9, 26, 53, 123000, UTC)
    assert (found["Severity_Label"], found["Severity_Normalized"]) == ("CRITICAL", 90)
    assert (found["Compliance_Status"], found["Compliance_SecurityControlId"]) == ("FAILED", "S3.2")
    assert (found["Workflow_Status"], found["Types"]) == ("NEW", RECORD["Types"])
    assert (found["Resources_Type"], found["Resources_Id"]) == (
        ["AwsEc2Instance", "AwsS3Bucket"],
        [HOST, "arn:aws:s3:::example-data"],
    )
    assert found["Vulnerabilities_Id"] == ["CVE-2024-0001"]
    assert found["Note"] == '{"Text":"Known","UpdatedBy":"ann"}'
    assert "Action" not in found


def test_time_account_and_region_are_the_findings() -> None:
    found = row(SOURCE, RECORD)
    assert found["time"] == datetime(2024, 3, 14, 9, 26, 53, 123000, UTC)
    assert (found["account"], found["region"]) == ("111122223333", "eu-central-1")
    trimmed = row(SOURCE, RECORD, UpdatedAt=None)
    assert trimmed["time"] == datetime(2024, 3, 13, 8, tzinfo=UTC)
    assert "id" not in trimmed


@pytest.mark.parametrize(
    "change",
    [{"UpdatedAt": "2024-03-15T00:00:00Z"}, {"Workflow": {"Status": "SUPPRESSED"}}, {"Severity": {"Label": "LOW"}}],
)
def test_every_state_of_a_finding_is_an_event_of_its_own(change: dict[str, Any]) -> None:
    assert row(SOURCE, RECORD)["id"].startswith(f'["{ID}","{RECORD["UpdatedAt"]}"]:')
    assert row(SOURCE, RECORD)["id"] != row(SOURCE, RECORD, **change)["id"]


def test_copies_of_a_state_are_one_event_whatever_whitespace_they_have() -> None:
    spaced = json.dumps(RECORD, indent=2).encode()
    first, second, other = rows(SOURCE, text_of(RECORD), spaced, text_of(RECORD, Title="x"))
    assert first["id"] == second["id"] != other["id"]


def test_ids_stay_with_their_findings_when_another_is_no_json() -> None:
    readings = SOURCE.read_many([text_of(RECORD), b'{"Id":', text_of(RECORD, Id="b")])
    assert list(readings.rejected) == [1]
    assert [str(event_id)[:4] for event_id in readings.event_id] == ['["ar', '["b"']


def test_indicators_name_resources_and_the_other_side() -> None:
    found = indicators(row(SOURCE, RECORD))
    assert {name: sorted(words) for name, words in found.items()} == {
        "ip_addresses": ["198.51.100.7", "2001:db8::1", "203.0.113.45"],
        "domain_names": ["evil.example.com", "www.example.net"],
        "emails": ["mallory@example.com"],
        "aws_arns": [HOST, "arn:aws:s3:::example-data", ID],
        "aws_account_ids": ["111122223333"],
        "aws_instance_ids": ["i-0123456789abcdef0"],
        "sha256_hashes": ["ab" * 32],
    }


def test_an_instance_without_an_arn_is_found_too() -> None:
    found = indicators(row(SOURCE, RECORD, Resources=[{"Type": "AwsEc2Instance", "Id": "i-0123456789abcdef1"}]))
    assert found["aws_instance_ids"] == ["i-0123456789abcdef1"]


def test_a_finding_is_known_however_it_is_written() -> None:
    trimmed = {"SchemaVersion": "2018-10-08", "Id": "x", "AwsAccountId": "111122223333"}
    assert all(SOURCE.accepts(text) for record in (RECORD, trimmed) for text in writings(record))
    guardduty = {"SchemaVersion": "2.0", "Id": "f1", "AccountId": "111122223333", "Service": {}, "Resource": {}}
    for other in ({}, guardduty, {"findings": [RECORD]}, {**trimmed, "SchemaVersion": "1"}):
        assert not SOURCE.accepts(text_of(other))


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, Severity="high", Confidence=[1], Resources={"Id": HOST}))
    assert not [name for name in found if name.startswith(("Severity_", "Confidence", "Resources_"))]
    assert (found["Resources"], found["Title"]) == (f'{{"Id":"{HOST}"}}', RECORD["Title"])
