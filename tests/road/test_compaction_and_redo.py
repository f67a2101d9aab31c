"""Compaction and doing batches again, one after the other and at once: rows are right, old files are retired."""

from __future__ import annotations

import hashlib

import pytest
import sqlalchemy as sa

from iota_dagster.core.batch.road import Road
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.ownership import MARKER
from iota_dagster.core.lake.schema import table_schema
from iota_dagster.core.sources import source_of
from iota_dagster.core.store.lake_catalog import LakeFile, files_of
from iota_dagster.core.store.schema import batches, lake_files, lake_hours, retired_files
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, MOVED, parser
from tests.road.state import assert_same, check_invariants, state_of
from tests.road.turns import interleaved
from tests.road.world import ELEVEN, LOG_TYPE, NINE, TEN, World, drive, record, run_once, sign_in

TABLE = source_of(LOG_TYPE).table


@pytest.fixture
def done(world: World, platform: Platform) -> Platform:
    """Three batches with rows of the same event hours."""
    for number, hour in enumerate((NINE, TEN, ELEVEN)):
        names = [f"{number}-{index}" for index in range(3)]
        records = [record(name, NINE + index % 2, userAgent=DROPPED) for index, name in enumerate(names)]
        moved = record(f"{number}-m", TEN, userAgent=MOVED)
        alarm = sign_in(f"{number}-alarm", f"198.51.100.{number}", NINE)
        world.deliver(platform, {f"{hour}": [*records, moved, alarm, record(f"{number}-x", NINE)]}, hour)
        drive(platform, f"first-{number}")
    return platform


def compact_all(road: Road) -> int:
    schemas = {TABLE: table_schema(source_of(LOG_TYPE)), alert_matches.TABLE: alert_matches.SCHEMA}
    return sum(compact(road.lake, table, hour, schemas[table]) for table in schemas for hour in (NINE, TEN))


def generations(platform: Platform) -> dict[tuple[str, int], int]:
    with platform.database.read() as connection:
        rows = connection.execute(sa.select(lake_hours.c.table_name, lake_hours.c.hour, lake_hours.c.generation))
        return {(row.table_name, row.hour): row.generation for row in rows}


def check_files(platform: Platform) -> None:
    """Each file lies in its hour's generation; what is retired is not in use; every other file was retired."""
    with platform.database.read() as connection:
        files = connection.execute(sa.select(lake_files)).all()
        retired = set(connection.execute(sa.select(retired_files.c.path)).scalars())
    current = generations(platform)
    for file in files:
        assert f"/g={current[file.table_name, file.hour]}/" in file.path
    used = {file.path for file in files}
    assert not used & retired
    assert {file.path for file in platform.lake.list("")} == used | retired | {MARKER}


def test_compaction_changes_no_row_and_retires_the_old_files(done: Platform) -> None:
    before = state_of(done)
    assert compact_all(done.road) == 3
    assert_same(state_of(done), before)
    check_files(done)
    assert compact_all(done.road) == 0


def test_a_compacted_batch_that_is_done_again_with_the_same_output_changes_no_row(done: Platform) -> None:
    before = state_of(done)
    compact_all(done.road)
    compacted = generations(done)
    drive(done, "again", again=True, hours=[TEN])
    assert_same(state_of(done), before)
    check_files(done)
    assert all(generation >= compacted[key] for key, generation in generations(done).items())


@pytest.mark.parametrize("hours", [(TEN,), (NINE, TEN, ELEVEN)])
def test_a_compacted_batch_that_is_done_again_by_another_parser_loses_only_its_own_rows(
    done: Platform, hours: tuple[int, ...]
) -> None:
    compact_all(done.road)
    with parser(2):
        drive(done, "again", again=True, hours=hours)
    state = state_of(done)
    assert state.totals == {
        "records": 18,
        "rows": 18 - 3 * len(hours),
        "duplicates": 0,
        "quarantined": 3 * len(hours),
    }
    check_files(done)
    compact_all(done.road)
    assert_same(state_of(done), state)


@pytest.mark.parametrize("seed", range(12))
def test_a_compaction_beside_a_redo_leaves_the_right_rows(done: Platform, seed: int) -> None:
    with parser(2):
        with interleaved(seed) as turns:
            turns.run(
                [
                    lambda: compact_all(done.road),
                    lambda: run_once(done.road, "again", [TEN], again=True),
                    lambda: compact_all(done.road),
                ]
            )
        drive(done, "rest")
    assert state_of(done).totals == {"records": 18, "rows": 15, "duplicates": 0, "quarantined": 3}
    check_invariants(done)
    check_files(done)


def test_nothing_of_a_rewrite_is_left_in_the_scratch_folder(done: Platform) -> None:
    compact_all(done.road)
    with parser(2):
        drive(done, "again", again=True, hours=[TEN])
    kept = done.settings.scratch / "rules"  # what was read of the rules, for the next run
    left = [path for path in done.settings.scratch.rglob("*") if path.is_file() and path.parent != kept]
    assert left == []


@pytest.mark.parametrize("compacted", [False, True])
def test_lost_files_keep_no_batch_of_their_hour_from_being_done_again_and_stay_known(
    done: Platform, compacted: bool
) -> None:
    """Two of an hour's three files are gone, or the one that they were joined into."""
    if compacted:
        compact_all(done.road)
    with done.database.read() as connection:
        here = (lake_files.c.table_name == TABLE) & (lake_files.c.hour == NINE)
        lost = connection.execute(sa.select(lake_files.c.path).where(here)).scalars().all()
    for path in sorted(lost)[:2]:
        done.lake.delete(path)
    with parser(2):
        drive(done, "again", again=True, hours=[NINE, TEN, ELEVEN])
    assert all(file.sha256 == hashlib.sha256(done.lake.read(file.path)).hexdigest() for file in _files(done))
    assert state_of(done).totals == {"records": 18, "rows": 9, "duplicates": 0, "quarantined": 9}


def test_a_lost_file_whose_batch_is_not_done_again_is_still_named_by_its_hour(done: Platform) -> None:
    with done.database.read() as connection:
        (first,) = connection.execute(sa.select(batches.c.id).where(batches.c.delivery_hour == NINE)).scalars()
    (lost,) = [file for file in _files(done) if file.source == first and file.hour == NINE]
    done.lake.delete(lost.path)
    with parser(2):
        drive(done, "again", again=True, hours=[TEN, ELEVEN])
    assert [file.source for file in _files(done) if not done.lake.exists(file.path)] == [first]
    drive(done, "mended", again=True, hours=[NINE])
    assert all(done.lake.exists(file.path) for file in _files(done))


def _files(platform: Platform) -> list[LakeFile]:
    with platform.database.read() as connection:
        return [file for hour in (NINE, TEN) for file in files_of(connection, TABLE, hour)]
