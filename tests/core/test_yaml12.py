"""YAML 1.2: what plain scalars mean, and where things stand."""

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.yaml12 import YamlError, load

TEXT = st.text(string.printable.strip() + " äß€", max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


@pytest.mark.parametrize(
    "text", ["yes", "no", "on", "off", "Y", "n", "2026-11-22", "2026-11-22T10:00:00Z", "1:30", "1_000", "0b11", "="]
)
def test_what_was_special_in_yaml_1_1_stays_text(text: str) -> None:
    assert load(f"key: {text}").value == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("012345678901", 12345678901),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("-.inf", float("-inf")),
    ],
)
def test_plain_scalars_mean_what_the_core_schema_says(text: str, value: object) -> None:
    read = load(f"key: {text}").value["key"]
    assert read == value
    assert type(read) is type(value)


def test_a_key_that_stands_twice_is_an_error_with_its_line() -> None:
    with pytest.raises(YamlError, match=r"line 3: the key 'Severity' stands twice"):
        load("RuleID: a\nSeverity: Low\nSeverity: High\n")


def test_a_merged_key_may_be_given_again() -> None:
    assert load("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n").value["b"] == {"x": 1, "y": 3}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", 2),
        ("a: 1\nb: *none\n", 2),
        ("a: \x00", 1),
        ("a: !!python/x 1", 1),
        ("a: !!timestamp x", 1),
        (f"a: {'9' * 5000}", 1),
    ],
)
def test_a_text_that_is_no_yaml_is_an_error_with_its_line(text: str, line: int) -> None:
    with pytest.raises(YamlError) as caught:
        load(text)
    assert caught.value.line == line


def test_a_document_knows_where_its_parts_stand() -> None:
    document = load("a: 1\nb:\n  - x: 1\n  - x: 2\n    y: 3\n")
    assert document.line("b") == 2
    assert document.line("b", 1) == 4
    assert document.line("b", 1, "y") == 5
    assert document.line("b", 1, "missing") == 4
    assert load("").line("a") == 1


@given(JSON)
def test_json_is_yaml(value: object) -> None:
    assert load(json.dumps(value, ensure_ascii=False)).value == value
