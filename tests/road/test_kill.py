"""A crash between any two writes, with other batches in between, then a retry: as if there had been none (invariant 3).

The run is killed before each of its effects (see `crash`), a neighbour that shares events with it runs, and the run is
tried again. Which of two batches holds the first copy of a shared event is decided by who commits first, so the end
states are compared without that (`any_order`).
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from iota_dagster.core.hours import Hour
from iota_dagster.core.store import quarantine
from iota_dagster.platform import Platform
from tests.road.crash import run_until
from tests.road.parsers import DROPPED, MOVED, RETYPED, parser
from tests.road.state import State, check_done, state_of
from tests.road.stores import Stores
from tests.road.world import ELEVEN, LEASE_IS_OVER, NINE, TEN, UNKNOWN, World, drive, record, run_once, sign_in
from tests.road.zygote import Zygote

TWELVE = ELEVEN + 1
CHUNKS = 8


def before(world: World, platform: Platform) -> None:
    """An hour that is done when the story begins: two of its events come again later, one with another content.

    A sign-in of it is one half of what a correlation rule finds; the other half is in the hour whose run is killed.
    """
    world.correlate()
    world.deliver(
        platform,
        {"nine/a": [record("old-1", NINE), record("old-2", NINE, 50), sign_in("old-3", "198.51.100.1", NINE)]},
        NINE,
    )
    drive(platform, "before")


def the_hour(world: World, platform: Platform) -> None:
    """The hour whose run is killed: new events, copies of older ones, a contradiction, an unknown record."""
    contradiction = record("old-2", NINE, 50, userAgent="another")
    world.deliver(
        platform,
        {
            "ten/b": [record("b1"), record("old-1", NINE), sign_in("b2", "198.51.100.2"), record("shared-1")],
            "ten/c": [contradiction, UNKNOWN, record("c1", NINE, 58), record("b1"), sign_in("c2", "198.51.100.1")],
            "ten/d": [
                record("d1", userAgent=DROPPED),
                record("d2", userAgent=MOVED),
                record("d3", userAgent=RETYPED),
                sign_in("d4", "198.51.100.4") | {"userAgent": DROPPED},
            ],
        },
        TEN,
    )


def the_neighbour(world: World, platform: Platform) -> None:
    """What runs between the crash and the retry."""
    world.deliver(
        platform,
        {
            "twelve/n": [
                record("shared-1"),
                record("n1", ELEVEN),
                sign_in("b2", "198.51.100.2"),
                record("c1", NINE, 58),
            ],
            "twelve/o": [record("d2", userAgent=MOVED), sign_in("n2", "198.51.100.9", ELEVEN), record("old-1", NINE)],
        },
        TWELVE,
    )


def ready_to_ingest(world: World, platform: Platform) -> None:
    before(world, platform)
    the_hour(world, platform)
    the_neighbour(world, platform)


def ready_for_a_backfill(world: World, platform: Platform) -> None:
    """All is done by parser 1. Parser 2 drops an event of the hour whose copy a later hour counted as contradicting."""
    before(world, platform)
    the_hour(world, platform)
    world.deliver(platform, {"eleven/e": [record("d1"), record("e1"), record("d2", userAgent=MOVED)]}, ELEVEN)
    drive(platform, "done")
    the_neighbour(world, platform)


def ready_for_a_quarantine_retry(world: World, platform: Platform) -> None:
    """The hour is done by parser 2, which rejected records that parser 1 can read."""
    before(world, platform)
    the_hour(world, platform)
    with parser(2):
        drive(platform, "done")
    with platform.database.begin() as connection:
        assert quarantine.retry(connection, reason="dropped").batches
    the_neighbour(world, platform)


@dataclass(frozen=True)
class Scenario:
    """A state to start from, and the run that is killed there."""

    name: str
    prepare: Callable[[World, Platform], None]
    again: bool = False
    parser: int = 1
    hours: tuple[Hour, ...] = (TEN,)


SCENARIOS = [
    Scenario("ingest", ready_to_ingest),
    Scenario("backfill", ready_for_a_backfill, again=True, parser=2),
    Scenario("retry", ready_for_a_quarantine_retry),
]


@dataclass
class Story:
    """A scenario on one kind of store: where it starts, what its run writes, and how it ends without a crash."""

    stores: Stores
    zygote: Zygote
    scenario: Scenario
    start: World = field(init=False)
    effects: list[str] = field(init=False)
    end: State = field(init=False)

    def __post_init__(self) -> None:
        self.start = self.stores.new()
        with self.start.opened() as platform:
            self.scenario.prepare(self.start, platform)
        trail = self.start.home.parent / "trail"
        self.end = self.told(None, trail)
        self.effects = trail.read_text().splitlines()

    def told(self, kill_at: int | None, trail: Path | None = None) -> State:
        """The run (killed before an effect, if asked), the neighbour, the run again: the end state."""
        world = self.stores.copy(self.start)
        status = self.zygote.run(
            run_until,
            world,
            "the run",
            self.scenario.hours,
            self.scenario.again,
            self.scenario.parser,
            trail or Path("unused"),
            kill_at,
        )
        assert status == (0 if kill_at is None else -signal.SIGKILL)
        try:
            return self._end(world, "another run" if kill_at and kill_at % 2 else "the run")
        finally:
            self.stores.forget(world)

    def _end(self, world: World, root: str) -> State:
        """`root` is the run's own, which makes it a retry, or another run that comes across what was left."""
        with world.opened() as platform, parser(self.scenario.parser):
            check_done(platform)
            run_once(platform.road, "the neighbour", [TWELVE])
            check_done(platform)
            drive(platform, root, again=self.scenario.again, hours=self.scenario.hours)
        with world.opened(LEASE_IS_OVER) as platform:
            platform.road.deliver()
            return state_of(platform, any_order=True)


_stories: dict[tuple[int, str], Story] = {}


@pytest.fixture(params=SCENARIOS, ids=lambda item: item.name)
def story(request: pytest.FixtureRequest, stores: Stores, zygote: Zygote) -> Story:
    """Each scenario is made once per process and kind of store, and told many times."""
    key = id(stores), request.param.name
    if key not in _stories:
        _stories[key] = Story(stores, zygote, request.param)
    return _stories[key]


def test_the_run_has_every_kind_of_effect(story: Story) -> None:
    kinds = {"commit", "storage write", "storage upload", "spool", "work folder", "part file", "remove folder"}
    assert kinds <= set(story.effects)
    if story.scenario.name == "ingest":
        assert {"append", "append the second half"} <= set(story.effects)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_run_killed_at_any_write_and_tried_again_ends_as_if_it_had_not_been(story: Story, chunk: int) -> None:
    for kill_at in range(chunk, len(story.effects), CHUNKS):
        found = story.told(kill_at)
        what = story.effects[max(kill_at - 2, 0) : kill_at + 1]
        assert found == story.end, f"killed before effect {kill_at} ({what}): {found.differences(story.end)}"
