"""Two runs of neighbouring hours at once, with the same events: each event once, and nobody waits for ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from iota_dagster.core.batch.prepare import Committed
from iota_dagster.core.batch.work import WorkFolder
from iota_dagster.core.errors import VersionConflict
from iota_dagster.core.ingest.ingest import Part
from iota_dagster.core.store import commit as commits
from iota_dagster.core.store.commit import Commit
from iota_dagster.platform import Platform
from tests.platform.waiting import wait_until
from tests.road.crash import run_quietly
from tests.road.state import State, assert_same, state_of
from tests.road.stores import Stores
from tests.road.turns import interleaved
from tests.road.world import ELEVEN, NINE, TEN, World, drive, record, run_once, sign_in
from tests.road.zygote import Zygote

SEEDS = 80
PAIRS = 20
GROUPS = 4
_starts: dict[int, tuple[World, State]] = {}


def two_hours(world: World) -> None:
    """Two hours that are pending, whose objects share most of their events."""
    shared = [record(f"s{number}", NINE + number % 2) for number in range(4)]
    alarms = [sign_in("m1", "198.51.100.1"), sign_in("m2", "198.51.100.2", NINE)]
    with world.opened() as platform:
        world.deliver(platform, {"nine/z": [record("old", NINE)]}, NINE)
        drive(platform, "before")
        world.deliver(platform, {"ten/a": [*shared, alarms[0]], "ten/b": [record("t", TEN), record("old", NINE)]}, TEN)
        world.deliver(platform, {"eleven/a": [*alarms, *shared[::-1]], "eleven/b": [record("e", ELEVEN)]}, ELEVEN)


@pytest.fixture
def start(stores: Stores) -> tuple[World, State]:
    """Two pending hours, and how they end one after the other."""
    if id(stores) not in _starts:
        world = stores.new()
        two_hours(world)
        copy = stores.copy(world)
        with copy.opened() as platform:
            drive(platform, "in order")
            _starts[id(stores)] = world, state_of(platform, any_order=True)
    return _starts[id(stores)]


@pytest.mark.parametrize("group", range(GROUPS))
def test_any_interleaving_of_two_hours_keeps_each_event_once(
    stores: Stores, start: tuple[World, State], group: int
) -> None:
    world, expected = start
    for seed in range(group, SEEDS, GROUPS):
        copy = stores.copy(world)
        with copy.opened() as platform:
            with interleaved(seed) as turns:
                turns.run([lambda: run_once(platform.road, "a", [TEN]), lambda: run_once(platform.road, "b", [ELEVEN])])
            found = state_of(platform, any_order=True)
            assert found == expected, f"seed {seed}: {found.differences(expected)}"
        stores.forget(copy)


@pytest.mark.parametrize("group", range(GROUPS))
def test_any_interleaving_of_two_backfills_changes_nothing(
    stores: Stores, start: tuple[World, State], group: int
) -> None:
    world, expected = start
    done = stores.copy(world)
    with done.opened() as platform:
        drive(platform, "first")
    for seed in range(group, SEEDS // 4, GROUPS):
        copy = stores.copy(done)
        with copy.opened() as platform:
            with interleaved(seed) as turns:
                turns.run(
                    [
                        lambda: run_once(platform.road, "a", [TEN], again=True),
                        lambda: run_once(platform.road, "b", [TEN, ELEVEN], again=True),
                    ]
                )
            drive(platform, "rest")
            assert_same(state_of(platform, any_order=True), expected)
        stores.forget(copy)


def release(barrier: Path, roots: str) -> None:
    """Let runs of other processes go once all of them have opened their store; or else, so that they end."""
    ready = [barrier.with_name(f"ready-{root}") for root in roots]
    try:
        wait_until(lambda: all(file.exists() for file in ready), "all have opened the store", 30)
    finally:
        barrier.touch()


@pytest.mark.parametrize("group", range(GROUPS))
def test_two_processes_at_once_keep_each_event_once(stores: Stores, start: tuple[World, State], group: int) -> None:
    world, expected = start
    with Zygote() as one, Zygote() as other:
        for _ in range(group, PAIRS, GROUPS):
            copy = stores.copy(world)
            barrier = copy.home.parent / "go"
            one.start(run_quietly, copy, "a", [TEN], barrier)
            other.start(run_quietly, copy, "b", [ELEVEN], barrier)
            release(barrier, "ab")
            assert (one.wait(), other.wait()) == (0, 0)
            with copy.opened() as platform:
                assert_same(state_of(platform, any_order=True), expected)
            stores.forget(copy)


@pytest.mark.parametrize("beaten", [0, 2])
def test_a_commit_that_is_beaten_looks_up_again_and_reads_no_work_file_for_it(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch, beaten: int
) -> None:
    world.deliver(platform, {"a": [record("a"), sign_in("b", "198.51.100.1")]}, TEN)
    outcomes = iter([True] * beaten)
    reads: list[str] = []
    commit, all_batches = commits.commit, WorkFolder.all_batches

    def beaten_at_first(connection: sa.Connection, change: Commit, now: datetime) -> None:
        if next(outcomes, False):
            raise VersionConflict("a neighbour was faster")
        commit(connection, change, now)

    def noted(folder: WorkFolder, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        reads.append(part.path)
        return all_batches(folder, part, columns)

    monkeypatch.setattr(commits, "commit", beaten_at_first)
    monkeypatch.setattr(WorkFolder, "all_batches", noted)
    run = platform.road.run_identity("run")
    (assignment,) = platform.road.claim(run, [TEN], again=False)
    (result,) = platform.road.prepare(run, assignment)
    assert isinstance(result, Committed)
    assert result.conflicts == beaten
    assert len(reads) == 2  # the ids, and the times
