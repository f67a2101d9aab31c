"""Requests to sites behind Cloudflare."""

from __future__ import annotations

import json

import pyarrow as pa

from iota_dagster.core.sources.cloudflare_http import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row, rows, text_of

RECORD: Record = {
    "RayID": "72d807ffeba5753d",
    "ParentRayID": "00",
    "EdgeStartTimestamp": 1_710_408_413_589_793_238,
    "EdgeEndTimestamp": 1_710_408_414_000_000_000,
    "ZoneName": "example.com",
    "ClientIP": "::ffff:203.0.113.45",
    "ClientASN": 64500,
    "ClientCountry": "se",
    "ClientRequestHost": "Shop.example.com",
    "ClientRequestMethod": "GET",
    "ClientRequestURI": "/.env?x=1",
    "ClientRequestReferer": "https://example.net/page",
    "EdgeResponseStatus": 200,
    "EdgeResponseBytes": 279,
    "OriginIP": "198.51.100.7",
    "EdgeServerIP": "",
    "SecurityRuleIDs": ["r1", "r2"],
    "WorkerSubrequest": False,
    "RequestHeaders": {"x-forwarded-for": "10.0.0.2, 2001:DB8::1, unknown"},
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    same = RECORD.keys() - {"EdgeStartTimestamp", "EdgeEndTimestamp", "RequestHeaders"}
    assert {name: found[name] for name in same} == {name: RECORD[name] for name in same}
    assert found["EdgeStartTimestamp"].isoformat() == "2024-03-14T09:26:53.589793+00:00"
    assert json.loads(found["RequestHeaders"]) == RECORD["RequestHeaders"]


def test_the_event_time_is_the_start_with_its_nanoseconds_else_the_end() -> None:
    readings = SOURCE.read_many([text_of(RECORD)])
    assert readings.event_time.cast(pa.int64()).to_pylist() == [1_710_408_413_589_793_238]
    without = row(SOURCE, RECORD, EdgeStartTimestamp=None)
    assert without["time"].isoformat() == "2024-03-14T09:26:54+00:00"


def test_a_request_delivered_again_is_known_and_another_of_the_same_ray_is_not() -> None:
    first = row(SOURCE, RECORD)["id"]
    assert first.startswith('["72d807ffeba5753d","1710408413589793238"]:')
    again, other = rows(SOURCE, json.dumps(RECORD, indent=1).encode(), text_of(RECORD, ClientRequestURI="/other"))
    assert again["id"] == first
    assert other["id"] != first


def test_a_record_without_ray_and_time_is_dated_and_named_by_its_object() -> None:
    found = row(
        SOURCE, {"WorkerStatus": "unknown", "WorkerSubrequest": False, "ZoneName": "example.com", "WAFRuleID": ""}
    )
    assert not {"id", "time"} & found.keys()
    assert indicators(found) == {"domain_names": ["example.com"]}


def test_ids_stay_with_their_records_where_some_are_rejected() -> None:
    readings = SOURCE.read_many([b"no", text_of(RECORD), b"{", text_of({"ZoneName": "example.com"})])
    assert list(readings.rejected) == [0, 2]
    assert readings.event_id == [row(SOURCE, RECORD)["id"], None]


def test_indicators_name_client_origin_hosts_and_who_a_proxy_says_it_speaks_for() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.45", "198.51.100.7", "10.0.0.2", "2001:db8::1"],
        "domain_names": ["example.com", "shop.example.com", "example.net"],
        "trace_ids": ["72d807ffeba5753d"],
    }


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, EdgeResponseStatus="none", SecurityRuleIDs="r1", RequestHeaders="none"))
    assert not {"EdgeResponseStatus", "SecurityRuleIDs"} & found.keys()
    assert (found["EdgeResponseBytes"], found["RequestHeaders"]) == (279, '"none"')
