"""A batch that was open when the backup was taken and was published after it: its rows are in the lake, and stay."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.batch.road import Branch
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.sources import source_of
from iota_dagster.core.store import attempts
from iota_dagster.core.store.claims import Assignment
from iota_dagster.core.store.schema import batches, log_objects
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, MOVED, parser
from tests.road.restoring import Opened, back_up, delete_retired, go_back, repaired
from tests.road.state import admitted, alert_lines, assert_same, check_invariants, lake_rows, state_of
from tests.road.world import ACCOUNT, LOG_TYPE, NINE, NOW, TEN, UNKNOWN, World, drive, record, run_once, sign_in

TABLE = source_of(LOG_TYPE).table
FIRST = [record("a", NINE), record("m", userAgent=MOVED), record("p", userAgent=DROPPED), record("old", NINE)]
SECOND = [record("b"), sign_in("alarm", "198.51.100.1"), UNKNOWN, record("a", NINE)]


@pytest.fixture
def claimed(world: World, platform: Platform) -> Assignment:
    """One batch of two objects, open; an earlier one has one of their events."""
    world.deliver(platform, {"early": [record("old", NINE)]}, NINE)
    drive(platform, "early")
    world.deliver(platform, {"first": FIRST, "second": SECOND}, TEN)
    (assignment,) = platform.road.claim(platform.road.run_identity("run"), [TEN], again=False)
    return assignment


def events(platform: Platform) -> list[tuple[Hour, str, str]]:
    rows = [(hour, row) for name, hour, row in lake_rows(platform) if name == TABLE]
    return sorted((hour, row["p_event_id"].removeprefix(f"{ACCOUNT}:"), row["p_source_key"]) for hour, row in rows)


EVENTS = [
    (NINE, "a", "first"),
    (NINE, "old", "early"),
    (TEN, "alarm", "second"),
    (TEN, "b", "second"),
    (TEN, "m", "first"),
    (TEN, "p", "first"),
]


def status_of(platform: Platform, key: str) -> str:
    with platform.database.read() as connection:
        query = sa.select(log_objects.c.status).where(
            log_objects.c.key == key, log_objects.c.etag.not_like("rebuilt-%")
        )
        return str(connection.execute(query).scalar_one())


def restored(world: World, platform: Platform, file: Path, opened: Opened) -> Platform:
    go_back(world, platform, file)
    back = opened(world)
    repaired(back)
    return back


def check_events(platform: Platform) -> None:
    """Each event is once in the lake, admitted, and a row of an object, which accounts for all of its records."""
    assert events(platform) == EVENTS
    found = lake_rows(platform)
    with platform.database.read() as connection:
        objects = connection.execute(sa.select(log_objects)).mappings().all()
        unfinished = sa.select(batches.c.id).where(batches.c.status.in_(("open", "committed")))
        assert not connection.execute(unfinished).all()
    assert not [item["key"] for item in objects if item["status"] in ("pending", "claimed")]
    assert sum(item["rows"] for item in objects) == len(EVENTS)
    assert all(item["records"] == item["rows"] + item["duplicates"] + item["quarantined"] for item in objects)
    assert sum(map(len, admitted(platform).values())) == len(EVENTS)
    assert sum(table == alert_matches.TABLE for table, _, _ in found) == 1


@pytest.mark.parametrize("joined", [False, True], ids=["as published", "compacted"])
def test_it_ends_as_without_the_restore_and_nobody_is_told_twice(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path, joined: bool
) -> None:
    file = back_up(world, tmp_path / "backup")
    run_once(platform.road, "run", [TEN])
    if joined:
        assert compact(platform.road.lake, TABLE, NINE, lake_tables()[TABLE])
        delete_retired(platform)
    expected, told = state_of(platform), alert_lines(platform)
    assert (events(platform), len(told)) == (EVENTS, 1)
    back = restored(world, platform, file, opened)
    assert events(back) == EVENTS
    drive(back, "after")
    assert alert_lines(back) == told
    assert_same(replace(state_of(back), deliveries=expected.deliveries), expected)


def test_no_row_goes_of_an_object_that_is_no_longer_there(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path
) -> None:
    file = back_up(world, tmp_path / "backup")
    run_once(platform.road, "run", [TEN])
    (world.inbox / "first").unlink()
    back = restored(world, platform, file, opened)
    drive(back, "after")
    check_events(back)
    with back.database.read() as connection:
        (why,) = connection.execute(sa.select(batches.c.redo_blocked).where(batches.c.id == claimed.batch.id)).scalars()
    assert str(why).endswith("/first")
    drive(back, "again", again=True, hours=[TEN])
    check_events(back)
    world.put("first", FIRST)
    drive(back, "mended", again=True, hours=[TEN])
    check_invariants(back)
    assert events(back) == EVENTS


@pytest.mark.parametrize("there", [False, True], ids=["gone by then", "back by then"])
def test_an_object_that_had_left_it_before_its_commit_is_read_again(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path, there: bool
) -> None:
    """It was missing, came back, and was committed in a batch of which the store never heard."""
    file = back_up(world, tmp_path / "backup")
    (world.inbox / "first").unlink()
    run_once(platform.road, "run", [TEN])
    assert status_of(platform, "first") == "missing"
    world.deliver(platform, {"first": FIRST}, TEN)
    drive(platform, "late")
    before = events(platform)
    if not there:
        (world.inbox / "first").unlink()
    back = restored(world, platform, file, opened)
    assert status_of(back, "first") == "pending"
    drive(back, "after")
    assert events(back) == before
    assert status_of(back, "first") == ("done" if there else "missing")
    check_invariants(back)


def test_one_that_was_split_since_ends_with_each_event_once(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path
) -> None:
    file = back_up(world, tmp_path / "backup")
    run = platform.road.run_identity("run")
    with platform.database.begin() as connection:
        for _ in range(attempts.DEAD_RUNS):
            attempts.begin_attempt(connection, claimed.batch, run, NOW)
    drive(platform, "run")
    check_events(platform)
    back = restored(world, platform, file, opened)
    drive(back, "after")
    check_events(back)


def test_one_that_dies_again_and_again_after_the_restore_loses_nothing(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path
) -> None:
    """The backup knows a dead run already: one more, and an open batch would have been split."""
    run = platform.road.run_identity("run")
    with platform.database.begin() as connection:
        attempts.begin_attempt(connection, claimed.batch, run, NOW)
    file = back_up(world, tmp_path / "backup")
    run_once(platform.road, "run", [TEN])
    back = restored(world, platform, file, opened)
    for number in range(attempts.DEAD_RUNS + 1):
        road = back.road
        (assignment,) = road.claim(road.run_identity(f"dead-{number}"), [TEN], again=False)
        with back.database.begin() as connection:
            attempts.begin_redo(connection, assignment.batch, road.run_identity(f"dead-{number}"))
    drive(back, "after")
    check_events(back)


def test_one_that_was_committed_since_and_not_published_is_prepared_again(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path
) -> None:
    file = back_up(world, tmp_path / "backup")
    platform.road.prepare(platform.road.run_identity("run"), claimed)
    back = restored(world, platform, file, opened)
    assert len(events(back)) == 1
    drive(back, "after")
    check_invariants(back)
    assert events(back) == EVENTS
    assert len(alert_lines(back)) == 1


@pytest.mark.parametrize("branch", [Branch.LAKE, Branch.ALERTS])
def test_one_that_was_published_by_half_since_is_finished(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path, branch: Branch
) -> None:
    """Whoever was told is not told again, whoever was not is told."""
    file = back_up(world, tmp_path / "backup")
    road = platform.road
    run = road.run_identity("run")
    road.prepare(run, claimed)
    (batch,) = road.to_publish(run, [TEN], branch)
    _ = road.publish(batch) if branch is Branch.LAKE else road.judge(batch)
    road.deliver()
    back = restored(world, platform, file, opened)
    drive(back, "after")
    check_invariants(back)
    assert events(back) == EVENTS
    assert len(alert_lines(back)) == 1


def test_what_was_committed_in_the_backup_and_judged_after_it_pages_nobody_again(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path
) -> None:
    platform.road.prepare(platform.road.run_identity("run"), claimed)
    file = back_up(world, tmp_path / "backup")
    drive(platform, "run", hours=[TEN])
    told = alert_lines(platform)
    back = restored(world, platform, file, opened)
    drive(back, "after")
    check_invariants(back)
    assert (events(back), alert_lines(back)) == (EVENTS, told)


def test_one_that_was_done_again_since_is_done_again_by_the_parser_of_then(
    world: World, platform: Platform, claimed: Assignment, opened: Opened, tmp_path: Path
) -> None:
    file = back_up(world, tmp_path / "backup")
    run_once(platform.road, "run", [TEN])
    with parser(2):
        drive(platform, "again", again=True, hours=[TEN])
        delete_retired(platform)
        expected = state_of(platform)
        back = restored(world, platform, file, opened)
        assert events(back) == events(platform)
        drive(back, "after")
    assert_same(replace(state_of(back), deliveries=expected.deliveries), expected)


def test_two_contents_of_one_key_in_it_stay_apart(
    world: World, platform: Platform, opened: Opened, tmp_path: Path
) -> None:
    """The rows name the key alone; the older content is gone, so that its events would be, too."""
    world.deliver(platform, {"same": [record("x")]}, TEN)
    world.deliver(platform, {"same": [record("y")], "other": [record("z")]}, TEN)
    run = platform.road.run_identity("run")
    assert len(platform.road.claim(run, [TEN], again=False)) == 1
    file = back_up(world, tmp_path / "backup")
    run_once(platform.road, "run", [TEN])
    before = events(platform)
    assert before == [(TEN, "y", "same"), (TEN, "z", "other")]
    back = restored(world, platform, file, opened)
    drive(back, "after")
    assert events(back) == before
    check_invariants(back)
