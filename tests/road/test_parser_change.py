"""A parser change, then a backfill: rows, admissions and matches are what a fresh start gives."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest

from iota_dagster.core.hours import Hour
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, MOVED, RETYPED, parser
from tests.road.state import State, state_of
from tests.road.world import ELEVEN, NINE, TEN, World, drive, record, sign_in

HOURS = (NINE, TEN, ELEVEN)


def objects(world: World, platform: Platform) -> None:
    """Records that parser 2 drops, moves and retypes; copies of them in other hours, some that it takes."""
    dropped = [record(f"d{number}", NINE, 20, userAgent=DROPPED) for number in range(3)]
    dropped_alarm = sign_in("d-alarm", "198.51.100.1", NINE) | {"userAgent": DROPPED}
    moved = [record(f"m{number}", TEN, 30, userAgent=MOVED) for number in range(3)]
    moved_alarm = sign_in("m-alarm", "198.51.100.2") | {"userAgent": MOVED}
    retyped_alarm = sign_in("r-alarm", "198.51.100.3") | {"userAgent": RETYPED}
    stay = [record("s1", NINE), sign_in("s2", "198.51.100.1", NINE)]
    world.deliver(platform, {"nine/a": [*dropped, dropped_alarm, *stay]}, NINE)
    world.deliver(platform, {"nine/b": [moved[0], dropped[0] | {"userAgent": "plain"}]}, NINE)
    world.deliver(platform, {"ten/c": [*moved, moved_alarm, retyped_alarm, dropped[0] | {"userAgent": "plain"}]}, TEN)
    world.deliver(
        platform,
        {
            "eleven/d": [moved[1], dropped[1] | {"userAgent": "plain"}, dropped_alarm | {"userAgent": "plain"}],
            "eleven/e": [retyped_alarm, dropped[2], stay[0], moved_alarm | {"userAgent": "plain"}],
        },
        ELEVEN,
    )


def fresh(folder: Path, opened: Callable[[World], Platform], version: int, inbox: Path) -> State:
    """The same objects, read by one parser from the beginning."""
    folder.mkdir()
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    platform = opened(World(inbox, world.home, world.store_url, world.rules))
    objects(World(inbox, world.home, world.store_url, world.rules), platform)
    with parser(version):
        drive(platform, "fresh")
        return state_of(platform, any_order=True)


def judged(state: State) -> tuple[object, ...]:
    """What a fresh start decides. Alerts that were sent stay as withdrawn, and one that was told is not untold."""
    open_alerts = {item for item in state.alerts if item[1] == "open"}
    return state.lake, state.admissions, state.objects, state.totals, state.quarantine, state.matches, open_alerts


@pytest.mark.parametrize("order", [HOURS, *itertools.permutations(HOURS), None])
def test_a_backfill_after_a_parser_change_gives_what_a_fresh_start_gives(
    world: World,
    platform: Platform,
    opened: Callable[[World], Platform],
    tmp_path: Path,
    order: tuple[Hour, ...] | None,
) -> None:
    objects(world, platform)
    drive(platform, "by parser 1")
    with parser(2):
        for number, hour in enumerate(order or ()):
            drive(platform, f"backfill-{number}", again=True, hours=[hour])
        if order is None:
            drive(platform, "backfill", again=True, hours=HOURS)
    found = state_of(platform, any_order=True)
    expected = fresh(tmp_path / "fresh", opened, 2, world.inbox)
    assert judged(found) == judged(expected), found.differences(expected)


def test_a_parser_change_and_back_is_no_change(world: World, platform: Platform) -> None:
    objects(world, platform)
    drive(platform, "by parser 1")
    before = state_of(platform, any_order=True)
    with parser(2):
        drive(platform, "there", again=True, hours=HOURS)
    drive(platform, "and back", again=True, hours=HOURS)
    after = state_of(platform, any_order=True)
    # Of contradicting copies another one may be the first by now; which events there are is the same.
    assert (after.admissions, after.totals) == (before.admissions, before.totals)
    assert (after.matches, after.alerts, after.lines) == (before.matches, before.alerts, before.lines)


def test_an_event_that_its_batch_no_longer_yields_is_taken_from_the_batch_that_counted_it(
    world: World, platform: Platform
) -> None:
    world.deliver(platform, {"ten/a": [record("x", userAgent=DROPPED)]}, TEN)
    world.deliver(platform, {"eleven/b": [record("x"), record("y", ELEVEN)]}, ELEVEN)
    drive(platform, "first")
    with parser(2):
        drive(platform, "backfill", again=True, hours=[TEN])
    state = state_of(platform)
    assert state.objects["ten/a"] == ("done", 1, 0, 0, 1)
    assert state.objects["eleven/b"] == ("done", 2, 2, 0, 0)
