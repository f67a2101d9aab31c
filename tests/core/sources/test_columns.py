"""Columns of texts: they say what lists of the same texts say, and regular lines of tokens become them."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.columns import TEXT, WORDS, Groups, merged
from iota_dagster.core.sources.fields import Layout, flag, integer, moment, number, text, words
from iota_dagster.core.sources.finders import PLACE
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.tokens import BARE, EITHER, QUOTED, Form

LAYOUT = Layout(
    (
        moment("at", "When"),
        integer("count", "How many"),
        number("score", "How much"),
        flag("ok", "Whether it worked"),
        text("id", "Id"),
        text("place", "Where", PLACE),
        words("tags", "Tags"),
    ),
    time=("at",),
    identity=("id", "place"),
    account=("id", "place"),
)
WRITTEN = (
    None, "", "a", "7", "007", "+7", " 7", "1_0", "0x1F", "0.5", "1e3", "nan", "-1", "9" * 30, "true",
    "2024-03-14T09:26:53Z", "2024-03-14 09:26:53.123456789", "1710408413", "203.0.113.9", "www.example.com",
)  # fmt: skip
FORM = Form([BARE, QUOTED], [EITHER], [EITHER])
Words = tuple[str, ...]


def _said(readings: Readings) -> list[Any]:
    columns = [column.to_pylist() for column in (readings.event_time, *readings.columns)]
    found = {name: column.to_pylist() for name, column in readings.indicators.items()}
    return [repr(columns), found, readings.event_id, readings.account]


@given(st.lists(st.tuples(*[st.sampled_from(WRITTEN)] * 6, st.lists(st.text(max_size=2)).map(tuple))))
def test_a_column_of_texts_says_what_a_list_of_them_says(rows: list[tuple[Any, ...]]) -> None:
    values = [[row[place] for row in rows] for place in range(len(LAYOUT.fields))]
    lists = {field.path: found for field, found in zip(LAYOUT.fields, values, strict=True)}
    columns = {
        field.path: pa.array(
            [item or None for item in found] if field.kind is Kind.WORDS else found,
            WORDS if field.kind is Kind.WORDS else TEXT,
        )
        for field, found in zip(LAYOUT.fields, values, strict=True)
    }
    assert _said(LAYOUT.readings(columns, len(rows))) == _said(LAYOUT.readings(lists, len(rows)))


@given(st.data(), st.integers(1, 2))
def test_words_of_several_columns_are_merged_row_by_row(data: st.DataObject, most: int) -> None:
    words = st.lists(st.sampled_from("abc"), max_size=most, unique=True).map(tuple)
    rows: list[tuple[Words, ...]] = data.draw(st.lists(st.tuples(words, words, words)))
    found = merged([_groups([row[place] for row in rows]) for place in range(3)])
    assert found.to_pylist() == [list(dict.fromkeys(chain.from_iterable(row))) or None for row in rows]


def _groups(rows: list[Words]) -> Groups[Words]:
    texts = pa.array([",".join(words) or None for words in rows], TEXT)
    return Groups.of(texts, lambda written: tuple(written.split(",")), ())


def test_a_line_may_end_after_any_stage() -> None:
    places, columns = FORM.read([b'a "b c"', b'a "-" -', b'a "" "x y" z'])
    assert places == [0, 1, 2]
    assert [column.to_pylist() for column in columns] == [
        ["a", "a", "a"],
        ["b c", None, ""],
        [None, None, "x y"],
        [None, None, "z"],
    ]


def test_lines_that_could_be_read_in_several_ways_are_left_alone() -> None:
    quotes = ['a "b" c" d', 'a "b"c', 'a"b"', 'a "b" "c', 'a "b\r"', 'a "b\n"']
    odd = [*quotes, ' a "b"', 'a "b" ', 'a  "b"', '\xa0 "b"', "a", ""]
    places, columns = FORM.read([line.encode() for line in odd])
    assert (places, columns) == ([], [])


@given(st.lists(st.text(alphabet="ab -é\\\0", max_size=8), min_size=1, max_size=5))
def test_what_stands_in_quotes_is_kept_as_it_is(texts: list[str]) -> None:
    _, columns = FORM.read([f'x "{written}"'.encode() for written in texts])
    assert columns[1].to_pylist() == [None if written == "-" else written for written in texts]
