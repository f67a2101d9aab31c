"""A field's column: each value becomes the same, whatever stands beside it."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iota_dagster.core.sources.kinds import Kind, to_column

_digits = st.from_regex(
    r"[+-]?(0[xX][0-9a-fA-F]{0,17}|[0-9]{1,20}|[0-9]{0,3}[.][0-9]{0,3}(e-?[0-9]{1,3})?)", fullmatch=True
)
_text = _digits | st.text(max_size=4) | st.sampled_from(["", "true", "False", "nan", "-inf", "1e400", "1_0", " 1"])
_number = st.integers() | st.integers(-(2**64), 2**64) | st.floats()
_value = st.none() | _number | _text


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER])
@given(value=_value, others=st.lists(_value, max_size=3))
@example("0xFFFFFFFFFFFFFFFF", ["text"])
@example("0x7FFFFFFFFFFFFFFF", [0.5])
def test_a_value_is_the_same_whatever_stands_beside_it(kind: Kind, value: Any, others: list[Any]) -> None:
    assert _first(kind, [value, *others]) == _first(kind, [value])


@pytest.mark.parametrize("kind", [Kind.INTEGER, Kind.NUMBER, Kind.FLAG])
@given(value=_text, others=st.lists(st.none() | _text, max_size=3))
@example("0xFFFFFFFFFFFFFFFF", ["text"])
def test_a_text_of_a_text_column_is_the_same_whatever_stands_beside_it(
    kind: Kind, value: str, others: list[Any]
) -> None:
    found = [_first(kind, pa.array(values, pa.string())) for values in ([value], [value, *others])]
    assert found[0] == found[1] == _first(kind, [value])


def _first(kind: Kind, values: Any) -> str:
    return repr(to_column(kind, values)[0].as_py())  # NaN equals nothing, not even itself
