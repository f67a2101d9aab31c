"""Route 53 Resolver query logs: who looked which name up, and what the answer was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from iota_dagster.core.sources.vpcdns import SOURCE
from tests.core.sources.cases import columns, indicators, row, text_of, writings

RECORD: dict[str, Any] = {
    "version": "1.100000",
    "account_id": "111122223333",
    "region": "eu-west-1",
    "vpc_id": "vpc-0123456789abcdef0",
    "query_timestamp": "2024-03-14T09:26:53Z",
    "query_name": "Www.Example.com.",
    "query_type": "A",
    "query_class": "IN",
    "rcode": "NOERROR",
    "answers": [
        {"Rdata": "cdn.example.net.", "Type": "CNAME", "Class": "IN"},
        {"Rdata": "203.0.113.9", "Type": "A", "Class": "IN"},
    ],
    "srcaddr": "10.0.1.100",
    "srcport": "56067",
    "transport": "UDP",
    "srcids": {"instance": "i-0123456789abcdef0"},
    "firewall_rule_action": "ALERT",
    "firewall_rule_group_id": "rslvr-frg-0123456789abcdef0",
    "firewall_domain_list_id": "rslvr-fdl-0123456789abcdef0",
}


def test_a_record_fills_the_columns_of_its_fields() -> None:
    found = columns(row(SOURCE, RECORD))
    assert found == {
        **{name: value for name, value in RECORD.items() if isinstance(value, str)},
        "query_timestamp": datetime(2024, 3, 14, 9, 26, 53, tzinfo=UTC),
        "srcport": 56067,
        "answers": text_of({"": RECORD["answers"]})[4:-1].decode(),
        "answers_Rdata": ["cdn.example.net.", "203.0.113.9"],
        "srcids_instance": "i-0123456789abcdef0",
    }


def test_time_account_and_region_are_the_records_and_its_identity_is_its_place() -> None:
    found = row(SOURCE, RECORD)
    assert found["time"] == datetime(2024, 3, 14, 9, 26, 53, tzinfo=UTC)
    assert (found["account"], found["region"]) == ("111122223333", "eu-west-1")
    assert "id" not in found


def test_indicators_name_who_asked_the_name_and_the_answers() -> None:
    assert indicators(row(SOURCE, RECORD)) == {
        "ip_addresses": ["203.0.113.9", "10.0.1.100"],
        "domain_names": ["www.example.com", "cdn.example.net"],
        "aws_account_ids": ["111122223333"],
        "aws_instance_ids": ["i-0123456789abcdef0"],
    }


@pytest.mark.parametrize(
    ("answer", "domains"),
    [
        ("10 mail.example.net.", ["mail.example.net", "www.example.com"]),
        ("10 60 5060 sip.example.net.", ["sip.example.net", "www.example.com"]),
        ('"v=spf1 -all"', ["www.example.com"]),
        ("", ["www.example.com"]),
    ],
)
def test_an_answer_names_the_host_behind_its_numbers(answer: str, domains: list[str]) -> None:
    found = indicators(row(SOURCE, RECORD, answers=[{"Rdata": answer, "Type": "MX", "Class": "IN"}]))
    assert sorted(found["domain_names"]) == domains


def test_a_question_through_an_endpoint_names_the_endpoint() -> None:
    ids = {"resolver_endpoint": "rslvr-in-0123456789abcdef0", "resolver_network_interface": "rni-0123456789abcdef0"}
    found = columns(row(SOURCE, RECORD, srcids=ids, answers=[]))
    assert found["srcids_resolver_endpoint"] == "rslvr-in-0123456789abcdef0"
    assert found["srcids_resolver_network_interface"] == "rni-0123456789abcdef0"
    assert not {"srcids_instance", "answers_Rdata"} & found.keys()


def test_a_record_is_known_however_it_is_written() -> None:
    trimmed = {"query_timestamp": "2024-03-14T09:26:53Z", "query_name": None}
    assert all(SOURCE.accepts(text) for record in (RECORD, trimmed) for text in writings(record))
    for other in ({}, {"QueryName": "example.com", "Timestamp": "2024-03-14T09:26:53Z"}, {"query_name": "example.com"}):
        assert not SOURCE.accepts(text_of(other))
    assert SOURCE.expects("AWSLogs/111122223333/vpcdnsquerylogs/vpc-0123456789abcdef0/2024/03/14/x.log.gz")


def test_a_field_of_another_type_costs_only_itself() -> None:
    found = columns(row(SOURCE, RECORD, srcport=[1], answers={"Rdata": "203.0.113.9"}, rcode=3))
    assert not {"srcport", "answers_Rdata"} & found.keys()
    assert (found["rcode"], found["answers"], found["srcaddr"]) == ("3", '{"Rdata":"203.0.113.9"}', "10.0.1.100")
