"""Declared fields: every place of a record lands in its column, and no surprise costs the record."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.base import INDICATORS, Readings
from iota_dagster.core.sources.fields import (
    Layout,
    flag,
    found_in,
    integer,
    moment,
    number,
    structure,
    text,
    words,
)
from iota_dagster.core.sources.finders import ARN, IP, USER
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import ANYTHING, Marks
from iota_dagster.core.sources.record_tree import RecordTree

LAYOUT = Layout(
    (
        text("id", "Id"),
        moment("at", "When"),
        moment("seen.last", "When it was last seen"),
        text("who.name", "Who", USER),
        text("who.account", "In which account"),
        structure("who", "Who (JSON)"),
        integer("count", "How many"),
        number("score", "How much"),
        flag("ok", "Whether it worked"),
        words("tags", "Tags"),
        text("hops[].ip", "Addresses on the way", IP),
        text("hops[].names[]", "Their names"),
        text("@type", "Type", name="kind"),
        found_in("resources[].arn", ARN),
    ),
    time=("at", "seen.last"),
    identity=("id", "@type"),
    account=("who.account",),
)
SOURCE = JsonSource("Test.Things", "things", LAYOUT, Marks({"id": ANYTHING}), description="Things")
WHOLE: dict[str, Any] = {
    "id": "a1",
    "at": "2024-03-14T09:26:53Z",
    "who": {"name": "ada@example.com", "account": "111122223333", "more": [1]},
    "count": 3,
    "score": 0.5,
    "ok": True,
    "tags": ["x", "y"],
    "hops": [{"ip": "203.0.113.9", "names": ["a", "b"]}, {"ip": "198.51.100.4"}, {}],
    "@type": "thing",
    "resources": [{"arn": "arn:aws:s3:::example"}],
}


def read(*records: Any) -> Readings:
    return SOURCE.read_many([json.dumps(record).encode() for record in records])


def rows(readings: Readings) -> list[dict[str, Any]]:
    columns = [column.to_pylist() for column in readings.columns]
    return [dict(zip(SOURCE.columns.names, row, strict=True)) for row in zip(*columns, strict=True)]


def test_every_place_lands_in_its_column() -> None:
    readings = read(WHOLE)
    assert rows(readings) == [
        {
            "id": "a1",
            "at": datetime(2024, 3, 14, 9, 26, 53, tzinfo=UTC),
            "seen_last": None,
            "who_name": "ada@example.com",
            "who_account": "111122223333",
            "who": json.dumps(WHOLE["who"]),
            "count": 3,
            "score": 0.5,
            "ok": True,
            "tags": ["x", "y"],
            "hops_ip": ["203.0.113.9", "198.51.100.4"],
            "hops_names": ["a", "b"],
            "kind": "thing",
        }
    ]
    assert (readings.event_id, readings.account) == (['["a1","thing"]'], ["111122223333"])
    assert {name: column.to_pylist() for name, column in readings.indicators.items()} == {
        "p_any_ip_addresses": [["203.0.113.9", "198.51.100.4"]],
        "p_any_emails": [["ada@example.com"]],
        "p_any_usernames": [["ada@example.com"]],
        "p_any_aws_arns": [["arn:aws:s3:::example"]],
        "p_any_aws_account_ids": [None],
        "p_any_aws_instance_ids": [None],
    }


def test_what_a_record_lacks_is_null() -> None:
    readings = read({"id": "a"}, WHOLE)
    assert {name for name, value in rows(readings)[0].items() if value is not None} == {"id"}
    assert (readings.event_id, readings.event_time[0].as_py()) == ([None, '["a1","thing"]'], None)


def test_the_next_field_tells_the_time_where_the_first_says_none() -> None:
    readings = read({"at": "soon", "seen": {"last": 1710408413}}, WHOLE)
    assert readings.event_time.to_pylist() == [datetime(2024, 3, 14, 9, 26, 53, tzinfo=UTC)] * 2


def test_numbers_and_flags_may_be_written_as_texts() -> None:
    [row] = rows(read({"count": "3", "score": "0.5", "ok": "True"}))
    assert (row["count"], row["score"], row["ok"]) == (3, 0.5, True)


def test_a_value_of_another_type_costs_its_column_at_most() -> None:
    odd = {"id": 7, "at": {}, "who": "ada", "count": "many", "score": [], "ok": 2, "tags": "x", "hops": {}, "@type": []}
    [row, whole] = rows(read(odd, WHOLE))
    assert {name: value for name, value in row.items() if value is not None} == {
        "id": "7",
        "who": '"ada"',
        "kind": "[]",
    }
    assert whole == rows(read(WHOLE))[0]


def test_a_layout_refuses_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="no field has the path when"):
        Layout((text("id", "Id"),), time=("when",))
    with pytest.raises(ValueError, match="two fields have the column a_b"):
        Layout((text("a.b", "One"), text("a_b", "Two")))
    with pytest.raises(ValueError, match="two fields read id"):
        JsonSource("T.T", "t", Layout((text("id", "Id"), integer("id", "Id", name="x"))), Marks({}), description="T")


@pytest.mark.parametrize("paths", [("a[].b", "a.c"), ("a.c", "a[].b"), ("x.a[].b", "x.a.c[].d")])
def test_a_place_cannot_be_a_list_to_one_field_and_an_object_to_another(paths: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="disagree: a is a list to one of them only"):
        RecordTree([text(path, "x") for path in paths])


PARTS = st.text(alphabet='a:,"\\\n', min_size=1, max_size=4)


@given(st.lists(st.tuples(PARTS, PARTS), max_size=8))
def test_ids_of_several_values_are_equal_only_if_the_values_are(values: list[tuple[str, str]]) -> None:
    ids = read(*({"id": first, "@type": second} for first, second in values)).event_id
    assert len(ids) == len(values)
    assert len(set(ids)) == len(set(values))


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["ip", "name", "arn", "x"]), inner),
    max_leaves=6,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(list(WHOLE)), JSON), max_size=6)


@given(RECORDS)
def test_no_json_breaks_a_reading_and_neighbours_change_nothing(records: list[dict[str, Any]]) -> None:
    together = read(*records)
    assert not together.rejected
    assert set(together.indicators) <= set(INDICATORS)
    assert rows(together) == [row for record in records for row in rows(read(record))]


@given(st.lists(st.binary(max_size=40), max_size=5))
def test_what_is_no_object_is_rejected_and_counted(records: list[bytes]) -> None:
    readings = SOURCE.read_many(records)
    assert len(readings.event_id) + len(readings.rejected) == len(records)


def test_a_dot_within_a_key_is_escaped() -> None:
    layout = Layout((text(r"notes.example\.com/why", "Why", name="why"), structure("notes", "Notes (JSON)")))
    source = JsonSource("Test.Notes", "notes", layout, Marks({"notes": ANYTHING}), description="Notes")
    readings = source.read_many([b'{"notes":{"example.com/why":"because","example":{"com/why":"no"}}}'])
    assert readings.columns[0].to_pylist() == ["because"]
    assert "why" not in source.texts.values()


def test_an_odd_item_of_a_list_costs_only_itself() -> None:
    hops = [{"ip": "203.0.113.9", "names": ["a", None, 5]}, 7, None, {"ip": "198.51.100.4", "names": "none"}]
    readings = read({**WHOLE, "hops": hops, "resources": ["odd", *WHOLE["resources"]], "tags": ["x", None, 5]}, WHOLE)
    odd, good = rows(readings)
    assert good == rows(read(WHOLE))[0]
    assert odd["hops_ip"] == ["203.0.113.9", "198.51.100.4"]
    assert odd["hops_names"] == ["a", "5"]
    assert odd["tags"] == ["x", "5"]
    assert readings.indicators["p_any_aws_arns"].to_pylist() == [["arn:aws:s3:::example"]] * 2
