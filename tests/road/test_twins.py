"""Work files that are lost, twins that work on one batch, owners that die: everything still happens once."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iota_dagster.core.errors import WorkFilesLost
from iota_dagster.core.road import Branch
from iota_dagster.core.store import quarantine
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.schema import batches
from iota_dagster.platform import Platform
from tests.road.crash import run_until
from tests.road.parsers import parser
from tests.road.state import State, assert_same, restore_ids, state_of
from tests.road.turns import interleaved
from tests.road.world import ELEVEN, NINE, TEN, UNKNOWN, World, drive, record, run_once, sign_in
from tests.road.zygote import Zygote


def an_hour(world: World, platform: Platform) -> None:
    world.deliver(platform, {"nine/a": [record("a", NINE), sign_in("b", "198.51.100.1", NINE)]}, NINE)
    drive(platform, "before")
    world.deliver(
        platform,
        {"ten/c": [record("c"), UNKNOWN, sign_in("d", "198.51.100.2")], "ten/e": [record("a", NINE), record("c")]},
        TEN,
    )


@pytest.fixture
def expected(tmp_path: Path, opened: Callable[[World], Platform]) -> State:
    """How the hour ends when nothing happens."""
    folder = tmp_path / "undisturbed"
    folder.mkdir()
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    platform = opened(world)
    an_hour(world, platform)
    drive(platform, "run", hours=[TEN])
    return without_folder(state_of(platform), world)


def without_folder(state: State, world: World) -> State:
    """A state that can be compared with one of another folder: the rows name the bucket."""
    lake = {row.replace(str(world.inbox), "inbox"): count for row, count in state.lake.items()}
    return replace(state, lake=type(state.lake)(lake))


def prepared(platform: Platform) -> RunIdentity:
    """The hour up to its commit."""
    run = platform.road.run_identity("run")
    for assignment in platform.road.claim(run, [TEN], again=False):
        platform.road.prepare(run, assignment)
    return run


@pytest.mark.parametrize("judged_first", [False, True])
def test_lost_work_files_of_a_committed_batch_are_made_again(
    world: World, platform: Platform, expected: State, judged_first: bool
) -> None:
    an_hour(world, platform)
    run = prepared(platform)
    if judged_first:
        for batch in platform.road.to_publish(run, [TEN], Branch.ALERTS):
            platform.road.judge(batch)
    shutil.rmtree(world.home / "work")
    (world.home / "work/.tmp").mkdir(parents=True)
    drive(platform, "run", hours=[TEN])
    assert_same(without_folder(state_of(platform), world), expected)


def test_a_lost_disk_with_work_files_and_id_files_costs_nothing(
    world: World, platform: Platform, expected: State
) -> None:
    an_hour(world, platform)
    prepared(platform)
    for name in ("work", "state"):
        shutil.rmtree(world.home / name)
        (world.home / name / ".tmp").mkdir(parents=True)
    drive(platform, "run", hours=[TEN])
    restore_ids(platform, NINE)
    assert_same(without_folder(state_of(platform), world), expected)


def test_lost_work_files_whose_objects_are_lost_too_are_an_error_that_names_them(
    world: World, platform: Platform
) -> None:
    an_hour(world, platform)
    run = prepared(platform)
    shutil.rmtree(world.home / "work")
    (world.home / "work/.tmp").mkdir(parents=True)
    (world.inbox / "ten/c").unlink()
    (batch,) = platform.road.to_publish(run, [TEN], Branch.LAKE)
    with pytest.raises(WorkFilesLost, match="ten/c"):
        platform.road.publish(batch)
    world.put("ten/c", [record("c"), UNKNOWN, sign_in("d", "198.51.100.2")])
    drive(platform, "run", hours=[TEN])
    assert state_of(platform).totals["rows"] == 4


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_a_twin_beside_a_run_changes_nothing(
    world: World, platform: Platform, expected: State, seed: int, again: bool
) -> None:
    an_hour(world, platform)
    if again:
        drive(platform, "first", hours=[TEN])
    with interleaved(seed) as turns:
        turns.run([lambda: run_once(platform.road, "twin", [TEN], again=again)] * 2)
    drive(platform, "rest")
    assert_same(without_folder(state_of(platform), world), expected)


def test_a_redo_whose_process_died_is_ended_by_another_run(
    world: World, platform: Platform, zygote: Zygote, tmp_path: Path
) -> None:
    """The process that did the batch first still lives: it is this one."""
    an_hour(world, platform)
    drive(platform, "run", hours=[TEN])
    before = state_of(platform)
    trail = tmp_path / "trail"
    with platform.database.begin() as connection:
        assert quarantine.retry(connection, reason="unclassified").batches
    platform.database.dispose()
    copy = replace(world, home=world.home)
    effects = 12  # dies after its commit; asserted below
    status = zygote.run(run_until, copy, "redo", [TEN], False, 1, trail, effects)
    assert status == -signal.SIGKILL
    with platform.database.read() as connection:
        row = connection.execute(batches.select().where(batches.c.delivery_hour == TEN)).one()
    assert (row.status, row.revision) == ("committed", 2)
    assert zygote.run(run_until, copy, "another", [TEN], False, 1, trail, None) == 0
    assert_same(state_of(platform), before)


def test_the_twin_of_another_parser_leaves_one_parsers_rows(world: World, platform: Platform) -> None:
    """During an upgrade both versions run; what the lake, the ids and the matches hold is of one of them."""
    an_hour(world, platform)
    run = prepared(platform)
    with parser(2):
        drive(platform, "two", again=True, hours=[TEN])
    for branch, publish in ((Branch.ALERTS, platform.road.judge), (Branch.LAKE, platform.road.publish)):
        for batch in platform.road.to_publish(run, [TEN], branch):
            publish(batch)
    world.deliver(platform, {"eleven/f": [record("c"), record("a", NINE)]}, ELEVEN)
    drive(platform, "rest")
    assert state_of(platform).totals["rows"] == 4
