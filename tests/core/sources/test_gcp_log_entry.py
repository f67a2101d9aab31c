"""What all kinds of Google Cloud log entries share: telling them apart, identity, time."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pyarrow as pa
import pytest

from iota_dagster.core.sources import gcp_audit, gcp_gke, gcp_httplb, gcp_vpcflow
from tests.core.sources.cases import Record, columns, indicators, row, text_of, writings

SOURCES = [module.SOURCE for module in (gcp_audit, gcp_httplb, gcp_gke, gcp_vpcflow)]
AUDIT_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"
LB_TYPE = "type.googleapis.com/google.cloud.loadbalancing.type.LoadBalancerLogEntry"
FLOW: Record = {"connection": {"src_ip": "10.0.0.2", "dest_ip": "203.0.113.7"}, "reporter": "SRC", "bytes_sent": "9"}
REQUEST: Record = {"remoteIp": "203.0.113.7", "status": 200}


def typed(kind: str, **labels: str) -> Record:
    return {"type": kind, "labels": labels}


KINDS: list[tuple[Record, str | None]] = [
    ({"protoPayload": {"@type": AUDIT_TYPE}}, "GCP.AuditLog"),
    ({"protoPayload": {"@type": AUDIT_TYPE}, "resource": typed("k8s_cluster")}, "GCP.AuditLog"),
    ({"protoPayload": {"@type": AUDIT_TYPE}, "resource": typed("http_load_balancer")}, "GCP.AuditLog"),
    ({"protoPayload": {"methodName": "SetIamPolicy"}}, "GCP.AuditLog"),
    ({"protoPayload": {"serviceName": "iam.googleapis.com"}}, "GCP.AuditLog"),
    ({"protoPayload": {}, "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity"}, "GCP.AuditLog"),
    ({"logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity"}, "GCP.AuditLog"),
    ({"jsonPayload": {}, "logName": "projects/p/logs/cloudaudit.googleapis.com%2Faccess_transparency"}, None),
    ({"protopayload_auditlog": {"methodName": "SetIamPolicy"}, "protoPayload": None}, "GCP.AuditLog"),
    ({"methodName": "v1.compute.firewalls.insert"}, "GCP.AuditLog"),
    ({"methodName": "google.storage.objects.list"}, "GCP.AuditLog"),
    ({"methodName": "handleClick"}, None),
    ({"methodName": "google.x", "logName": "projects/p/logs/app", "jsonPayload": {}}, None),
    ({"protoPayload": {"@type": "type.googleapis.com/google.appengine.logging.v1.RequestLog"}}, None),
    ({"protoPayload": {}}, None),
    ({"protoPayload": "text"}, None),
    ({"resource": typed("http_load_balancer"), "httpRequest": REQUEST}, "GCP.HTTPLoadBalancer"),
    ({"resource": typed("internal_http_lb_rule"), "jsonPayload": {}}, "GCP.HTTPLoadBalancer"),
    ({"resource": typed("http_external_regional_lb_rule"), "httpRequest": REQUEST}, "GCP.HTTPLoadBalancer"),
    ({"jsonPayload": {"@type": LB_TYPE}, "httpRequest": REQUEST}, "GCP.HTTPLoadBalancer"),
    ({"resource": typed("http_load_balancer"), "jsonPayload": FLOW}, "GCP.HTTPLoadBalancer"),
    ({"resource": typed("http_load_balancer")}, None),
    ({"resource": typed("cloud_run_revision"), "httpRequest": REQUEST}, None),
    ({"resource": typed("l4_proxy_rule"), "jsonPayload": {"connection": {}}}, None),
    ({"resource": typed("k8s_container"), "textPayload": "started"}, "GCP.GKE"),
    ({"resource": typed("k8s_node"), "jsonPayload": FLOW | {"disposition": "deny"}}, "GCP.GKE"),
    ({"resource": typed("k8s_pod"), "jsonPayload": FLOW}, "GCP.GKE"),
    ({"resource": typed("k8s_container"), "jsonPayload": {"@type": LB_TYPE}}, "GCP.GKE"),
    ({"resource": typed("k8s_container"), "jsonPayload": {"@type": 5, "methodName": []}}, "GCP.GKE"),
    ({"resource": typed("k8s_container"), "httpRequest": REQUEST}, "GCP.GKE"),
    ({"resource": typed("gke_nodepool"), "jsonPayload": {}}, "GCP.GKE"),
    ({"resource": typed("container"), "textPayload": "started"}, "GCP.GKE"),
    ({"resource": typed("k8s_container")}, None),
    ({"resource": typed("gce_instance"), "textPayload": "started"}, None),
    ({"resource": typed("gce_subnetwork"), "jsonPayload": FLOW}, "GCP.VPCFlow"),
    ({"resource": typed("vpc_flow_logs_config"), "jsonPayload": FLOW}, "GCP.VPCFlow"),
    ({"jsonPayload": FLOW}, "GCP.VPCFlow"),
    ({"jsonPayload": {"connection": FLOW["connection"]}}, None),
    ({"resource": typed("gce_subnetwork"), "jsonPayload": FLOW | {"disposition": "DENIED"}}, None),
    ({"resource": typed("nat_gateway"), "jsonPayload": {"connection": FLOW["connection"], "endpoint": {}}}, None),
    ({"resource": "text", "jsonPayload": 5}, None),
    ({}, None),
]


@pytest.mark.parametrize(("record", "log_type"), KINDS)
def test_an_entry_is_of_one_kind_or_of_none_however_it_is_written(record: Record, log_type: str | None) -> None:
    expected = [log_type] if log_type else []
    for text in writings({"insertId": "1", **record} if record else record):
        assert [source.log_type for source in SOURCES if source.accepts(text)] == expected


def test_text_and_what_only_begins_like_an_entry_are_refused() -> None:
    for source, text in product(SOURCES, (b"", b"plain", b'{"protoPayload":', b"[]", b'"x"', b"{" * 5000)):
        assert not source.accepts(text)


ENTRY: Record = {
    "insertId": "abc1",
    "timestamp": "2024-03-14T09:26:53.589793238Z",
    "receiveTimestamp": "2024-03-14T09:26:54.1Z",
    "logName": "projects/example/logs/events",
    "severity": "INFO",
    "resource": typed("k8s_cluster", project_id="example", cluster_name="main"),
    "labels": {"team": "red"},
    "trace": "projects/example/traces/0af7",
    "spanId": "b7ad",
    "textPayload": "started",
}


def read(record: Record, **changes: Any) -> Record:
    return row(gcp_gke.SOURCE, record, **changes)


def test_the_envelope_fills_the_columns_of_every_kind() -> None:
    expected = {
        "insertId": "abc1",
        "logName": "projects/example/logs/events",
        "severity": "INFO",
        "resource_type": "k8s_cluster",
        "resource_labels_project_id": "example",
        "resource_labels": '{"project_id":"example","cluster_name":"main"}',
        "labels": '{"team":"red"}',
        "trace": "projects/example/traces/0af7",
        "spanId": "b7ad",
        "receiveTimestamp": datetime(2024, 3, 14, 9, 26, 54, 100000, UTC),
    }
    for source in SOURCES:
        found = columns(row(source, ENTRY))
        assert {name: found[name] for name in expected} == expected
        assert indicators(row(source, ENTRY))["trace_ids"] == ["projects/example/traces/0af7"]


def test_the_time_keeps_its_nanoseconds_and_the_column_microseconds() -> None:
    readings = gcp_gke.SOURCE.read_many([text_of(ENTRY)])
    assert readings.event_time.cast(pa.int64()).to_pylist() == [1_710_408_413_589_793_238]
    assert columns(read(ENTRY))["timestamp"] == datetime(2024, 3, 14, 9, 26, 53, 589793, UTC)


def test_an_entry_without_time_has_that_of_its_receipt() -> None:
    assert read(ENTRY, timestamp=None)["time"] == datetime(2024, 3, 14, 9, 26, 54, 100000, UTC)
    assert read(ENTRY, timestamp="2024-03-14T09:26:53.589")["time"] == datetime(2024, 3, 14, 9, 26, 53, 589000, UTC)


def test_identity_is_what_cloud_logging_takes_for_it() -> None:
    assert read(ENTRY)["id"] == '["abc1","2024-03-14T09:26:53.589793238Z","projects/example/logs/events"]'
    for lacking in ("insertId", "timestamp", "logName"):
        assert "id" not in read(ENTRY, **{lacking: None})


def test_the_parts_of_a_split_entry_are_events_of_their_own() -> None:
    ids = {read(ENTRY, split={"uid": "u", "index": number, "totalSplits": 3})["id"] for number in range(3)}
    assert len(ids) == 3
    assert "id" not in read(ENTRY, insertId=None, split={"uid": "u", "index": 1})
