"""Requests to Google Cloud load balancers."""

from __future__ import annotations

from iota_dagster.core.sources.gcp_httplb import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row

RECORD: Record = {
    "httpRequest": {
        "remoteIp": "203.0.113.45:49194",
        "serverIp": "10.0.0.9",
        "requestMethod": "GET",
        "requestUrl": "https://Shop.example.com:443/a?b=c",
        "protocol": "HTTP/1.1",
        "requestSize": "201",
        "responseSize": "155",
        "status": 403,
        "userAgent": "Go-http-client/1.1",
        "referer": "https://example.net/x",
        "latency": "0.001115s",
        "cacheHit": True,
    },
    "insertId": "lb1",
    "jsonPayload": {
        "@type": "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry",
        "statusDetails": "denied_by_security_policy",
        "remoteIp": "203.0.113.45",
        "enforcedSecurityPolicy": {
            "name": "waf",
            "outcome": "DENY",
            "configuredAction": "DENY",
            "priority": 1000,
            "preconfiguredExprIds": ["owasp-crs-v030301-id942220-sqli"],
        },
        "securityPolicyRequestData": {"remoteIpInfo": {"regionCode": "SE", "asn": 64500}, "tlsJa3Fingerprint": "ab"},
    },
    "logName": "projects/example/logs/requests",
    "resource": {"type": "http_load_balancer", "labels": {"url_map_name": "web", "backend_service_name": "shop"}},
    "timestamp": "2024-03-14T09:26:53.5Z",
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    policy = "jsonPayload_enforcedSecurityPolicy_"
    expected = {
        "httpRequest_remoteIp": "203.0.113.45:49194",
        "httpRequest_requestMethod": "GET",
        "httpRequest_requestUrl": "https://Shop.example.com:443/a?b=c",
        "httpRequest_status": 403,
        "httpRequest_requestSize": 201,
        "httpRequest_responseSize": 155,
        "httpRequest_cacheHit": True,
        "httpRequest_latency": "0.001115s",
        "jsonPayload_statusDetails": "denied_by_security_policy",
        f"{policy}name": "waf",
        f"{policy}outcome": "DENY",
        f"{policy}priority": 1000,
        f"{policy}preconfiguredExprIds": ["owasp-crs-v030301-id942220-sqli"],
        "jsonPayload_securityPolicyRequestData_remoteIpInfo_asn": 64500,
        "jsonPayload_securityPolicyRequestData_tlsJa3Fingerprint": "ab",
        "resource_labels_url_map_name": "web",
        "resource_labels_backend_service_name": "shop",
    }
    assert {name: found.get(name) for name in expected} == expected
    assert found["jsonPayload"].startswith('{"@type"')


def test_indicators_name_client_backend_and_hosts() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45", "10.0.0.9"],
        "domain_names": ["shop.example.com", "example.net"],
    }


def test_a_trimmed_record_is_read_without_identity() -> None:
    record = {"httpRequest": {"remoteIp": "2001:DB8::1", "status": 200}, "resource": {"type": "http_load_balancer"}}
    found = row(SOURCE, record, timestamp="2024-03-14T09:26:53Z")
    assert indicators(found) == {"ip_addresses": ["2001:db8::1"]}
    assert "id" not in found


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, httpRequest={**RECORD["httpRequest"], "status": "none"}, jsonPayload=[1]))
    assert "httpRequest_status" not in found
    assert (found["httpRequest_requestSize"], found["jsonPayload"]) == (201, "[1]")
