"""VPC flow logs of Google Cloud."""

from __future__ import annotations

from datetime import UTC, datetime

import pyarrow as pa

from iota_dagster.core.sources.gcp_vpcflow import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row, text_of

RECORD: Record = {
    "insertId": "f1",
    "jsonPayload": {
        "reporter": "SRC",
        "start_time": "2024-03-14T09:26:48.419716230Z",
        "end_time": "2024-03-14T09:26:49.419716230Z",
        "connection": {
            "src_ip": "10.0.0.2",
            "src_port": 80,
            "dest_ip": "203.0.113.45",
            "dest_port": 50604,
            "protocol": 6,
        },
        "packets_sent": "32",
        "bytes_sent": "5342",
        "src_vpc": {"vpc_name": "vpc-1", "subnetwork_name": "subnet-1", "project_id": "example"},
        "src_instance": {"vm_name": "web-1", "project_id": "example"},
        "dest_location": {"country": "usa", "asn": 64500},
        "src_gke_details": {"cluster": {"cluster_name": "main"}},
    },
    "resource": {"type": "gce_subnetwork", "labels": {"project_id": "example"}},
    "timestamp": "2024-03-14T09:26:51.990209956Z",
    "logName": "projects/example/logs/compute.googleapis.com%2Fvpc_flows",
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    assert {name.removeprefix("jsonPayload_"): found[name] for name in found if name.startswith("jsonPayload_")} == {
        "connection_src_ip": "10.0.0.2",
        "connection_src_port": 80,
        "connection_dest_ip": "203.0.113.45",
        "connection_dest_port": 50604,
        "connection_protocol": 6,
        "reporter": "SRC",
        "bytes_sent": 5342,
        "packets_sent": 32,
        "start_time": datetime(2024, 3, 14, 9, 26, 48, 419716, UTC),
        "end_time": datetime(2024, 3, 14, 9, 26, 49, 419716, UTC),
        "src_instance_vm_name": "web-1",
        "src_instance_project_id": "example",
        "src_vpc_vpc_name": "vpc-1",
        "src_vpc_subnetwork_name": "subnet-1",
        "dest_location_country": "usa",
        "dest_location_asn": 64500,
        "src_gke_details": '{"cluster":{"cluster_name":"main"}}',
    }


def test_a_flow_happened_at_its_first_packet() -> None:
    readings = SOURCE.read_many([text_of(RECORD)])
    assert readings.event_time.cast(pa.int64()).to_pylist() == [1_710_408_408_419_716_230]
    without = row(SOURCE, RECORD, jsonPayload={**RECORD["jsonPayload"], "start_time": None})
    assert str(without["time"]).startswith("2024-03-14 09:26:51.990209")


def test_the_reports_of_both_sides_are_two_events() -> None:
    ids = {row(SOURCE, RECORD, insertId=name)["id"] for name in ("f1", "f2")}
    assert len(ids) == 2


def test_indicators_are_both_ends() -> None:
    assert indicators(row(SOURCE, RECORD)) == {"ip_addresses": ["10.0.0.2", "203.0.113.45"]}


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, jsonPayload={**RECORD["jsonPayload"], "bytes_sent": "many", "src_vpc": "x"}))
    assert not {"jsonPayload_bytes_sent", "jsonPayload_src_vpc_vpc_name"} & found.keys()
    assert found["jsonPayload_packets_sent"] == 32
