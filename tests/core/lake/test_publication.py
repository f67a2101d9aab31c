"""Publishing into hours that others change meanwhile: what they did not touch is not made again."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, parse_hour_key
from iota_dagster.core.lake.compaction import groups_of
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.lake_catalog import LakeFile, LakeHour
from iota_dagster.core.store.schema import announced_generations

TEN = parse_hour_key("2026-11-22-10:00")
ELEVEN = TEN + 1
TABLE = "events"
SCHEMA = pa.schema([("name", pa.string()), ("p_batch", pa.string())])


class Watched(LocalStorage):
    """A folder that notes what is uploaded, and lets somebody else in, or fails, at one of the uploads."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.uploads: list[str] = []
        self.neighbour: tuple[Lake, str, Hour] | None = None
        self.fails = False

    def upload(self, path: str, source: Path) -> None:
        super().upload(path, source)
        self.uploads.append(path)
        if self.fails:
            raise Outage("the storage does not answer")
        if self.neighbour and f"hour={self.neighbour[2] % 24:02}" in path:
            (lake, batch, hour), self.neighbour = self.neighbour, None
            publish(lake, batch, hour)


@pytest.fixture
def watched(lake: Lake, tmp_path: Path) -> Lake:
    """The same lake, by a storage that watches."""
    return Lake(lake.database, Watched(tmp_path / "lake"), lake.scratch)


def storage_of(lake: Lake) -> Watched:
    assert isinstance(lake.storage, Watched)
    return lake.storage


def publish(lake: Lake, batch: str, *hours: Hour, unit: bool = False) -> None:
    files = {}
    for hour in hours:
        path = lake.scratch / f"{batch}-{hour}.parquet"
        pq.write_table(pa.table([[f"{batch}-{hour}"], [batch]], schema=SCHEMA), path)
        files[TABLE, hour] = NewFile.of(path, 1)
    (lake.publish_unit if unit else lake.publish)(batch, files, [TABLE], lambda _: True)


def state(lake: Lake, hour: Hour) -> LakeHour:
    with lake.database.read() as connection:
        return lake_catalog.read_hour(connection, TABLE, hour)


def announced(lake: Lake) -> list[tuple[Hour, int]]:
    c = announced_generations.c
    with lake.database.read() as connection:
        return [(row.hour, row.generation) for row in connection.execute(sa.select(c.hour, c.generation))]


@pytest.mark.parametrize("unit", [False, True])
@pytest.mark.parametrize("changed", [TEN, ELEVEN])
def test_after_a_conflict_only_the_hour_that_changed_is_uploaded_again(
    lake: Lake, watched: Lake, unit: bool, changed: Hour
) -> None:
    publish(lake, "a", TEN, ELEVEN)
    storage = storage_of(watched)
    storage.neighbour = (lake, "neighbour", changed)
    publish(watched, "b", TEN, ELEVEN, unit=unit)
    hours = [path.partition("hour=")[2][:2] for path in storage.uploads]
    assert sorted(hours) == sorted(["10", "11", f"{changed % 24:02}"])
    for hour in (TEN, ELEVEN):
        files = state(lake, hour).files
        assert [item.source for item in files] == ["a", "b", *(["neighbour"] if hour == changed else [])]
        assert all(lake.storage.exists(item.path) for item in files)
    assert announced(lake) == []


def test_what_a_conflict_made_useless_is_thrown_away_and_no_more(lake: Lake, watched: Lake) -> None:
    publish(lake, "a", TEN, ELEVEN)
    storage_of(watched).neighbour = (lake, "neighbour", ELEVEN)
    publish(watched, "unit", TEN, ELEVEN, unit=True)
    assert (state(lake, TEN).generation, state(lake, ELEVEN).generation) == (1, 2)
    found = {(path.partition("hour=")[2][:2], path.split("/")[-2]) for path in (f.path for f in lake.storage.list(""))}
    assert found == {("10", "g=0"), ("10", "g=1"), ("11", "g=0"), ("11", "g=2")}


def test_an_outage_leaves_a_generation_announced_until_housekeeping_looks(lake: Lake, watched: Lake) -> None:
    publish(lake, "a", TEN)
    storage_of(watched).fails = True
    with pytest.raises(Outage):
        publish(watched, "unit", TEN, unit=True)
    assert announced(lake) == [(TEN, 1)]
    publish(lake, "unit", TEN, unit=True)
    assert state(lake, TEN).generation == 2
    assert announced(lake) == [(TEN, 1)]


def test_an_hour_that_expires_leaves_nothing_announced(lake: Lake) -> None:
    publish(lake, "a", TEN)
    assert lake.expire_hour(TABLE, TEN, datetime.now(UTC))
    assert (state(lake, TEN).generation, announced(lake)) == (1, [])


# ── which files a compaction joins ──


def files_of_sizes(sizes: list[int]) -> list[LakeFile]:
    return [LakeFile(TABLE, TEN, f"{n:04}", 0, f"{n}", 1, size, "", (f"{n}",)) for n, size in enumerate(sizes)]


def test_an_hour_of_ten_thousand_files_needs_one_pass() -> None:
    groups = groups_of(files_of_sizes([1 << 20] * 10_000), small=64 << 20, joined=256 << 20)
    assert [len(group) for group in groups] == [256] * 39 + [16]


@given(st.lists(st.integers(1, 30)), st.integers(1, 30), st.integers(1, 40))
def test_groups_hold_small_files_once_and_are_never_too_large(sizes: list[int], small: int, joined: int) -> None:
    files = files_of_sizes(sizes)
    groups = groups_of(files, small=small, joined=joined)
    chosen = [item.source for group in groups for item in group]
    assert len(chosen) == len(set(chosen))
    assert all(len(group) > 1 and sum(item.bytes for item in group) <= joined for group in groups)
    assert all(item.bytes < small for group in groups for item in group)
    after = [item.bytes for item in files if item.source not in chosen and item.bytes < small]
    after += [sum(item.bytes for item in group) for group in groups]
    after.sort()
    assert all(one + other > joined for one, other in pairwise(after))
