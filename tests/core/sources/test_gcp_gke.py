"""What Google Kubernetes Engine logs beside its audit log."""

from __future__ import annotations

from iota_dagster.core.sources.gcp_gke import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row

RECORD: Record = {
    "insertId": "g1",
    "jsonPayload": {
        "kind": "Event",
        "type": "Warning",
        "reason": "FailedScheduling",
        "message": "0/3 nodes are available",
        "source": {"component": "default-scheduler"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web-1"},
    },
    "resource": {"type": "k8s_pod", "labels": {"cluster_name": "main", "namespace_name": "shop", "pod_name": "web-1"}},
    "timestamp": "2024-03-14T09:26:53Z",
    "logName": "projects/example/logs/events",
}


def test_an_event_of_the_cluster_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    expected = {
        "resource_labels_cluster_name": "main",
        "resource_labels_namespace_name": "shop",
        "resource_labels_pod_name": "web-1",
        "jsonPayload_kind": "Event",
        "jsonPayload_type": "Warning",
        "jsonPayload_reason": "FailedScheduling",
        "jsonPayload_message": "0/3 nodes are available",
        "jsonPayload_source_component": "default-scheduler",
        "jsonPayload_involvedObject_kind": "Pod",
        "jsonPayload_involvedObject_namespace": "shop",
        "jsonPayload_involvedObject_name": "web-1",
    }
    assert {name: found.get(name) for name in expected} == expected


def test_a_service_of_a_node_and_a_text_have_columns_of_their_own() -> None:
    journal = {"MESSAGE": "stopped", "_HOSTNAME": "node-1", "SYSLOG_IDENTIFIER": "containerd", "_EXE": "/bin/c"}
    found = columns(row(SOURCE, RECORD, jsonPayload=journal))
    names = ("journal_message", "journal_hostname", "journal_identifier", "journal_exe")
    assert [found[name] for name in names] == ["stopped", "node-1", "containerd", "/bin/c"]
    assert "jsonPayload_message" not in found
    assert columns(row(SOURCE, RECORD, jsonPayload=None, textPayload="started"))["textPayload"] == "started"


def test_no_two_columns_differ_in_case_alone() -> None:
    """Athena and DuckDB do not tell them apart."""
    names = [name.lower() for name in SOURCE.columns.names]
    assert len(names) == len(set(names))


def test_indicators_name_the_ends_of_connections_and_requests() -> None:
    denied = {"connection": {"src_ip": "10.0.0.2", "dest_ip": "198.51.100.7", "dest_port": 443}, "disposition": "deny"}
    found = row(SOURCE, RECORD, jsonPayload=denied)
    assert indicators(found) == {"ip_addresses": ["10.0.0.2", "198.51.100.7"]}
    assert columns(found)["jsonPayload_connection_dest_port"] == 443
    request = {"remoteIp": "203.0.113.45", "requestUrl": "http://shop.example.com/", "serverIp": "10.0.0.9"}
    assert indicators(row(SOURCE, RECORD, httpRequest=request)) == {
        "ip_addresses": ["203.0.113.45", "10.0.0.9"],
        "domain_names": ["shop.example.com"],
    }


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, jsonPayload={**RECORD["jsonPayload"], "message": {"a": 1}, "source": "x"}))
    assert found["jsonPayload_message"] == '{"a":1}'
    assert found["jsonPayload_reason"] == "FailedScheduling"
