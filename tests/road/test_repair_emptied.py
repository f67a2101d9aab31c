"""Hours that had files when the backup was taken and have none by now, and the other way round: nothing was lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.expiry import Retention, bring_back
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.recovery.repair import Repair
from iota_dagster.core.sources import source_of
from iota_dagster.core.store.lake_catalog import LakeFile, read_hour
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, MOVED, parser
from tests.road.restoring import Opened, back_up, delete_retired, go_back, repaired
from tests.road.state import assert_same, check_invariants, lake_rows, state_of
from tests.road.world import LOG_TYPE, NINE, NOW, TEN, World, drive, record, sign_in

TABLE = source_of(LOG_TYPE).table


@pytest.fixture
def done(world: World, platform: Platform) -> Platform:
    """Parser 2 leaves nothing in hour ten: it drops one event, and moves the other to nine, with its match."""
    alarm = sign_in("m", "198.51.100.1") | {"userAgent": MOVED}
    world.deliver(platform, {"old": [record("d", userAgent=DROPPED), alarm, record("n", NINE)]}, TEN)
    drive(platform, "old")
    return platform


def hours(platform: Platform) -> set[tuple[str, Hour]]:
    return {(table, hour) for table, hour, _ in lake_rows(platform)}


def restored(world: World, platform: Platform, file: Path, opened: Opened) -> Platform:
    delete_retired(platform)
    go_back(world, platform, file)
    return opened(world)


@pytest.mark.parametrize("joined", [False, True], ids=["as published", "compacted"])
def test_an_hour_that_was_emptied_since_the_backup_is_not_taken_for_lost(
    world: World, done: Platform, opened: Opened, tmp_path: Path, joined: bool
) -> None:
    if joined:
        world.deliver(done, {"more": [record("p", userAgent=DROPPED)]}, NINE)
        drive(done, "more")
        assert compact(done.road.lake, TABLE, TEN, lake_tables()[TABLE])
    file = back_up(world, tmp_path / "backup")
    with parser(2):
        drive(done, "again", again=True, hours=[NINE, TEN])
        expected = state_of(done)
        assert TEN not in {hour for _, hour in hours(done)}
        back = restored(world, done, file, opened)
        repaired(back)
        assert hours(back) == hours(done)
        drive(back, "after")
    assert_same(replace(state_of(back), deliveries=expected.deliveries), expected)


def test_an_emptied_hour_takes_rows_again_and_forgets_its_empty_file(world: World, done: Platform) -> None:
    before = state_of(done)
    with parser(2):
        drive(done, "again", again=True, hours=[TEN])
    with done.database.read() as connection:
        (empty,) = read_hour(connection, TABLE, TEN).files
    assert (empty.rows, empty.members) == (0, ())
    drive(done, "back", again=True, hours=[TEN])
    assert_same(replace(state_of(done), deliveries=before.deliveries, alerts=before.alerts), before)
    assert all(file.rows for file in _files(done))


AGED = NOW + timedelta(days=30)
DAYS = Retention({TABLE: 10})


def test_an_hour_that_retention_has_taken_since_the_backup_is_not_taken_for_lost(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    file = back_up(world, tmp_path / "backup")
    for hour in (NINE, TEN):
        done.road.lake.expire_hour(TABLE, hour, AGED)
    back = restored(world, done, file, opened)
    repair = Repair(back.road.lake, back.state, back.intake.spool, DAYS)
    assert len(repair.run(AGED, dry_run=True, restored=True).problems) == 0
    assert repair.run(AGED).problems == []
    back.road.lake.require_own()
    assert TABLE not in {table for table, _ in hours(back)}
    drive(back, "again", again=True, hours=[TEN])
    assert TABLE not in {table for table, _ in hours(back)}


@pytest.mark.parametrize("days", [{}, {TABLE: 31}])
def test_an_hour_that_is_gone_before_its_days_are_over_is_lost(
    world: World, done: Platform, opened: Opened, tmp_path: Path, days: dict[str, int]
) -> None:
    file = back_up(world, tmp_path / "backup")
    for hour in (NINE, TEN):
        done.road.lake.expire_hour(TABLE, hour, AGED)
    back = restored(world, done, file, opened)
    found = Repair(back.road.lake, back.state, back.intake.spool, Retention(days)).run(AGED)
    assert len(found.problems) == 2


def test_an_hour_that_was_wanted_back_since_the_backup_has_its_rows(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    before = state_of(done)
    done.road.lake.expire_hour(TABLE, TEN, NOW)
    delete_retired(done)
    file = back_up(world, tmp_path / "backup")
    bring_back(done.road.lake, TABLE, [TEN], NOW)
    drive(done, "back")
    assert_same(state_of(done), before)
    back = restored(world, done, file, opened)
    repaired(back)
    assert (TABLE, TEN) in hours(back)
    drive(back, "after")
    check_invariants(back)
    assert_same(state_of(back), before)


def _files(platform: Platform) -> list[LakeFile]:
    with platform.database.read() as connection:
        return [item for hour in (NINE, TEN) for item in read_hour(connection, TABLE, hour).files]
