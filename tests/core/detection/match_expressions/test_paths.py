"""Paths into an event."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.event import Event, plain
from iota_dagster.core.detection.match_expressions.paths import PathError, parse_path

RECORD = {
    "a": {"b": {"c": 1}, "d.e": 2, "": 3},
    "list": [{"x": 1}, {"x": None}, {"x": 3, "deep": [{"y": "p"}, {"y": "q"}]}],
    "names": ["n0", "n1"],
    "event:type": "t",
    "parameters": [{"name": "ROLE", "value": "admin"}, {"name": "USER", "value": "ann"}, "ROLE"],
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b.c", 1),
        ("$.a.b.c", 1),
        ("A.B.C", 1),
        ("a.b", {"c": 1}),
        ("a.'d.e'", 2),
        ('a."d.e"', 2),
        ("$['a']['d.e']", 2),
        ("a['']", 3),
        ("event:type", "t"),
        ("names[1]", "n1"),
        ("names.1", "n1"),
        ("names[2]", None),
        ("names.x", None),
        ("a[0]", None),
        ("a.b.c.d", None),
        ("list[2].deep[0].y", "p"),
        ("list[*].x", [1, 3]),
        ("list[*].deep[*].y", ["p", "q"]),
        ("list[*].none", None),
        ("a[*].b", None),
        ("names[*]", ["n0", "n1"]),
        ("parameters[?(@.name == 'ROLE')].value", ["admin"]),
        ('parameters[?(@.name=="NONE")].value', None),
    ],
)
def test_a_path_leads_to_a_value(text: str, expected: object) -> None:
    found = parse_path(text).find(Event(RECORD))
    assert ([plain(item) for item in found] if isinstance(found, list) else plain(found)) == expected


@pytest.mark.parametrize(("text", "rest"), [("a..b", "..b"), ("a.", "."), ("a[b]", "[b]"), (".", ".")])
def test_a_text_that_is_no_path_is_refused(text: str, rest: str) -> None:
    with pytest.raises(PathError, match=re.escape(repr(rest)) if text != "." else "empty"):
        parse_path(text)


@pytest.mark.parametrize("text", ["", "$", "$."])
def test_an_empty_path_is_refused(text: str) -> None:
    with pytest.raises(PathError, match="is empty"):
        parse_path(text)


def test_a_path_of_one_key_knows_it() -> None:
    assert parse_path("$.eventName").key == "eventName"
    assert parse_path("a.b").key is None
    assert parse_path("a[*]").key is None
    assert (parse_path("a[*]").many, parse_path("a.b").many) == (True, False)


@given(st.text(max_size=20))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    try:
        path = parse_path(text)
    except PathError:
        return
    path.find(Event(RECORD))


@given(st.lists(st.text("abc.", min_size=1, max_size=3), min_size=1, max_size=3), st.integers())
def test_a_quoted_path_finds_any_keys(keys: list[str], value: int) -> None:
    record: Any = value
    for key in reversed(keys):
        record = {key: record}
    assert parse_path(".".join(f"'{key}'" for key in keys)).find(Event(record)) == value
