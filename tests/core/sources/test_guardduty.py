"""GuardDuty findings: updates of a finding, and indicators wherever an action keeps them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.guardduty import SOURCE
from tests.core.sources.cases import columns, indicators, row, text_of, writings

ARN = "arn:aws:guardduty:eu-west-1:111122223333:detector/d1/finding/f1"
HASH = "ab" * 32
RECORD: dict[str, Any] = {
    "schemaVersion": "2.0",
    "accountId": "111122223333",
    "region": "eu-west-1",
    "partition": "aws",
    "id": "f1",
    "arn": ARN,
    "type": "UnauthorizedAccess:IAMUser/MaliciousIPCaller",
    "resource": {
        "resourceType": "AccessKey",
        "accessKeyDetails": {"accessKeyId": "ASIAEXAMPLE", "userName": "ann@example.com", "userType": "IAMUser"},
        "s3BucketDetails": [{"name": "example-data", "arn": "arn:aws:s3:::example-data"}],
    },
    "service": {
        "serviceName": "guardduty",
        "detectorId": "d1",
        "action": {
            "actionType": "AWS_API_CALL",
            "awsApiCallAction": {
                "api": "ListBuckets",
                "serviceName": "s3.amazonaws.com",
                "errorCode": "AccessDenied",
                "remoteIpDetails": {"ipAddressV4": "203.0.113.45", "country": {"countryName": "Nowhere"}},
                "remoteAccountDetails": {"accountId": "444455556666", "affiliated": False},
            },
        },
        "resourceRole": "TARGET",
        "eventFirstSeen": "2024-03-14T08:00:00.000Z",
        "eventLastSeen": "2024-03-14T09:00:00.000Z",
        "archived": False,
        "count": 18,
    },
    "severity": 5.5,
    "createdAt": "2024-03-14T08:15:00.000Z",
    "updatedAt": "2024-03-14T09:15:30.406Z",
    "title": "An API was called from a known malicious address.",
    "description": "ListBuckets was called from 203.0.113.45.",
}


def instance(**details: Any) -> dict[str, Any]:
    return {"resource": {"resourceType": "Instance", "instanceDetails": details}}


def seen(**service: Any) -> dict[str, Any]:
    return {"service": service}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    names = ("schemaVersion", "id", "arn", "type", "severity", "accountId", "region", "partition", "title")
    assert {name: found[name] for name in names} == {name: RECORD[name] for name in names}
    assert found["updatedAt"] == datetime(2024, 3, 14, 9, 15, 30, 406000, UTC)
    assert found["service_eventLastSeen"] == datetime(2024, 3, 14, 9, 0, tzinfo=UTC)
    assert (found["service_count"], found["service_archived"]) == (18, False)
    assert found["service_action_awsApiCallAction_api"] == "ListBuckets"
    assert found["service_action_awsApiCallAction_remoteIpDetails_ipAddressV4"] == "203.0.113.45"
    assert found["resource_accessKeyDetails_userName"] == "ann@example.com"
    assert found["resource_s3BucketDetails_name"] == ["example-data"]
    assert found["resource"].startswith('{"resourceType":"AccessKey"')
    assert "resource_instanceDetails_instanceId" not in found


def test_each_update_of_a_finding_is_an_event_at_its_own_time() -> None:
    first, second = row(SOURCE, RECORD), row(SOURCE, RECORD, updatedAt="2024-03-14T15:15:30.406Z")
    assert first["id"] == '["f1","2024-03-14T09:15:30.406Z"]'
    assert second["id"] == '["f1","2024-03-14T15:15:30.406Z"]'
    assert second["time"] == datetime(2024, 3, 14, 15, 15, 30, 406000, UTC)
    assert (first["account"], first["region"]) == ("111122223333", "eu-west-1")


def test_a_trimmed_finding_has_the_time_of_what_was_seen_and_no_identity() -> None:
    found = row(SOURCE, RECORD, updatedAt=None)
    assert found["time"] == datetime(2024, 3, 14, 9, 0, tzinfo=UTC)
    assert "id" not in found


def test_indicators_name_who_called_from_where_and_upon_what() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45"],
        "emails": ["ann@example.com"],
        "usernames": ["ann@example.com"],
        "aws_arns": [ARN, "arn:aws:s3:::example-data"],
        "aws_account_ids": ["111122223333", "444455556666"],
    }


REMOTE = {"remoteIpDetails": {"ipAddressV4": "198.51.100.7", "ipAddressV6": "2001:DB8::1"}}
PROBE = {"localIpDetails": {"ipAddressV4": "10.0.0.7"}, **REMOTE}
BOTH = ["198.51.100.7", "2001:db8::1"]


@pytest.mark.parametrize(
    ("changes", "name", "expected"),
    [
        (seen(action={"awsApiCallAction": REMOTE}), "ip_addresses", BOTH),
        (seen(action={"networkConnectionAction": REMOTE}), "ip_addresses", BOTH),
        (seen(action={"kubernetesApiCallAction": REMOTE}), "ip_addresses", BOTH),
        (seen(action={"kubernetesApiCallAction": {"sourceIps": ["198.51.100.7"]}}), "ip_addresses", ["198.51.100.7"]),
        (seen(action={"rdsLoginAttemptAction": REMOTE}), "ip_addresses", BOTH),
        (seen(action={"portProbeAction": {"portProbeDetails": [PROBE]}}), "ip_addresses", ["10.0.0.7", *BOTH]),
        (seen(action={"dnsRequestAction": {"domain": "Evil.Example.com"}}), "domain_names", ["evil.example.com"]),
        (
            seen(action={"awsApiCallAction": {"domainDetails": {"domain": "example.net"}}}),
            "domain_names",
            ["example.net"],
        ),
        (seen(runtimeDetails={"process": {"executableSha256": HASH}}), "sha256_hashes", [HASH]),
        (seen(malwareScanDetails={"threats": [{"itemPaths": [{"hash": HASH}]}]}), "sha256_hashes", [HASH]),
        (seen(detection={"sequence": {"endpoints": [{"ip": "198.51.100.7"}]}}), "ip_addresses", ["198.51.100.7"]),
        (
            seen(detection={"sequence": {"actors": [{"user": {"name": "bob"}}]}}),
            "usernames",
            ["ann@example.com", "bob"],
        ),
        (instance(instanceId="i-0123456789abcdef0"), "aws_instance_ids", ["i-0123456789abcdef0"]),
        (instance(networkInterfaces=[{"publicIp": "198.51.100.7"}]), "ip_addresses", ["203.0.113.45", "198.51.100.7"]),
        (
            instance(networkInterfaces=[{"ipv6Addresses": ["2001:DB8::1"]}]),
            "ip_addresses",
            ["203.0.113.45", "2001:db8::1"],
        ),
        ({"resource": {"rdsDbUserDetails": {"user": "app"}}}, "usernames", ["app"]),
    ],
)
def test_indicators_are_found_wherever_an_action_keeps_them(
    changes: dict[str, Any], name: str, expected: list[str]
) -> None:
    assert sorted(indicators(row(SOURCE, RECORD, **changes))[name]) == sorted(expected)


def test_a_finding_is_known_however_it_is_written() -> None:
    untyped = {**RECORD, "type": None}
    assert all(SOURCE.accepts(text) for record in (RECORD, untyped) for text in writings(record))
    macie = {"schemaVersion": "1.0", "id": "m1", "type": "SensitiveData:S3Object/Personal", "resourcesAffected": {}}
    asff = {"SchemaVersion": "2018-10-08", "Id": "f1", "AwsAccountId": "111122223333"}
    for other in ({}, macie, asff, {"detail": RECORD}, {"findings": [RECORD]}):
        assert not SOURCE.accepts(text_of(other))
    assert SOURCE.expects("AWSLogs/111122223333/GuardDuty/eu-west-1/2024/03/14/x.jsonl.gz")


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, severity="high", resource={**RECORD["resource"], "s3BucketDetails": "none"}))
    assert not {"severity", "resource_s3BucketDetails_name"} & found.keys()
    assert found["resource_accessKeyDetails_userName"] == "ann@example.com"
    assert columns(row(SOURCE, RECORD, service=[]))["service"] == "[]"
