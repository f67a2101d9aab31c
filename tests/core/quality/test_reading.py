"""An hour of a lake table as facts and a frame: of a large hour a sample, and whatever is wrong beside it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import hour_of
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.quality import files, reading
from iota_dagster.core.quality.files import FileReader, hashes_of
from iota_dagster.core.quality.looked import Looked, Note
from iota_dagster.core.quality.reading import HourRead, breaches, read_hour
from iota_dagster.core.quality.suite import FactKind, NotNull, OneOf, Suite, Unique, Within, type_name
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.store.lake_catalog import LakeFile

TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
HOUR, TABLE = hour_of(TEN), "cloudtrail_events"
SCHEMA = lake_tables()[TABLE]
SUITE = Suite(TABLE, HOUR, SCHEMA, "AWS.CloudTrail")


def rows(ids: list[str | None], **columns: list[Any]) -> pa.Table:
    """Rows of a batch `b1` that are as they should be, but for what is given."""
    plain = {"p_log_type": "AWS.CloudTrail", "p_event_time": TEN, "p_batch": "b1", "p_raw": "{}"}
    plain |= {"p_source_bucket": "logs", "p_source_key": "a", "p_source_line": 0, "p_parse_time": TEN}
    plain |= {"p_integration": "inbox"}
    filled = {name: [value] * len(ids) for name, value in plain.items()} | {"p_event_id": ids} | columns
    return pa.table([pa.array(filled.get(f.name, [None] * len(ids)), f.type) for f in SCHEMA], schema=SCHEMA)


def written(storage: LocalStorage, name: str, table: pa.Table, **ledger: Any) -> LakeFile:
    """A file of the lake, and what the ledger says of it."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    data = sink.getvalue().to_pybytes()
    storage.write(name, data)
    sha256 = hashlib.sha256(data).hexdigest()
    values: dict[str, Any] = {"rows": len(table), "bytes": len(data), "sha256": sha256} | ledger
    return LakeFile(TABLE, HOUR, name, 0, name, members=(), **values)


@pytest.fixture
def storage(tmp_path: Path) -> LocalStorage:
    return LocalStorage(tmp_path / "lake")


@pytest.fixture
def reader(storage: LocalStorage) -> FileReader:
    return FileReader(storage)


def wrong(found: HourRead) -> set[tuple[FactKind, str, str]]:
    return {(fact.kind, fact.expected, fact.found) for fact in found.facts if fact.expected != fact.found}


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.table)
def test_every_table_has_a_suite_over_columns_that_it_has(source: Any) -> None:
    suite = Suite(source.table, HOUR, lake_tables()[source.table], source.log_type)
    assert {*suite.columns, *suite.required} <= set(suite.schema.names)
    assert Unique("p_event_id") in suite.expectations
    assert OneOf("p_log_type", (source.log_type,)) in suite.expectations


def test_matches_are_told_apart_by_their_own_id_and_are_of_no_one_log_type() -> None:
    suite = Suite("alert_matches", HOUR, lake_tables()["alert_matches"], None)
    assert Unique("match_id") in suite.expectations
    assert {*suite.columns, *suite.required} <= set(suite.schema.names)
    assert not any(isinstance(item, Within) for item in suite.expectations)


def test_a_sound_hour_is_read_whole_and_all_its_facts_agree(storage: LocalStorage, reader: FileReader) -> None:
    found = read_hour(reader, [written(storage, "a", rows(["1", "2"]))], SUITE, {"b1": 2})
    assert wrong(found) == set()
    assert found.rows == found.frame.num_rows == 2
    assert {fact.kind for fact in found.facts} == set(FactKind)


def test_rows_are_counted_by_file_and_by_batch(storage: LocalStorage, reader: FileReader) -> None:
    files = [written(storage, "a", rows(["1"]), rows=2), written(storage, "b", rows(["2"], p_batch=["b2"]))]
    found = read_hour(reader, files, SUITE, {"b1": 2, "b3": 1})
    assert wrong(found) == {
        (FactKind.FILE_ROWS, "2", "1"),
        (FactKind.BATCH_ROWS, "2", "1"),
        (FactKind.BATCH_ROWS, "0", "1"),
        (FactKind.BATCH_ROWS, "1", "0"),
    }


def test_a_column_that_an_older_file_lacks_is_no_fault_unless_it_is_the_envelopes(
    storage: LocalStorage, reader: FileReader
) -> None:
    older = rows(["1"]).drop_columns(["eventName"])
    assert wrong(read_hour(reader, [written(storage, "a", older)], SUITE, None)) == set()
    without = rows(["1"]).drop_columns(["p_integration"])
    found = read_hour(reader, [written(storage, "b", without)], SUITE, None)
    assert wrong(found) == {(FactKind.TYPE, "string", reading.ABSENT)}


def test_a_missing_file_is_a_fact_and_the_others_are_read(storage: LocalStorage, reader: FileReader) -> None:
    first, second = written(storage, "a", rows(["1"])), written(storage, "b", rows(["2"]))
    storage.delete("a")
    found = read_hour(reader, [first, second], SUITE, None)
    assert wrong(found) == {(FactKind.FILE, files.WHOLE, "missing")}
    assert found.rows == 1


def test_a_lake_that_is_not_there_is_an_outage_and_no_fact(storage: LocalStorage, reader: FileReader) -> None:
    file = written(storage, "a", rows(["1"]))
    root = Path(storage.url.removeprefix("file://"))
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(Outage):
        read_hour(reader, [file], SUITE, None)


def test_of_a_large_hour_the_sample_has_all_that_is_wrong_and_is_the_same_each_time(
    storage: LocalStorage, reader: FileReader
) -> None:
    ids: list[str | None] = [f"e-{number}" for number in range(2_000)]
    flawed = rows(
        [*ids, "e-7", None],
        p_log_type=["AWS.CloudTrail"] * 2_001 + ["Other"],
        p_event_time=[TEN] * 1_000 + [TEN + timedelta(hours=1)] + [TEN] * 1_001,
    )
    file = written(storage, "a", flawed)
    found, again = (read_hour(reader, [file], SUITE, None, whole_rows=200) for _ in range(2))
    assert 100 < found.frame.num_rows < 300
    shown = found.frame["p_event_id"].to_pylist()
    assert shown.count("e-7") == 2
    assert {"e-1000", None} <= set(shown)
    assert found.frame.equals(again.frame)
    assert found.rows == 2_002


def test_what_is_wrong_with_many_rows_is_shown_of_some(
    storage: LocalStorage, reader: FileReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_SUSPECTS", 50)
    twice: list[str | None] = [f"e-{number // 2}" for number in range(2_000)]
    found = read_hour(reader, [written(storage, "a", rows(twice))], SUITE, None, whole_rows=10)
    ids = found.frame["p_event_id"].to_pylist()
    assert len(ids) < 100
    assert len(set(ids)) < len(ids)


def test_an_hour_with_more_ids_than_are_compared_at_once_is_read_in_turns(
    storage: LocalStorage, reader: FileReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "HASHES", 100)
    ids: list[str | None] = [*(f"e-{number}" for number in range(500)), "e-3", "e-400"]
    found = read_hour(reader, [written(storage, "a", rows(ids))], SUITE, {"b1": 502}, whole_rows=10)
    shown = found.frame["p_event_id"].to_pylist()
    assert (shown.count("e-3"), shown.count("e-400")) == (2, 2)
    assert wrong(found) == set()


@given(st.lists(st.tuples(st.none() | st.integers(-90, 150), st.none() | st.sampled_from(["absurd", "?"]))))
def test_a_row_breaches_an_expectation_just_as_its_words_say(values: list[tuple[int | None, str | None]]) -> None:
    minutes, flags = [minute for minute, _ in values], [flag for _, flag in values]
    times = [None if minute is None else TEN + timedelta(minutes=minute) for minute in minutes]
    batch = pa.record_batch({"t": pa.array(times, pa.timestamp("us", tz="UTC")), "flag": pa.array(flags, pa.string())})
    inside = [minute is None or flag is not None or 0 <= minute < 60 for minute, flag in values]
    within = Within("t", TEN, TEN + timedelta(hours=1), "flag")
    assert (~breaches(within, batch)).tolist() == inside
    assert breaches(NotNull("t"), batch).tolist() == [minute is None for minute in minutes]
    assert breaches(OneOf("flag", ("absurd",)), batch).tolist() == [flag == "?" for flag in flags]
    assert not breaches(Unique("flag"), batch).any()


def test_equal_texts_have_equal_hashes_and_a_null_has_one() -> None:
    found = hashes_of(pa.array(["a", None, "a", "b"]))
    assert found[0] == found[2]
    assert len(np.unique(found)) == 3


def test_a_list_is_named_by_its_items_type_alone() -> None:
    text = pa.string()
    assert type_name(pa.list_(pa.field("element", text))) == type_name(pa.list_(text)) == "list<string>"


def test_notes_of_what_was_looked_at_may_be_lost_or_damaged(tmp_path: Path) -> None:
    state = LocalStorage(tmp_path / "state")
    notes = Looked(state, TABLE)
    assert notes.read() == {}
    notes.write({HOUR: Note("3", TEN)})
    assert notes.read() == {HOUR: Note("3", TEN)}
    for damaged in (b"[1", b"[1]", b'{"7": "3"}', b'{"7": ["3", 4]}'):
        state.write(notes.path, damaged)
        assert notes.read() == {}
