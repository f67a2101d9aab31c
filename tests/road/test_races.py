"""Two runs of neighbouring hours at once, with the same events: each event once, and nobody waits for ever."""

from __future__ import annotations

import pytest

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


@pytest.mark.parametrize("group", range(GROUPS))
def test_two_processes_at_once_keep_each_event_once(stores: Stores, start: tuple[World, State], group: int) -> None:
    world, expected = start
    with Zygote() as one, Zygote() as other:
        for _ in range(group, PAIRS, GROUPS):
            copy = stores.copy(world)
            barrier = copy.home.parent / "go"
            one.start(run_quietly, copy, "a", [TEN], barrier)
            other.start(run_quietly, copy, "b", [ELEVEN], barrier)
            barrier.touch()
            assert (one.wait(), other.wait()) == (0, 0)
            with copy.opened() as platform:
                assert_same(state_of(platform, any_order=True), expected)
            stores.forget(copy)
