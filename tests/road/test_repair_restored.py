"""A restored store whose batches were done again after its backup: `iota repair` takes the lake's word for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.recovery.repair import Repair, Repaired
from iota_dagster.core.sources import source_of
from iota_dagster.core.store.backup import backup, restore
from iota_dagster.core.store.schema import retired_files
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, MOVED, parser
from tests.road.state import admitted, check_invariants, lake_rows, state_of
from tests.road.world import ACCOUNT, ELEVEN, LOG_TYPE, NINE, NOW, TEN, World, drive, record, run_once

Opened = Callable[[World], Platform]


@pytest.fixture
def restored(world: World, platform: Platform, opened: Opened, tmp_path: Path) -> Platform:
    """Since the backup parser 2 has dropped d, which the batch of eleven had counted, and moved m from ten to nine.

    The batch of eleven has not been done again yet.
    """
    world.deliver(platform, {"old": [record("d", NINE, userAgent=DROPPED), record("m", userAgent=MOVED)]}, TEN)
    drive(platform, "old")
    world.deliver(platform, {"other": [record("d", NINE), record("n", NINE), record("t")]}, ELEVEN)
    drive(platform, "other")
    backup(world.store_url, tmp_path / "backup")
    with parser(2):
        run_once(platform.road, "again", [TEN], again=True)
    put_back(world, platform, tmp_path / "backup")
    return opened(world)


def put_back(world: World, platform: Platform, file: Path) -> None:
    """Restore a backup, days later: what was retired is deleted by then."""
    with platform.database.read() as connection:
        gone = connection.execute(sa.select(retired_files.c.path)).scalars().all()
    assert gone
    for path in gone:
        platform.lake.delete(path)
    platform.database.dispose()
    restore(world.store_url, file, replace=True)


def repair(platform: Platform) -> Repaired:
    found = Repair(platform.road.lake, platform.state, platform.intake.spool).run(NOW)
    assert found.problems == []
    return found


def events(platform: Platform) -> list[tuple[Hour, str]]:
    table = source_of(LOG_TYPE).table
    rows = [(hour, row) for name, hour, row in lake_rows(platform) if name == table]
    return sorted((hour, row["p_event_id"].removeprefix(f"{ACCOUNT}:")) for hour, row in rows)


def test_a_restored_store_admits_what_the_rows_are_by_now(world: World, restored: Platform) -> None:
    """In hour nine its batch has as many ids as before, but another one; in hour ten it has none."""
    repair(restored)
    before = [(NINE, "m"), (NINE, "n"), (TEN, "t")]
    assert events(restored) == before
    world.deliver(restored, {"copies": [record("m", NINE), record("n", NINE), record("t")]}, NINE)
    run_once(restored.road, "copies", [NINE])
    assert events(restored) == before
    world.deliver(restored, {"new": [record("d", NINE), record("m", TEN)]}, NINE)
    run_once(restored.road, "new", [NINE])
    assert events(restored) == sorted([*before, (NINE, "d"), (TEN, "m")])


def test_what_was_changed_since_the_backup_is_done_again_and_so_is_what_was_counted_against_it(
    restored: Platform,
) -> None:
    assert repair(restored).again == 2
    with parser(2):
        drive(restored, "after")
    assert events(restored) == [(NINE, "d"), (NINE, "m"), (NINE, "n"), (TEN, "t")]
    assert state_of(restored).objects == {"old": ("done", 2, 1, 0, 1), "other": ("done", 3, 3, 0, 0)}


def test_an_hour_that_is_as_it_was_keeps_its_admissions(
    world: World, platform: Platform, opened: Opened, tmp_path: Path
) -> None:
    """Its files are others: a batch was added, and those of the others were carried along."""
    world.deliver(platform, {"old": [record("a"), record("b", NINE)]}, TEN)
    drive(platform, "old")
    backup(world.store_url, tmp_path / "backup")
    world.deliver(platform, {"new": [record("c", userAgent=DROPPED), record("d")]}, ELEVEN)
    drive(platform, "new")
    with parser(2):
        drive(platform, "again", again=True, hours=[ELEVEN])
    put_back(world, platform, tmp_path / "backup")
    back = opened(world)
    assert repair(back).again == 0
    assert events(back) == [(NINE, "b"), (TEN, "a"), (TEN, "d")]
    drive(back, "after")
    check_invariants(back)


def test_what_was_not_published_when_the_backup_was_taken_stays_admitted(
    world: World, platform: Platform, opened: Opened, tmp_path: Path
) -> None:
    """Its rows will be those of its admission, whichever of it lie in the lake."""
    world.deliver(platform, {"old": [record("d", NINE, userAgent=DROPPED), record("m", userAgent=MOVED)]}, TEN)
    run = platform.road.run_identity("old")
    for assignment in platform.road.claim(run, [TEN], again=False):
        platform.road.prepare(run, assignment)
    before = admitted(platform)
    backup(world.store_url, tmp_path / "backup")
    run_once(platform.road, "old", [TEN])
    with parser(2):
        drive(platform, "again", again=True, hours=[TEN])
    put_back(world, platform, tmp_path / "backup")
    back = opened(world)
    assert repair(back).again == 0
    assert admitted(back) == before
    drive(back, "after")
    assert events(back) == [(NINE, "d"), (TEN, "m")]
    check_invariants(back)
