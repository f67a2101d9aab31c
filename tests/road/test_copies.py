"""Whatever copies of objects come, in any order and any batches: each event is one row (invariants 1 and 2)."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota_dagster.core.hours import Hour
from tests.road.state import state_of
from tests.road.stores import Stores
from tests.road.world import ELEVEN, NINE, TEN, World, drive, record

EVENTS = 12


@dataclass(frozen=True)
class Arrival:
    """One object: which events it holds, the prefix it comes under, its delivery hour, the run that meets it."""

    events: tuple[int, ...]
    prefix: str
    hour: Hour
    run: int


arrivals = st.lists(
    st.builds(
        Arrival,
        events=st.lists(st.integers(0, EVENTS - 1), max_size=6).map(tuple),
        prefix=st.sampled_from(["AWSLogs/111122223333", "AWSLogs/o-example/111122223333", "copy"]),
        hour=st.sampled_from([NINE, TEN, ELEVEN]),
        run=st.integers(0, 2),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def empty(stores: Stores) -> World:
    """An empty world to copy."""
    return stores.new()


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(objects=arrivals, batch_objects=st.integers(1, 3), redone=st.sampled_from([None, NINE, TEN, ELEVEN]))
def test_rows_are_the_distinct_events_and_everything_else_is_a_counted_duplicate(
    stores: Stores, empty: World, objects: list[Arrival], batch_objects: int, redone: Hour | None
) -> None:
    world = stores.copy(empty)
    world = type(world)(
        world.home.parent / "inbox", world.home, world.store_url, world.rules, batch_objects=batch_objects
    )
    with world.opened() as platform:
        for run in range(3):
            for number, item in enumerate(objects):
                if item.run == run:
                    content = [record(f"e{event}", NINE + event % 3, event) for event in item.events]
                    world.deliver(platform, {f"{item.prefix}/{number}": content}, item.hour)
            drive(platform, f"run-{run}")
        if redone is not None:
            drive(platform, "again", again=True, hours=[redone])
        totals = state_of(platform).totals
    records = sum(len(item.events) for item in objects)
    distinct = len({event for item in objects for event in item.events})
    assert totals == {"records": records, "rows": distinct, "duplicates": records - distinct, "quarantined": 0}
    stores.forget(world)
