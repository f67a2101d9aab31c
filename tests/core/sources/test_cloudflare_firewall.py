"""What Cloudflare's firewall did with requests."""

from __future__ import annotations

from iota_dagster.core.sources.cloudflare_firewall import SOURCE
from tests.core.sources.cases import Record, columns, indicators, row

RECORD: Record = {
    "Action": "block",
    "ClientASN": 64500,
    "ClientASNDescription": "EXAMPLE",
    "ClientCountry": "se",
    "ClientIP": "203.0.113.45",
    "ClientRefererHost": "example.net",
    "ClientRequestHost": "shop.example.com",
    "ClientRequestMethod": "GET",
    "ClientRequestPath": "/.env",
    "ClientRequestUserAgent": "curl/8",
    "Datetime": 1_710_408_413_589_000_000,
    "EdgeResponseStatus": 403,
    "Kind": "firewall",
    "MatchIndex": 0,
    "Metadata": {"group": "specials"},
    "OriginatorRayID": "00",
    "RayID": "77280bee38a6c461",
    "RuleID": "100016",
    "Source": "waf",
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = row(SOURCE, RECORD)
    same = RECORD.keys() - {"Datetime", "Metadata"}
    assert {name: columns(found)[name] for name in same} == {name: RECORD[name] for name in same}
    assert columns(found)["Metadata"] == '{"group":"specials"}'
    assert found["time"].isoformat() == "2024-03-14T09:26:53.589000+00:00"


def test_each_rule_that_matched_a_request_is_an_event() -> None:
    matches = [row(SOURCE, RECORD, MatchIndex=index, RuleID=f"r{index}") for index in range(3)]
    assert len({found["id"] for found in matches}) == 3
    assert {tuple(indicators(found)["trace_ids"]) for found in matches} == {("77280bee38a6c461",)}
    assert row(SOURCE, RECORD)["id"] == row(SOURCE, RECORD)["id"]


def test_a_record_without_ray_or_time_has_no_identity() -> None:
    for name in ("RayID", "Datetime"):
        assert "id" not in row(SOURCE, RECORD, **{name: None})


def test_indicators_name_client_and_hosts() -> None:
    assert indicators(row(SOURCE, RECORD, ClientIP="2001:DB8::1")) == {
        "ip_addresses": ["2001:db8::1"],
        "domain_names": ["shop.example.com", "example.net"],
        "trace_ids": ["77280bee38a6c461"],
    }


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, MatchIndex="first", RuleID=100016))
    assert "MatchIndex" not in found
    assert (found["RuleID"], found["Action"]) == ("100016", "block")
