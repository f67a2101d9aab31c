"""User-defined log types of JSON records: what they accept, and how they read it."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.base import Shape, Source
from iota_dagster.core.sources.user_defined import user_source
from tests.core.sources.cases import Record, columns, indicators, mutilated, read_safely, row, rows, text_of, writings
from tests.core.sources.user_types import APP, schema_of, source_of

RECORD: Record = {
    "at": "2025-11-22T10:00:00.25Z",
    "kind": "audit",
    "request": {"id": "r-1"},
    "part": 2,
    "user": {"login": "Ann@example.com"},
    "hops": [{"address": "203.0.113.7"}, {"address": "2001:DB8::1"}, {"name": "inside"}],
    "took": 0.25,
    "ok": True,
    "a.b": "dotted",
    "detail": {"x": [1, 2]},
    "account": "111122223333",
    "region": "eu-central-1",
    "other": "stays in p_raw",
}


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source_of(tmp_path_factory.mktemp("app"), APP)


def test_every_field_is_read_from_its_place(app: Source) -> None:
    found = row(app, RECORD)
    assert columns(found) == {
        "at": datetime(2025, 11, 22, 10, 0, 0, 250_000, UTC),
        "request": "r-1",
        "part": 2,
        "user": "Ann@example.com",
        "addresses": ["203.0.113.7", "2001:DB8::1"],
        "took": 0.25,
        "ok": True,
        "dotted": "dotted",
        "detail": '{"x":[1,2]}',
        "account": "111122223333",
        "region": "eu-central-1",
    }
    assert indicators(found) == {
        "ip_addresses": ["203.0.113.7", "2001:db8::1"],
        "usernames": ["Ann@example.com"],
        "emails": ["ann@example.com"],
        "aws_account_ids": ["111122223333"],
        "trace_ids": ["r-1"],
    }
    assert (found["time"], found["account"], found["region"]) == (
        datetime(2025, 11, 22, 10, 0, 0, 250_000, UTC),
        "111122223333",
        "eu-central-1",
    )


def test_it_is_described_by_its_schema(app: Source) -> None:
    assert (app.log_type, app.table, app.shape) == ("Custom.AppLog", "custom_applog_events", Shape.JSON)
    assert app.marks == "at, request.id, kind (audit or access)"
    assert (app.specificity, app.exclusive) == (3, False)
    assert app.columns.field("took").metadata == {b"description": b"Seconds"}
    assert app.texts["user.login"] == "user"
    assert app.expects("apps/2025/x.json")
    assert not app.expects("other/apps/x.json")


@pytest.mark.parametrize("written", writings(RECORD))
def test_a_record_is_known_however_it_is_written(app: Source, written: bytes) -> None:
    assert app.accepts(written)


@pytest.mark.parametrize(
    "changes",
    [
        {"at": None},
        {"kind": "else"},
        {"kind": None},
        {"kind": ["audit"]},
        {"request": {}},
        {"request": {"id": None}},
        {"request": "r-1"},
        {"request": [{"id": "r-1"}]},
    ],
)
def test_a_record_without_a_mark_is_of_another_type(app: Source, changes: Record) -> None:
    assert not app.accepts(text_of(RECORD, **changes))


def test_a_fixed_value_is_told_by_its_meaning_and_its_type(tmp_path: Path) -> None:
    numbered = APP.replace("{kind: [audit, access]}", "{kind: 5, on: true}")
    source = source_of(tmp_path, numbered)
    assert source.accepts(text_of(RECORD, kind=5, on=True))
    assert not source.accepts(text_of(RECORD, kind=5, on=1))
    assert not source.accepts(text_of(RECORD, kind=50, on=True))
    assert not source.accepts(text_of(RECORD, kind="5", on=True))
    assert source_of(tmp_path, APP).accepts(text_of(RECORD).replace(b'"audit"', b'"a\\u0075dit"'))


def test_an_id_of_several_fields_is_never_that_of_other_values(app: Source) -> None:
    ids = [
        item["id"]
        for item in rows(app, *[text_of(RECORD, request={"id": i}, part=p) for i, p in [("a", 1), ("b", 1), ("a", 2)]])
    ]
    assert len(set(ids)) == 3
    assert "id" not in row(app, RECORD, part=None)


def test_an_id_does_not_depend_on_where_one_value_ends(tmp_path: Path) -> None:
    both = APP.replace("identity: [request, part]", "identity: [request, user]")
    source = source_of(tmp_path, both)
    one = row(source, RECORD, request={"id": "a:b"}, user={"login": "c"})
    other = row(source, RECORD, request={"id": "a"}, user={"login": "b:c"})
    assert one["id"] != other["id"]


def test_a_field_of_another_type_costs_that_field_only(app: Source) -> None:
    found = columns(row(app, RECORD, took={"s": 1}, user="ann", hops="none", account=5))
    assert "took" not in found
    assert "user" not in found
    assert "addresses" not in found
    assert found["account"] == "5"
    assert found["request"] == "r-1"


@given(st.lists(mutilated(RECORD), max_size=8))
def test_no_record_makes_it_stumble(app: Source, records: list[bytes]) -> None:
    read_safely(app, records)


def test_a_schema_crosses_process_borders_and_is_one_source_in_each(tmp_path: Path) -> None:
    schema = schema_of(tmp_path, APP)
    copy = pickle.loads(pickle.dumps(schema))
    assert copy == schema
    assert user_source(copy) is user_source(schema)


def test_another_schema_is_another_version_of_the_parser(tmp_path: Path, app: Source) -> None:
    assert source_of(tmp_path, APP).parser_version == app.parser_version
    assert source_of(tmp_path, APP.replace("indicator: ip", "indicator: place")).parser_version != app.parser_version


def test_other_words_in_a_description_are_no_other_version_of_the_parser(tmp_path: Path, app: Source) -> None:
    reworded = APP.replace("description: What people do", "description: What is done").replace("Seconds", "How long")
    other = source_of(tmp_path, reworded)
    assert other.description != app.description
    assert other.parser_version == app.parser_version
