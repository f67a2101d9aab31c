"""An hour that the lake does not take, for as long as that lasts: whom it holds up, and whom not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.batch.road import Branch, Road
from iota_dagster.core.correlating.correlator import correlator_of
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, hour_folder
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.model import BatchStatus
from iota_dagster.core.sources import source_of
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import figures
from iota_dagster.core.store.schema import announced_generations, batches
from iota_dagster.platform import Platform
from tests.road.parsers import RETYPED, parser
from tests.road.state import alert_lines, assert_same, state_of
from tests.road.world import ELEVEN, LOG_TYPE, NINE, TEN, World, drive, record, sign_in

EVENTS = source_of(LOG_TYPE).table


@contextmanager
def denied(world: World, *places: tuple[str, Hour]) -> Iterator[None]:
    """Hours of tables that nothing can be written into: a file lies where the folder should be."""
    files = [world.home / "lake" / table / hour_folder(hour) for table, hour in places]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    yield
    for file in files:
        file.unlink()


def run(road: Road, root: str, *hours: Hour, again: bool = False) -> list[Outage]:
    """One run as Dagster makes it: what fails keeps nothing else from its turn; what was wrong."""
    identity, wrong = road.run_identity(root), list[Outage]()
    for assignment in road.claim(identity, hours, again=again):
        road.prepare(identity, assignment)
    for branch, step in ((Branch.ALERTS, road.judge), (Branch.LAKE, road.publish)):
        for batch in road.to_publish(identity, hours, branch):
            try:
                step(batch)
            except Outage as outage:
                wrong.append(outage)
    correlator_of(road).correlate()
    road.deliver()
    return wrong


def told(platform: Platform) -> list[str]:
    return sorted(line["dedup"] for line in alert_lines(platform))


def alert_counts(platform: Platform) -> dict[str, float]:
    """The alerts of all batches and correlation rules as `/metrics` counts them."""
    with platform.database.read() as connection:
        found = [item for item in figures.totals(connection) if item.name == "iota_alerts_total"]
    return {str(item.labels): item.value for item in found}


def test_people_are_told_once_while_the_lake_does_not_take_the_hour_of_their_matches(
    world: World, platform: Platform
) -> None:
    world.deliver(platform, {"a": [sign_in("a", "198.51.100.1"), record("b")]}, TEN)
    with denied(world, (alert_matches.TABLE, TEN)):
        for number in range(3):
            assert len(run(platform.road, f"run-{number}", TEN)) == 1
            assert told(platform) == ["198.51.100.1"]
    with platform.database.read() as connection:
        assert connection.scalars(sa.select(batches.c.status)).all() == [BatchStatus.COMMITTED]
    drive(platform, "after")
    assert told(platform) == ["198.51.100.1"]
    state_of(platform)


def test_in_the_end_all_is_as_if_the_lake_had_taken_it_at_once(
    world: World, platform: Platform, tmp_path: Path
) -> None:
    other = World.at(tmp_path / "other", f"sqlite:///{tmp_path}/other.db")
    with other.opened() as undisturbed:
        for place, installation in ((world, platform), (other, undisturbed)):
            place.correlate()
            events = [sign_in("a", "198.51.100.1", NINE, 5), sign_in("b", "198.51.100.1", TEN, 20), record("c")]
            place.deliver(installation, {"a": events}, TEN)
        with denied(world, (alert_matches.TABLE, NINE), (EVENTS, NINE)):
            for number in range(2):
                assert len(run(platform.road, f"run-{number}", TEN)) == 2
        drive(platform, "after")
        drive(undisturbed, "at once")
        assert told(platform) == told(undisturbed) == ["198.51.100.1", "198.51.100.1", "Test.Again: 198.51.100.1"]
        assert alert_counts(platform) == alert_counts(undisturbed)
        found, expected = state_of(platform), state_of(undisturbed)
        assert (found.matches, found.alerts) == (expected.matches, expected.alerts)
    drive(platform, "again", again=True, hours=[TEN])
    assert_same(state_of(platform), found)


def test_batches_of_other_hours_and_new_ones_of_the_same_go_on_beside_it(world: World, platform: Platform) -> None:
    world.deliver(platform, {"old": [sign_in("a", "198.51.100.1", NINE)]}, TEN)
    with denied(world, (alert_matches.TABLE, NINE), (EVENTS, NINE)):
        run(platform.road, "first", TEN)
        world.deliver(platform, {"new": [sign_in("b", "198.51.100.2", TEN)]}, TEN)
        world.deliver(platform, {"next": [sign_in("c", "198.51.100.3", ELEVEN)]}, ELEVEN)
        assert len(run(platform.road, "second", TEN)) == 2
        assert run(platform.road, "third", ELEVEN) == []
        with platform.database.read() as connection:
            done = connection.scalar(sa.select(sa.func.count()).where(batches.c.status == BatchStatus.DONE))
        assert (done, told(platform)) == (2, ["198.51.100.1", "198.51.100.2", "198.51.100.3"])
    drive(platform, "after")
    state_of(platform)


def test_only_the_batch_as_it_stands_is_told_of(world: World, platform: Platform) -> None:
    world.deliver(platform, {"a": [sign_in("a", "198.51.100.1")]}, TEN)
    drive(platform, "first")
    with platform.database.begin() as connection:
        (batch,) = batch_store.batches_of_hours(connection, [TEN])
        assert batch_store.lock_current(connection, batch)
        assert not batch_store.lock_current(connection, replace(batch, revision=batch.revision + 1))
        assert not batch_store.lock_current(connection, replace(batch, id="another"))


def test_attempts_over_a_denied_hour_leave_no_copies_of_the_others_behind(world: World, platform: Platform) -> None:
    changing = [record("a", NINE, userAgent=RETYPED), record("b", TEN, userAgent=RETYPED)]
    world.deliver(platform, {"a": changing}, TEN)
    drive(platform, "first")
    before = paths(platform)
    folder = world.home / "lake" / EVENTS / hour_folder(TEN)
    blocked = [folder / f"g={number}" for number in range(1, 9)]
    with parser(2):
        for file in blocked:
            file.write_bytes(b"")
        for _ in range(3):
            assert len(run(platform.road, "again", TEN, again=True)) == 1
            assert paths(platform) - {f"{EVENTS}/{hour_folder(TEN)}/{file.name}" for file in blocked} == before
        with platform.database.read() as connection:
            assert set(connection.scalars(sa.select(announced_generations.c.hour))) == {TEN}
        for file in blocked:
            file.unlink()
        drive(platform, "after")
    assert paths(platform) > before
    state_of(platform)


def paths(platform: Platform) -> set[str]:
    """The files of the table of events."""
    return {item.path for item in platform.road.lake.storage.list(f"{EVENTS}/")}
