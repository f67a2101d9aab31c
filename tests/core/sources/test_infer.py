"""Log types proposed from samples: what is proposed holds for every record of the sample."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.base import HeadedSource
from iota_dagster.core.sources.infer import CannotInfer, infer
from iota_dagster.core.sources.registry import SOURCES
from iota_dagster.core.sources.user_defined import user_source
from iota_dagster.core.sources.user_files import as_yaml
from iota_dagster.core.sources.user_schema import UserSchema
from tests.core.sources.cases import JSON
from tests.core.sources.user_types import schema_of

OBJECTS = [
    {
        "ts": 1763805600,
        "logged_at": "2025-11-22T10:00:05Z",
        "eventId": "e1",
        "client": {"ip": "203.0.113.7", "port": 1},
        "userName": "ann",
        "mail": "ann@example.com",
        "link": "https://example.com/a",
        "digest": "a" * 64,
        "owner": "111122223333",
        "role": "arn:aws:iam::111122223333:role/r",
        "traceId": "t",
        "hostname": "door.example.com",
        "ok": True,
        "share": 0.5,
        "tags": ["a"],
        "more": [{"a": 1}],
        "mixed": 1,
        "year": 2025,
        "a.b": "x",
    },
    {"ts": 1763805601, "logged_at": "2025-11-22T10:00:06Z", "eventId": "e2", "client": {"ip": "::1"}, "mixed": "m"},
]


def of_objects(*objects: Any) -> UserSchema:
    return infer("Custom.App", [json.dumps(item).encode() for item in objects], SOURCES.built_in)


def of_lines(*lines: str) -> UserSchema:
    return infer("Custom.App", [line.encode() for line in lines], SOURCES.built_in)


def accepts_all(schema: UserSchema, records: list[bytes]) -> bool:
    source = user_source(schema)
    if isinstance(source, HeadedSource):
        return source.is_header(records[0]) and all(map(source.below(records[0]).accepts, records[1:]))
    return all(map(source.accepts, records))


def test_types_indicators_time_and_id_are_told_by_the_values() -> None:
    schema = of_objects(*OBJECTS)
    assert {item.name: item.type for item in schema.fields} == {
        "ts": "time",
        "logged_at": "time",
        "eventId": "text",
        "client_ip": "text",
        "client_port": "integer",
        "userName": "text",
        "mail": "text",
        "link": "text",
        "digest": "text",
        "owner": "text",
        "role": "text",
        "traceId": "text",
        "hostname": "text",
        "ok": "flag",
        "share": "number",
        "tags": "words",
        "more": "json",
        "mixed": "text",
        "year_2": "integer",
        "a_b": "text",
    }
    assert {item.name: item.indicator for item in schema.fields if item.indicator} == {
        "client_ip": "ip",
        "userName": "user",
        "mail": "email",
        "link": "url",
        "digest": "sha256",
        "owner": "account",
        "role": "arn",
        "traceId": "trace",
        "hostname": "place",
    }
    assert schema.time is not None
    assert (schema.time.field, schema.identity) == ("ts", ("eventId",))
    assert [item.name for item in schema.fields if item.required] == [
        "ts",
        "logged_at",
        "eventId",
        "client_ip",
        "mixed",
    ]
    assert {item.name: item.path for item in schema.fields if item.path}["a_b"] == "a\\.b"


def test_an_id_that_comes_twice_is_none() -> None:
    assert of_objects({"id": "a"}, {"id": "a"}).identity == ()


def test_a_header_with_cells_of_other_kinds_below_it_is_read_as_such() -> None:
    schema = of_lines("Time;Source IP;who", "2025-11-22 10:00:00;203.0.113.7;ann", '2025-11-22 10:00:01;;"b;c"')
    assert (schema.format, schema.marks.columns, schema.marks.delimiter) == ("csv", ("Time", "Source IP", "who"), ";")
    assert [(item.name, item.type, item.indicator) for item in schema.fields] == [
        ("Time", "time", None),
        ("Source_IP", "text", "ip"),
        ("who", "text", None),
    ]


@pytest.mark.parametrize(
    ("lines", "names"),
    [
        (
            [
                r'203.0.113.7 - ann [22/Nov/2025:10:00:00 +0100] "GET /a\"b HTTP/1.1" 200 5 "-" "curl/8"',
                '203.0.113.7 - - [22/Nov/2025:10:00:00 +0100] "-" 400 - "-" "-"',
            ],
            ["client", "ident", "user", "time", "request", "status", "bytes", "referrer", "agent"],
        ),
        (
            ['203.0.113.7 - - [22/Nov/2025:10:00:00 +0100] "GET / HTTP/1.1" 200 5'],
            ["client", "ident", "user", "time", "request", "status", "bytes"],
        ),
        (
            ['<34>1 2025-11-22T10:00:00Z host su - ID47 [a b="c\\]"] down', "<34>1 2025-11-22T10:00:00Z host su 1 - -"],
            ["priority", "timestamp", "host", "app", "process", "message_id", "structured", "message"],
        ),
        (
            ['ts=2025-11-22T10:00:00Z lvl.x=info msg="a b"', 'ts=2025-11-22T10:00:01Z lvl.x= msg=""'],
            ["ts", "lvl_x", "msg"],
        ),
    ],
)
def test_known_forms_of_lines_are_recognised(lines: list[str], names: list[str]) -> None:
    schema = of_lines(*lines)
    assert schema.format == "regex"
    assert [item.name for item in schema.fields] == names
    assert schema.time is not None
    assert user_source(schema).read_many([lines[0].encode()]).event_time.to_pylist() != [None]


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([], "no records in the sample"),
        ([b"{}"], "no field is in every record"),
        ([b'{"a":1}', b'{"b":1}'], "no field is in every record"),
        ([b'{"a":1}', b"line"], "some records are JSON objects"),
        ([b'{"a":1'], "is no JSON object"),
        ([b"hello world"], "write `format: regex` and a pattern"),
        ([b"name,door", b"ann,north"], "write `format: regex` and a pattern"),
        ([b"a=1 b=2", b"b=2 a=1"], "write `format: regex` and a pattern"),
    ],
)
def test_what_cannot_be_told_is_said(records: list[bytes], why: str) -> None:
    with pytest.raises(CannotInfer, match=why):
        infer("Custom.App", records, SOURCES.built_in)


def test_a_name_that_is_taken_is_refused() -> None:
    with pytest.raises(CannotInfer, match=r"AWS\.CloudTrail is known already"):
        infer("AWS.CloudTrail", [b'{"a":1}'], SOURCES.built_in)


def test_files_that_each_begin_with_the_header_are_one_sample() -> None:
    lines = ["time,door,id", "2025-11-22T10:00:00Z,north,1", "time,door,id", "2025-11-22T10:00:01Z,south,2"]
    schema = of_lines(*lines)
    assert schema == of_lines(*lines[:2], lines[3])
    assert (schema.marks.columns, schema.identity) == (("time", "door", "id"), ("id",))


def test_a_line_that_comes_again_is_a_record_where_there_is_no_header() -> None:
    lines = ["id=1 user=ann", "id=2 user=bob", "id=1 user=ann"]
    assert of_lines(*lines[:2]).identity == ("id",)
    assert of_lines(*lines).identity == ()


KEYS = st.sampled_from(["id", "time", "a.b", "p_x", "day", "Ünï", "user", "x y", 'q"', "[]"]) | st.text(max_size=6)
VALUES = JSON | st.sampled_from(["203.0.113.7", "2025-11-22T10:00:00Z", 1763805600, "no", "1e5"])
SAMPLES = st.lists(
    st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, max_size=3), max_size=5), min_size=1, max_size=6
)


@given(SAMPLES)
def test_what_is_proposed_for_objects_is_a_right_file_that_takes_them_all(
    tmp_path_factory: pytest.TempPathFactory, sample: list[dict[str, Any]]
) -> None:
    records = [json.dumps(item).encode() for item in sample]
    check(tmp_path_factory.getbasetemp(), records)


CELLS = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=6) | st.sampled_from(["1", "2.5", "true", "::1"])


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5), st.sampled_from([",", ";", "\t", " "])
)
def test_what_is_proposed_for_lines_is_a_right_file_that_takes_them_all(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]], delimiter: str
) -> None:
    lines = [delimiter.join(["id", "user name", "x", "y"][: len(rows[0])]), *map(delimiter.join, rows)]
    check(tmp_path_factory.getbasetemp(), [line.encode() for line in lines])


NOTHING_TO_TELL = (
    "some records are JSON objects and others are lines",
    "no field is in every record",
    "write `format: regex`",
)


def check(folder: Path, records: list[bytes]) -> None:
    """Assert that a proposal is what its file says, and accepts every record; or that it is the sample that has none.

    What `infer` says of a proposal of its own that does not hold is no such reason.
    """
    try:
        schema = infer("Custom.App", records, SOURCES.built_in)
    except CannotInfer as error:
        if any(reason in str(error) for reason in NOTHING_TO_TELL):
            return
        raise
    assert schema_of(folder, as_yaml(schema)) == schema
    assert accepts_all(schema, records)
