"""What the Logpush datasets share: telling them apart, whichever fields a job was asked for."""

from __future__ import annotations

import pytest

from iota_dagster.core.sources import cloudflare_audit, cloudflare_dns, cloudflare_firewall, cloudflare_http
from tests.core.sources.cases import Record, text_of, writings

SOURCES = [module.SOURCE for module in (cloudflare_http, cloudflare_firewall, cloudflare_audit, cloudflare_dns)]
SHARED: Record = {"RayID": "8e5c", "ClientIP": "203.0.113.45", "ClientRequestHost": "example.com"}
NUMBER = 1_710_408_413_589_793_238

KINDS: list[tuple[Record, str | None]] = [
    ({**SHARED, "EdgeStartTimestamp": NUMBER}, "HttpRequest"),
    ({"EdgeEndTimestamp": "2024-03-14T09:26:53Z"}, "HttpRequest"),
    ({"WAFRuleID": "", "WorkerStatus": "unknown", "ZoneName": "example.com"}, "HttpRequest"),
    ({**SHARED, "ClientRequestURI": "/", "EdgeResponseBytes": 9}, "HttpRequest"),
    ({**SHARED, "SecurityAction": "block", "SecurityRuleID": "r"}, "HttpRequest"),
    ({**SHARED, "Action": "block", "Datetime": NUMBER}, "Firewall"),
    ({"Action": "log", "RuleID": "r", "ClientRequestPath": "/"}, "Firewall"),
    ({"ActionType": "login", "ActorEmail": "ann@example.com", "When": NUMBER}, "Audit"),
    ({"ActionType": "job_delete", "ResourceType": "logpush job", "ResourceID": "1"}, "Audit"),
    ({"QueryName": "example.com", "Timestamp": NUMBER}, "DNS"),
    ({"QueryName": "example.com", "QueryType": 1, "ResponseCode": 0}, "DNS"),
    (SHARED, None),
    ({"ZoneName": "example.com", "WorkerStatus": "ok"}, None),
    # Other datasets: audit logs version 2, Gateway HTTP and DNS, DNS Firewall, Access requests, Spectrum.
    ({"ActionType": "create", "ActorID": "a", "ResourceID": "r", "AuditLogID": "1", "ActionTimestamp": NUMBER}, None),
    ({"Action": "block", "Datetime": NUMBER, "HTTPHost": "example.com", "SourceIP": "10.0.0.2", "URL": "/"}, None),
    ({"QueryName": "example.com", "Datetime": NUMBER, "ResolverDecision": "allowed", "ColoCode": "ARN"}, None),
    ({"QueryName": "example.com", "Timestamp": NUMBER, "ClusterID": "c", "ResponseCode": 0}, None),
    ({"Action": "login", "RayID": "8e5c", "AppDomain": "example.com", "IPAddress": "203.0.113.45"}, None),
    ({"Timestamp": NUMBER, "ClientIP": "203.0.113.45", "OriginIP": "10.0.0.9", "Event": "connect"}, None),
    ({}, None),
]


@pytest.mark.parametrize(("record", "dataset"), KINDS)
def test_a_record_is_of_one_dataset_or_of_none_however_it_is_written(record: Record, dataset: str | None) -> None:
    expected = [f"Cloudflare.{dataset}"] if dataset else []
    for text in writings(record):
        assert [source.log_type for source in SOURCES if source.accepts(text)] == expected


def test_a_folder_named_like_the_dataset_is_expected() -> None:
    datasets = ("http_requests", "firewall_events", "audit_logs", "dns_logs")
    for source, dataset in zip(SOURCES, datasets, strict=True):
        assert source.expects(f"cloudflare/{dataset}/20240314/20240314T092600Z_20240314T092700Z_ab12.log.gz")
        assert not source.expects("cloudflare/20240314/20240314T092600Z_20240314T092700Z_ab12.log.gz")


@pytest.mark.parametrize("time", ["2024-03-14T09:26:53Z", 1_710_408_413, 1_710_408_413_000_000_000])
def test_times_are_read_in_all_formats_that_a_job_can_ask_for(time: str | int) -> None:
    records = [
        {**SHARED, "EdgeStartTimestamp": time},
        {**SHARED, "Action": "block", "Datetime": time},
        {"ActionType": "login", "ActorID": "a", "When": time},
        {"QueryName": "example.com", "Timestamp": time},
    ]
    for source, record in zip(SOURCES, records, strict=True):
        (found,) = source.read_many([text_of(record)]).event_time.to_pylist()
        assert found.isoformat() == "2024-03-14T09:26:53+00:00"
