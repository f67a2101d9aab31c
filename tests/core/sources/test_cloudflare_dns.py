"""Queries to Cloudflare's authoritative name servers."""

from __future__ import annotations

from iota_dagster.core.sources.cloudflare_dns import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row

RECORD: Record = {
    "ColoCode": "ARN",
    "EDNSSubnet": "198.51.100.0",
    "EDNSSubnetLength": 24,
    "QueryName": "Www.Example.com.",
    "QueryType": 28,
    "ResponseCached": False,
    "ResponseCode": 3,
    "SourceIP": "2001:DB8::53",
    "Timestamp": 1_710_408_413_004_000_000,
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = row(SOURCE, RECORD)
    same = RECORD.keys() - {"Timestamp"}
    assert {name: columns(found)[name] for name in same} == {name: RECORD[name] for name in same}
    assert found["time"].isoformat() == "2024-03-14T09:26:53.004000+00:00"


def test_a_query_has_no_id_since_a_resolver_may_ask_twice() -> None:
    assert "id" not in row(SOURCE, RECORD)


def test_indicators_name_what_was_asked_by_whom() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["2001:db8::53", "198.51.100.0"],
        "domain_names": ["www.example.com"],
    }


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, QueryType="AAAA"))
    assert "QueryType" not in found
    assert found["ResponseCode"] == 3
