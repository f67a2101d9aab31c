"""Computing hours again, in any order, changes nothing and tells nobody anything (DESIGN §2, invariant 5)."""

from __future__ import annotations

import itertools

import pytest

from iota_dagster.core.batch.prepare import CannotDoAgain
from iota_dagster.core.hours import Hour
from iota_dagster.core.store import batches as batch_store
from iota_dagster.platform import Platform
from tests.road.state import alert_lines, assert_same, check_invariants, state_of
from tests.road.world import ELEVEN, NINE, TEN, UNKNOWN, World, drive, record, sign_in


def three_hours(world: World, platform: Platform) -> None:
    """Objects of three delivery hours that share events; one copy contradicts, one record is of no known kind."""
    changed = record("shared-1", NINE, 50) | {"userAgent": "another"}
    world.deliver(
        platform,
        {
            "nine/a": [record("a1", NINE), record("shared-1", NINE, 50), sign_in("s1", "198.51.100.1", NINE)],
            "nine/b": [record("b1", NINE), record("a1", NINE)],
        },
        NINE,
    )
    world.deliver(
        platform,
        {"ten/c": [record("c1"), changed, UNKNOWN, sign_in("s2", "198.51.100.2")], "ten/d": [record("shared-2")]},
        TEN,
    )
    world.deliver(
        platform,
        {"eleven/e": [record("shared-2"), record("e1", ELEVEN), sign_in("s1", "198.51.100.1", NINE)]},
        ELEVEN,
    )


@pytest.fixture
def done(world: World, platform: Platform) -> Platform:
    """The three hours, ingested."""
    three_hours(world, platform)
    drive(platform, "first")
    return platform


def test_a_first_ingest_keeps_each_event_once_and_tells_of_each_alert_once(done: Platform) -> None:
    state = state_of(done)
    assert state.totals == {"records": 13, "rows": 8, "duplicates": 3, "quarantined": 2}
    assert len(state.alerts) == len(alert_lines(done)) == 2
    assert sorted(reason for _, _, reason in state.quarantine) == ["conflicting_copy", "unclassified"]


@pytest.mark.parametrize("order", list(itertools.permutations([NINE, TEN, ELEVEN])))
def test_hours_computed_again_in_any_order_change_nothing(done: Platform, order: tuple[Hour, ...]) -> None:
    before, lines = state_of(done), alert_lines(done)
    for number, hour in enumerate(order):
        drive(done, f"again-{number}", again=True, hours=[hour])
        assert_same(state_of(done), before)
    assert alert_lines(done) == lines


def test_all_hours_computed_again_at_once_change_nothing(done: Platform) -> None:
    before, lines = state_of(done), alert_lines(done)
    drive(done, "again", again=True, hours=[NINE, TEN, ELEVEN])
    drive(done, "and again", again=True, hours=[NINE, TEN, ELEVEN])
    assert_same(state_of(done), before)
    assert alert_lines(done) == lines


def test_an_hour_with_a_lost_object_stays_as_it_is_and_the_object_is_named(done: Platform, world: World) -> None:
    before = state_of(done)
    (world.inbox / "nine/b").unlink()
    road, run = done.road, done.road.run_identity("again")
    (assignment,) = road.claim(run, [NINE], again=True)
    (result,) = road.prepare(run, assignment)
    assert isinstance(result, CannotDoAgain)
    assert [name.rpartition("/inbox/")[2] for name in result.missing] == ["nine/b"]
    drive(done, "again", again=True, hours=[NINE])
    assert_same(state_of(done), before)
    with done.database.read() as connection:
        assert batch_store.load(connection, assignment.batch.id).revision == 1


def test_an_hour_with_an_overwritten_object_stays_as_it_is(done: Platform, world: World) -> None:
    before = state_of(done)
    world.put("nine/b", [record("other", NINE)])
    drive(done, "again", again=True, hours=[NINE])
    assert_same(state_of(done), before)


def test_an_empty_object_counts_nothing_and_is_done(world: World, platform: Platform) -> None:
    world.deliver(platform, {"empty": []}, TEN)
    drive(platform, "first")
    drive(platform, "again", again=True, hours=[TEN])
    check_invariants(platform)
