"""Parquet: every type as JSON, damage, and files that want more memory than they are given."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.reading import parquet_file
from iota_dagster.core.reading.parquet_footer import Footer, RowGroup
from iota_dagster.core.reading.records import open_records
from tests.core.reading.reader import Read, read

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)


def stored(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


def objects(table: pa.Table, **options: Any) -> list[Any]:
    whole = read(stored(table, **options))
    assert whole.damages == []
    return [json.loads(record) for record in whole.records]


# Values.


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None, -(2**63)], pa.int64(), [1, None, -(2**63)]),
        ([2**64 - 1], pa.uint64(), [2**64 - 1]),
        ([True, None, False], pa.bool_(), [True, None, False]),
        (["é", None, ""], pa.string(), ["é", None, ""]),
        ([b"text", b"\xff\x00", None], pa.binary(), ["text", "/wA=", None]),
        ([b"ab", b"\xff\xfe"], pa.binary(2), ["ab", "//4="]),
        ([1.5, float("nan"), float("-inf"), None], pa.float64(), [1.5, "NaN", "-Infinity", None]),
        ([Decimal("1.50"), None], pa.decimal128(5, 2), ["1.50", None]),
        ([date(2026, 11, 22), None], pa.date32(), ["2026-11-22", None]),
        ([time(1, 2, 3), None], pa.time32("ms"), ["01:02:03.000", None]),
        ([NOON, None], pa.timestamp("ms", "UTC"), ["2026-11-22T12:00:00.123Z", None]),
        ([NOON], pa.timestamp("us", "Europe/Berlin"), ["2026-11-22T12:00:00.123456Z"]),
        ([NOON.replace(tzinfo=None)], pa.timestamp("ns"), ["2026-11-22T12:00:00.123456000Z"]),
        ([["a", None], [], None], pa.list_(pa.string()), [["a", None], [], None]),
        ([{"x": 1, "y": None}, None], pa.struct({"x": pa.int64(), "y": pa.string()}), [{"x": 1}, None]),
        ([[("k", 1)], [], None], pa.map_(pa.string(), pa.int64()), [{"k": 1}, {}, None]),
        ([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int64()), [[["k", 1], ["k", 2]]]),
        ([[(7, 1)]], pa.map_(pa.int64(), pa.int64()), [[[7, 1]]]),
        ([[[{"q": True}]], [[]]], pa.list_(pa.list_(pa.struct({"q": pa.bool_()}))), [[[{"q": True}]], [[]]]),
    ],
)
def test_every_type_is_written_as_people_write_it(values: list[Any], kind: pa.DataType, expected: Any) -> None:
    found = objects(pa.table({"n": list(range(len(values))), "v": pa.array(values, kind)}))
    assert [row["n"] for row in found] == list(range(len(values)))
    assert [row.get("v") for row in found] == expected
    assert ["v" in row for row in found] == [value is not None for value in expected]


def test_keys_come_in_the_file_s_order() -> None:
    assert read(stored(pa.table({"z": [1], "a": ["x"], "m": [None]}))).records == [b'{"z":1,"a":"x"}']


values = st.none() | st.text(max_size=5) | st.sampled_from(["same", "other"])
nested = st.none() | st.lists(st.none() | st.fixed_dictionaries({"s": values, "l": st.lists(values, max_size=2)}))


@settings(max_examples=40)
@given(st.lists(st.tuples(values, nested), max_size=20), st.integers(1, 400), st.booleans(), st.integers(1, 9))
def test_rows_come_back_whatever_the_window(
    rows: list[tuple[Any, Any]], window: int, dictionary: bool, group: int
) -> None:
    kind = pa.list_(pa.struct({"s": pa.string(), "l": pa.list_(pa.string())}))
    columns = {"t": pa.array([row[0] for row in rows], pa.string()), "n": pa.array([row[1] for row in rows], kind)}
    data = stored(pa.table(columns), use_dictionary=dictionary, row_group_size=group, data_page_size=16)
    whole = read(data, window)
    assert whole.found == read(data).found
    assert [json.loads(record) for record in whole.records] == [_lean({"t": t, "n": n}) for t, n in rows]


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lean(inner) for key, inner in value.items() if inner is not None}
    return [_lean(inner) for inner in value] if isinstance(value, list) else value


# Damage.


def flows(rows: int = 1000, **options: Any) -> bytes:
    table = pa.table({"n": list(range(rows)), "srcaddr": [f"203.0.113.{n % 250}" for n in range(rows)]})
    return stored(table, row_group_size=100, **options)


def test_a_text_that_is_not_utf8_is_damage_of_its_row_only() -> None:
    texts = pa.array([b"a", b"\xff", b"c"]).view(pa.string())
    whole = read(stored(pa.table({"t": texts})))
    assert whole.records == [b'{"t":"a"}', b'{"t":"c"}']
    assert [(bad.ordinal, bad.reason, bad.data) for bad in whole.damages] == [(1, "invalid_utf8", b'{"t":"\\\\xff"}')]


@pytest.mark.parametrize("window", [1, 1 << 20])
def test_a_row_over_the_limit_is_told_and_the_others_stay(window: int) -> None:
    whole = read(stored(pa.table({"t": ["a", "x" * 5000, "b"]})), window, record_bytes=1000)
    assert whole.records == [b'{"t":"a"}', b'{"t":"b"}']
    assert [(bad.ordinal, bad.reason) for bad in whole.damages] == [(1, "record_too_large")]


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1 is a word\n" * 9, flows()[:-20], b"PAR1" + bytes(8)])
def test_what_has_no_footer_is_one_damage(data: bytes) -> None:
    whole = read(data)
    assert (whole.records, whole.reasons) == ([], ["not_parquet"])
    assert (whole.damages[0].data, whole.damages[0].size) == (data, len(data))


@pytest.mark.parametrize("footer", [b"", b"\xff" * 40, b"\x15\x02" * 30])
def test_a_footer_that_is_none_is_one_damage(footer: bytes) -> None:
    assert read(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1").reasons == ["corrupt_parquet"]
    assert read(b"PAR1" + footer + b"\xff\xff\xff\x7fPAR1").reasons == ["too_large"]


def test_a_broken_row_group_costs_only_itself() -> None:
    data = bytearray(flows(compression="none"))
    middle = pq.ParquetFile(io.BytesIO(bytes(data))).metadata.row_group(5).column(0).data_page_offset
    data[middle : middle + 12] = b"\xff" * 12
    whole = read(bytes(data))
    assert [json.loads(record)["n"] for record in whole.records] == [*range(500), *range(600, 1000)]
    assert whole.reasons == ["corrupt_parquet"]
    assert whole.damages[0].ordinal == 500
    assert "row group 5" in whole.damages[0].detail


def test_a_gzipped_file_is_read_within_its_limit() -> None:
    assert len(read(gzip.compress(flows())).records) == 1000
    plain = flows(5000, compression="none")
    zipped = gzip.compress(plain)
    assert read(zipped, compressed_bytes=len(zipped)).reasons == ["too_large"]
    assert read(zipped[:-30]).reasons == ["truncated"]
    assert read(zipped + b"rubbish").reasons == ["trailing_bytes"]


def test_a_stream_that_cannot_be_sought_in_is_read_too() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    assert sum(len(chunk.records) for chunk in open_records(Pipe(flows()))) == 1000


@settings(max_examples=150, deadline=None)
@given(st.data(), st.booleans())
def test_flipped_bits_are_accounted_for(data: st.DataObject, late: bool) -> None:
    kind = pa.list_(pa.struct({"s": pa.string()}))
    table = pa.table({"n": [1, 2, 3], "t": ["a", "b", None], "l": pa.array([[{"s": "x"}], [], None], kind)})
    whole = bytearray(stored(table, row_group_size=2))
    first = len(whole) - int.from_bytes(whole[-8:-4], "little") if late else 4
    for bit in data.draw(st.lists(st.integers(8 * first, 8 * len(whole) - 1), min_size=1, max_size=3)):
        whole[bit // 8] ^= 1 << bit % 8
    read(bytes(whole))


# More than there should be.


def refused(data: bytes, **limits: Any) -> Read:
    whole = read(data, **limits)
    assert set(whole.reasons) == {"too_large"}
    return whole


def test_one_text_that_a_million_rows_share_is_not_built_for_each() -> None:
    large = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 100_000]))
    whole = refused(stored(pa.table({"t": large})))  # ten gigabytes of JSON out of a few kilobytes
    assert 0 < len(whole.records) < 5000


def test_a_list_that_repeats_a_text_is_measured_before_it_is_built() -> None:
    items = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), pa.array(["x" * 100_000]))
    whole = read(stored(pa.table({"l": pa.ListArray.from_arrays([0, 1, 100_000], items)})))
    assert whole.reasons == ["record_too_large"]
    assert len(whole.records) == 1


def test_a_row_group_whose_lists_would_fill_the_memory_is_refused() -> None:
    table = pa.table({"l": [[0] * 100_000]})
    refused(stored(table), record_bytes=1000)


def test_rows_of_nothing_but_nulls_have_an_end() -> None:
    data = stored(pa.table({"t": pa.nulls(3_000_000, pa.int64())}))
    assert 0 < len(refused(data, ratio=10).records) < 3_000_000


def test_columns_and_schemas_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = pa.int64()
    for _ in range(120):
        deep = pa.struct({"a": deep})
    assert read(stored(pa.table({"d": pa.nulls(1, deep)}))).reasons == ["corrupt_parquet"]
    monkeypatch.setattr(parquet_file, "_MOST_COLUMNS", 1)
    refused(flows())


def test_two_columns_of_one_name_are_refused() -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert read(stored(table)).reasons == ["corrupt_parquet"]


def test_row_groups_that_share_their_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Footer.row_groups

    def all_the_first(footer: Footer) -> Iterator[RowGroup]:
        groups = list(honest(footer))
        yield from (replace(groups[0], number=group.number) for group in groups * 100)

    monkeypatch.setattr(Footer, "row_groups", all_the_first)
    whole = read(flows())
    assert whole.reasons == ["corrupt_parquet"]
    assert "row groups overlap" in whole.damages[0].detail
    assert len(whole.records) <= 2000


def test_pages_of_an_object_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_file, "_MOST_PAGES", 10)
    whole = refused(flows())
    assert 0 < len(whole.records) < 1000
    assert "more than 10 pages" in whole.damages[0].detail
