"""WAF: what a web ACL logs of a request, whichever service stands behind it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.waf import SOURCE
from tests.core.sources.cases import columns, indicators, row, rows, text_of, writings

ACL = "arn:aws:wafv2:eu-central-1:111122223333:regional/webacl/main/770ad176-16cb-4a93-8cce-a76dfa74a50c"
GLOBAL = "arn:aws:wafv2:us-east-1:111122223333:global/webacl/edge/41f0e583-5098-4f2f-ac64-09ab912af590"
RECORD: dict[str, Any] = {
    "timestamp": 1710408413512,
    "formatVersion": 1,
    "webaclId": ACL,
    "terminatingRuleId": "sql-injection",
    "terminatingRuleType": "REGULAR",
    "action": "BLOCK",
    "terminatingRuleMatchDetails": [{"conditionType": "SQL_INJECTION", "location": "BODY"}],
    "httpSourceName": "ALB",
    "httpSourceId": "111122223333-app/web/6a1939d39ac9ef3c",
    "ruleGroupList": [{"ruleGroupId": "AWS#AWSManagedRulesSQLiRuleSet", "terminatingRule": None}],
    "rateBasedRuleList": [],
    "nonTerminatingMatchingRules": [],
    "requestHeadersInserted": None,
    "responseCodeSent": 403,
    "httpRequest": {
        "clientIp": "203.0.113.45",
        "country": "DE",
        "headers": [
            {"name": "Host", "value": "Shop.example.com"},
            {"name": "User-Agent", "value": "curl/8.1.2"},
            {"name": "X-Forwarded-For", "value": "198.51.100.7, 2001:DB8::1"},
            {"name": "x-forwarded-for", "value": "unknown"},
            {"name": "referer", "value": "https://www.example.com/start"},
        ],
        "uri": "/item",
        "args": "id=1",
        "httpVersion": "HTTP/2.0",
        "httpMethod": "POST",
        "requestId": "1-65f2c0dd-7d2deb5d54820c4d7284912a",
        "fragment": "",
        "scheme": "https",
        "host": "shop.example.com",
    },
    "labels": [{"name": "awswaf:clientip:geo:country:DE"}, {"name": "awswaf:managed:aws:sql-database:SQLi_Body"}],
    "ja3Fingerprint": "71912442e2cef8ae6f8ea3aba3fc0da9",
    "ja4Fingerprint": "t13d1812h1_91b4e2f43a96_a791466c72b5",
    "clientAsn": 64496,
    "requestBodySize": 99,
    "requestBodySizeInspectedByWAF": 64,
    "oversizeFields": ["REQUEST_BODY"],
    "captchaResponse": {"responseCode": 405, "solveTimestamp": 0, "failureReason": "TOKEN_MISSING"},
}
CLASSIC = {
    "timestamp": 1533689070589,
    "formatVersion": 1,
    "webaclId": "385cb038-3a6f-4f2f-ac64-09ab912af590",
    "terminatingRuleId": "Default_Action",
    "action": "ALLOW",
    "httpSourceName": "CF",
    "httpSourceId": "EXAMPLE",
    "httpRequest": {"clientIp": "203.0.113.45", "headers": [], "requestId": "made-by-cloudfront=="},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    assert found["timestamp"] == datetime(2024, 3, 14, 9, 26, 53, 512000, UTC)
    names = "webaclId terminatingRuleId terminatingRuleType action httpSourceName httpSourceId responseCodeSent "
    names += "ja3Fingerprint ja4Fingerprint clientAsn requestBodySize requestBodySizeInspectedByWAF oversizeFields"
    assert {name: found[name] for name in names.split()} == {name: RECORD[name] for name in names.split()}
    request = {f"httpRequest_{name}": value for name, value in RECORD["httpRequest"].items() if name != "headers"}
    assert {name: found[name] for name in request} == request
    assert found["labels"] == ["awswaf:clientip:geo:country:DE", "awswaf:managed:aws:sql-database:SQLi_Body"]
    assert found["captchaResponse_failureReason"] == "TOKEN_MISSING"
    assert found["terminatingRuleMatchDetails"] == '[{"conditionType":"SQL_INJECTION","location":"BODY"}]'
    assert "forwardedAsn" not in found


def test_headers_are_found_by_name_in_any_case_and_the_values_of_one_sent_twice_are_joined() -> None:
    found = columns(row(SOURCE, RECORD))
    assert {name.rpartition("headers_")[2]: value for name, value in found.items() if "headers_" in name} == {
        "host": "Shop.example.com",
        "user_agent": "curl/8.1.2",
        "referer": "https://www.example.com/start",
        "x_forwarded_for": ["198.51.100.7", "2001:DB8::1", "unknown"],
    }


@pytest.mark.parametrize("headers", [None, [], {}, "x", [7], [{"name": 7}], [{"name": "Host"}], [{"value": "x"}]])
def test_headers_of_another_form_cost_only_themselves(headers: Any) -> None:
    found = row(SOURCE, RECORD, httpRequest={"clientIp": "203.0.113.45", "headers": headers})
    assert not [name for name in found if "headers_" in name]
    assert found["column httpRequest_clientIp"] == "203.0.113.45"


def test_indicators_name_client_proxies_hosts_and_the_acl() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45", "198.51.100.7", "2001:db8::1"],
        "domain_names": ["shop.example.com", "www.example.com"],
        "aws_arns": [ACL],
        "aws_account_ids": ["111122223333"],
        "trace_ids": ["1-65f2c0dd-7d2deb5d54820c4d7284912a"],
    }


@pytest.mark.parametrize(
    ("acl", "account", "region"),
    [
        (ACL, "111122223333", "eu-central-1"),
        (GLOBAL, "111122223333", "us-east-1"),
        ("385cb038-3a6f-4f2f-ac64-09ab912af590", None, None),
        ("arn:aws:wafv2:us-east-1:global/webacl/edge/41f0e583", None, "us-east-1"),
        ("arn:aws:wafv2:us-east-1:" + "\u0661" * 12 + ":global/webacl/edge/41f0e583", None, "us-east-1"),
        ("arn:aws", None, None),
        (None, None, None),
    ],
)
def test_account_and_region_stand_in_the_arn_of_the_acl(acl: str | None, account: str, region: str) -> None:
    found = row(SOURCE, RECORD, webaclId=acl)
    assert (found.get("account"), found.get("region")) == (account, region)


def test_a_request_of_cloudfront_is_known_by_its_id_time_and_acl() -> None:
    assert (
        row(SOURCE, CLASSIC)["id"] == '["1533689070589","385cb038-3a6f-4f2f-ac64-09ab912af590","made-by-cloudfront=="]'
    )


@pytest.mark.parametrize("service", ["ALB", "APIGW", "APPSYNC", None])
def test_a_request_id_that_a_client_may_choose_is_no_identity(service: str | None) -> None:
    assert "id" not in row(SOURCE, CLASSIC, httpSourceName=service)


def test_a_record_is_known_however_it_is_written() -> None:
    assert all(SOURCE.accepts(text) for record in (RECORD, CLASSIC) for text in writings(record))
    assert len(rows(SOURCE, *writings(RECORD))) == 4
    for other in ({}, {"webaclId": ACL}, {"httpRequest": {"clientIp": "203.0.113.45"}}, {**CLASSIC, "webaclId": 5}):
        assert not SOURCE.accepts(text_of(other))
    assert SOURCE.expects("AWSLogs/111122223333/WAFLogs/eu-central-1/main/2024/03/14/09/25/x_waflogs_y.log.gz")
    assert not SOURCE.expects("AWSLogs/111122223333/CloudTrail/eu-central-1/x.json.gz")


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, responseCodeSent="soon", labels="none", action=5))
    assert "responseCodeSent" not in found
    assert "labels" not in found
    assert found["action"] == "5"
    assert found["terminatingRuleId"] == "sql-injection"
