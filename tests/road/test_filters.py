"""Filters and id files that are lost, stale, damaged or full cost time, never an event (DESIGN §2, invariant 4)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from iota_dagster.core.batch.road import Branch
from iota_dagster.core.dedup import bloom_files
from iota_dagster.core.dedup.bloom import IdFilter
from iota_dagster.core.recovery.maintenance import Housekeeping, Keep
from iota_dagster.core.store import quarantine
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, parser
from tests.road.state import State, admissions_of, assert_same, restore_ids, state_of
from tests.road.world import ELEVEN, LOG_TYPE, NINE, NOW, TEN, World, drive, record, sign_in


def first(world: World, platform: Platform) -> None:
    world.deliver(platform, {"nine/a": [record(f"n{number}", NINE) for number in range(20)]}, NINE)
    world.deliver(platform, {"ten/b": [record(f"t{number}", TEN) for number in range(20)]}, TEN)
    drive(platform, "first")


def second(world: World, platform: Platform) -> None:
    """More of the same events, after something happened to the filters."""
    mixed = [record(f"{name}{number}", hour) for name, hour in (("n", NINE), ("t", TEN)) for number in range(10, 30)]
    contradiction = record("n1", NINE, userAgent="another")
    world.deliver(platform, {"eleven/c": [*mixed, contradiction, sign_in("m", "198.51.100.1")]}, ELEVEN)
    drive(platform, "second")
    drive(platform, "again", again=True, hours=[TEN])


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> State:
    """How it ends when nothing happens to the filters."""
    folder = tmp_path_factory.mktemp("expected")
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    with world.opened() as platform:
        first(world, platform)
        second(world, platform)
        return comparable(state_of(platform), world)


def comparable(state: State, world: World) -> State:
    lake = {row.replace(str(world.inbox), "inbox"): count for row, count in state.lake.items()}
    return replace(state, lake=type(state.lake)(lake))


def filters(world: World) -> list[Path]:
    return sorted((world.home / "state/bloom").rglob("*.bloom"))


def id_files(world: World) -> list[Path]:
    return sorted((world.home / "state/ids").rglob("*.ids"))


def delete_filters(world: World, platform: Platform) -> None:
    shutil.rmtree(world.home / "state/bloom", ignore_errors=True)


def save_filter(platform: Platform, hour: int, fill: Callable[[bytes], bytes]) -> None:
    """A filter that verifies and claims to cover the hour's id files, with other bits than it should have."""
    admissions = admissions_of(platform, hour)
    honest = IdFilter.sized(1024, 0.001)
    for item in admissions:
        honest.add(platform.seen.ids_of(item))
    kept = bloom_files.HourFilter(
        IdFilter.from_bytes(fill(honest.to_bytes())), {(item.file, item.sha256) for item in admissions}
    )
    bloom_files.save(platform.state, LOG_TYPE, hour, kept)


def ones(content: bytes) -> bytes:
    """All bits of the second half set: everything is "perhaps seen" as far as it looks there."""
    middle = len(content) // 4
    return content[:middle] + b"\xff" * (len(content) - middle)


def fill_with_ones(world: World, platform: Platform) -> None:
    for hour in (NINE, TEN):
        save_filter(platform, hour, ones)


def clear_bits_on_disk(world: World, platform: Platform) -> None:
    fill_with_ones(world, platform)
    for path in filters(world):
        content = path.read_bytes()
        path.write_bytes(content[:-400] + b"\0" * 368 + content[-32:])


def truncate_filters(world: World, platform: Platform) -> None:
    fill_with_ones(world, platform)
    for path in filters(world):
        path.write_bytes(path.read_bytes()[:100])


def put_back_older_filters(world: World, platform: Platform) -> None:
    """As they were before a further batch of the same hours was admitted."""
    fill_with_ones(world, platform)
    older = {path: path.read_bytes() for path in filters(world)}
    drive(platform, "again", again=True, hours=[NINE, TEN])
    for path, content in older.items():
        path.write_bytes(content)


def delete_id_files(world: World, platform: Platform) -> None:
    for path in id_files(world):
        path.unlink()


def truncate_id_files(world: World, platform: Platform) -> None:
    for path in id_files(world):
        path.write_bytes(path.read_bytes()[:60])


def delete_both(world: World, platform: Platform) -> None:
    delete_filters(world, platform)
    delete_id_files(world, platform)


def let_maintenance_delete_old_ones(world: World, platform: Platform) -> None:
    keep = Keep(work=timedelta(days=7), ids=timedelta(days=35), values=timedelta(days=365))
    keeping = Housekeeping(
        platform.database, platform.lake, platform.work, platform.state, platform.settings.scratch, keep
    )
    removed = keeping.run(NOW + timedelta(days=40_000))
    assert removed.id_files == 2
    assert id_files(world) == filters(world) == []


ACCIDENTS = [
    delete_filters,
    fill_with_ones,
    clear_bits_on_disk,
    truncate_filters,
    put_back_older_filters,
    delete_id_files,
    truncate_id_files,
    delete_both,
    let_maintenance_delete_old_ones,
]


@pytest.mark.parametrize("accident", ACCIDENTS)
def test_whatever_happens_to_filters_and_id_files_the_rows_are_the_same(
    world: World, platform: Platform, expected: State, accident: Callable[[World, Platform], None]
) -> None:
    first(world, platform)
    accident(world, platform)
    second(world, platform)
    for hour in (NINE, TEN):  # what nobody looked up meanwhile is still lost: have it made again for the comparison
        restore_ids(platform, hour)
    assert_same(comparable(state_of(platform), world), expected)


def test_ids_lost_between_a_redo_and_its_publication_are_made_again_from_its_work_files(
    world: World, platform: Platform
) -> None:
    """The lake still holds the revision before, which lacked an event that the new one has admitted."""
    world.deliver(platform, {"ten/a": [record("a"), record("b", userAgent=DROPPED)]}, TEN)
    with parser(2):
        drive(platform, "first")
    with platform.database.begin() as connection:
        quarantine.retry(connection, reason="dropped")
    run = platform.road.run_identity("redo")
    for assignment in platform.road.claim(run, [TEN], again=False):
        platform.road.prepare(run, assignment)
    delete_both(world, platform)
    world.deliver(platform, {"eleven/b": [record("b", userAgent=DROPPED), record("c")]}, ELEVEN)
    drive(platform, "neighbour", hours=[ELEVEN])
    for batch in platform.road.to_publish(run, [TEN], Branch.LAKE):
        platform.road.publish(batch)
    for batch in platform.road.to_publish(run, [TEN], Branch.ALERTS):
        platform.road.judge(batch)
    restore_ids(platform, TEN)
    assert state_of(platform).totals == {"records": 4, "rows": 3, "duplicates": 1, "quarantined": 0}
