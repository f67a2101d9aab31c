"""The lake table of matches."""

from __future__ import annotations

import io

import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.lake.alert_matches import SCHEMA, matches_table
from iota_dagster.core.model import Match
from tests.core.alerting.cases import a_match, at, match_sets


def test_a_row_says_all_about_its_match() -> None:
    match = a_match("e1", 5, context={"b": 1, "a": "é"}, p_account_id="111122223333", unique_value="x")
    (row,) = matches_table([match], "b1").to_pylist()
    assert row == {
        "match_id": match.id,
        "alert_id": match.alert_id,
        "rule_id": "Console.NoMFA",
        "rule_version": "",
        "severity": "HIGH",
        "title": "event e1",
        "dedup": "alice",
        "log_type": "AWS.CloudTrail",
        "event_id": "e1",
        "p_event_time": at(5),
        "create_alert": True,
        "unique_value": "x",
        "context": '{"a":"\\u00e9","b":1}',
        "description": "",
        "runbook": "",
        "reference": "",
        "p_batch": "b1",
        "p_account_id": "111122223333",
        "p_region": None,
        "p_source_bucket": "logs",
        "p_source_key": "AWSLogs/a.json.gz",
    }


def test_a_signal_belongs_to_no_alert() -> None:
    assert matches_table([a_match("e1", 5, create_alert=False)], "b1")["alert_id"].to_pylist() == [None]


@given(match_sets().flatmap(lambda matches: st.tuples(st.just(matches), st.permutations(matches))))
def test_the_same_matches_in_any_order_give_the_same_table(both: tuple[list[Match], list[Match]]) -> None:
    assert matches_table(both[0], "b").equals(matches_table(both[1], "b"))


def test_text_that_has_no_utf_8_is_written_all_the_same() -> None:
    table = matches_table([a_match("e1", 5, title="\ud800", context={"x": float("nan")})], "b1")
    pq.write_table(table, io.BytesIO())
    assert (table["title"][0].as_py(), table["context"][0].as_py()) == ("\ufffd", '{"x":"nan"}')


def test_no_matches_are_an_empty_table_with_described_columns() -> None:
    assert matches_table([], "b1").schema.equals(SCHEMA, check_metadata=True)
    assert all(field.metadata[b"description"] for field in SCHEMA)
