"""A store that does not know its lake refuses to work; a lost or restored one learns from the lake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.hours import hour_folder
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.ownership import MARKER, ForeignLake, adopt
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.recovery.repair import Repair
from iota_dagster.core.sources import source_of
from iota_dagster.core.store import identity, lake_catalog
from iota_dagster.core.store.backup import backup, restore
from iota_dagster.core.store.schema import announced_generations, batches, lake_files, log_objects, retired_files
from iota_dagster.platform import Platform
from tests.damage import flip
from tests.road.state import admitted, lake_rows
from tests.road.world import LOG_TYPE, NINE, NOW, TEN, World, drive, record, run_once, sign_in

TABLE = source_of(LOG_TYPE).table
Opened = Callable[[World], Platform]


@pytest.fixture
def done(world: World, platform: Platform) -> Platform:
    """Two delivery hours, with rows of the same event hours, one of them in the lake twice over two generations."""
    world.deliver(platform, {"a": [record("a", NINE), record("b"), sign_in("c", "198.51.100.1")]}, NINE)
    drive(platform, "first")
    world.deliver(platform, {"d": [record("d", NINE), record("e")], "f": [record("a", NINE), record("g")]}, TEN)
    drive(platform, "second")
    assert compact(platform.road.lake, TABLE, TEN, lake_tables()[TABLE])
    return platform


@pytest.fixture
def bereft(world: World, done: Platform, opened: Opened, tmp_path: Path) -> Platform:
    """The same lake and log objects with an empty store."""
    return opened(replace(world, store_url=f"sqlite:///{tmp_path}/fresh.db"))


def events(platform: Platform) -> list[tuple[str, int, str]]:
    return sorted((table, hour, row.get("p_event_id") or row["match_id"]) for table, hour, row in lake_rows(platform))


def repair(platform: Platform, *, dry_run: bool = False, restored: bool = False) -> Repair:
    made = Repair(platform.road.lake, platform.state, platform.intake.spool)
    made.run(NOW, dry_run=dry_run, restored=restored)
    return made


def test_a_fresh_store_over_a_lake_of_another_refuses_before_it_claims_anything(world: World, bereft: Platform) -> None:
    world.register(bereft, ["a"], NINE)
    with pytest.raises(ForeignLake, match="iota repair"):
        run_once(bereft.road, "run", [NINE])
    with bereft.database.read() as connection:
        assert connection.execute(sa.select(log_objects.c.status)).scalars().all() == ["pending"]
        assert not connection.execute(sa.select(batches)).all()


def test_a_lake_without_a_marker_is_refused_by_a_store_that_knows_nothing_of_it(
    done: Platform, bereft: Platform
) -> None:
    done.lake.delete(MARKER)
    with pytest.raises(ForeignLake, match="no store has claimed"):
        bereft.road.lake.require_own()
    done.road.lake.require_own()  # it knows its batches: an installation from before there were markers
    with pytest.raises(ForeignLake):
        bereft.road.lake.require_own()


def other_lake(world: World, opened: Opened, tmp_path: Path) -> Platform:
    """The same store as another host sees it, or a user in another folder: with an empty lake."""
    platform = opened(world)
    lake = LocalStorage(tmp_path / "elsewhere")
    road = replace(platform.road, lake=replace(platform.road.lake, storage=lake))
    return replace(platform, lake=lake, road=road)


def test_an_empty_lake_is_refused_by_a_store_that_names_files(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    other = other_lake(world, opened, tmp_path)
    world.deliver(other, {"new": [record("new")]}, TEN)
    with pytest.raises(ForeignLake, match="is the disk mounted"):
        run_once(other.road, "run", [TEN])
    assert not any(other.lake.list(""))
    drive(done, "third")
    assert (TABLE, TEN, "111122223333:new") in events(done)


def test_a_lake_with_files_of_others_only_is_refused_too(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    other = other_lake(world, opened, tmp_path)
    other.lake.write("cloudtrail_events/year=2020/month=01/day=01/hour=00/g=0/x.parquet", b"")
    with pytest.raises(ForeignLake, match="names files that are not in the lake"):
        other.road.lake.require_own()


def test_a_lake_whose_files_have_all_expired_may_be_empty(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    other = other_lake(world, opened, tmp_path)
    with done.database.read() as connection:
        hours = lake_catalog.hours_with_files(connection)
    for table, hour in hours:
        done.road.lake.expire_hour(table, hour, NOW)
    other.road.lake.require_own()


def test_a_lost_lake_is_begun_anew_once_somebody_says_so(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    other = other_lake(world, opened, tmp_path)
    found = Repair(other.road.lake, other.state, other.intake.spool).run(NOW)
    assert {problem.rpartition(": ")[2] for problem in found.problems} == {"the files that the store names are gone"}
    with pytest.raises(ForeignLake):
        other.road.lake.require_own()
    before = events(done)
    adopt(other.database, other.lake, NOW)
    drive(other, "again", again=True, hours=[NINE, TEN])
    assert events(other) == before


def test_a_lost_lake_is_written_anew_also_while_a_rule_cannot_be_read(
    world: World, done: Platform, opened: Opened, tmp_path: Path
) -> None:
    other, before = other_lake(world, opened, tmp_path), events(done)
    (world.rules / "broken.yml").write_text("no: [yaml")
    adopt(other.database, other.lake, NOW)
    drive(other, "again", again=True, hours=[NINE, TEN])
    assert events(other) == before


def test_adopting_takes_the_lake_as_it_is(bereft: Platform) -> None:
    adopt(bereft.database, bereft.lake, NOW)
    bereft.road.lake.require_own()


def test_a_dry_run_changes_nothing(bereft: Platform) -> None:
    before = {file.path for file in bereft.lake.list("")}
    found = Repair(bereft.road.lake, bereft.state, bereft.intake.spool).run(NOW, dry_run=True)
    assert (found.hours, found.rows, found.problems) == (3, 7, [])
    assert {file.path for file in bereft.lake.list("")} == before
    assert lake_rows(bereft) == []
    with pytest.raises(ForeignLake):
        bereft.road.lake.require_own()


def test_a_lost_store_is_rebuilt_with_every_event_once(done: Platform, bereft: Platform) -> None:
    assert repair(bereft).is_own()
    assert events(bereft) == events(done)
    assert admitted(bereft) == admitted(done)
    bereft.road.lake.require_own()


def test_what_is_delivered_again_after_a_repair_is_a_duplicate(world: World, done: Platform, bereft: Platform) -> None:
    repair(bereft)
    world.put("new", [record("new"), record("b")])
    world.register(bereft, ["a", "d", "f", "new"], TEN)
    drive(bereft, "after")
    assert [key for key in events(bereft) if key not in events(done)] == [(TABLE, TEN, "111122223333:new")]
    assert len(events(bereft)) == len(events(done)) + 1
    with bereft.database.read() as connection:
        rows = connection.execute(sa.select(log_objects.c.key, log_objects.c.etag, log_objects.c.duplicates)).all()
    assert sum(row.duplicates for row in rows) == 8
    assert len([row for row in rows if row.etag.startswith("rebuilt-")]) == 3


def test_a_rebuilt_batch_that_is_done_again_stays_as_it_is(done: Platform, bereft: Platform) -> None:
    repair(bereft)
    drive(bereft, "again", again=True, hours=[NINE, TEN])
    assert events(bereft) == events(done)


def test_repairing_twice_finds_nothing_to_do(bereft: Platform) -> None:
    repair(bereft)
    found = Repair(bereft.road.lake, bereft.state, bereft.intake.spool).run(NOW)
    assert (found.hours, found.whole) == (0, 0)


def test_a_repair_that_was_interrupted_goes_on(done: Platform, bereft: Platform) -> None:
    class Stopped(Exception):
        pass

    steps: list[object] = []

    def stop(step: object) -> None:
        steps.append(step)
        if len(steps) == 3:
            raise Stopped

    with pytest.raises(Stopped):
        Repair(bereft.road.lake, bereft.state, bereft.intake.spool).run(NOW, progress=stop)
    with pytest.raises(ForeignLake):
        bereft.road.lake.require_own()
    repair(bereft)
    assert events(bereft) == events(done)
    with bereft.database.read() as connection:
        assert sum(connection.execute(sa.select(log_objects.c.rows)).scalars()) == 6


def test_a_switch_that_was_under_way_leaves_every_event_once(done: Platform, bereft: Platform) -> None:
    """The newest generation holds one of its two files; the other is in the older one only."""
    with done.database.read() as connection:
        nine = connection.execute(
            sa.select(lake_files.c.path).where(lake_files.c.table_name == TABLE, lake_files.c.hour == NINE)
        ).scalars()
        first = sorted(nine)[0]
    done.lake.copy(first, first.replace("/g=0/", "/g=7/"))
    repair(bereft)
    assert events(bereft) == events(done)
    assert admitted(bereft) == admitted(done)
    with bereft.database.read() as connection:
        assert connection.execute(sa.select(announced_generations)).all() == []


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"no parquet"), lambda path: flip(path, "p_raw")])
def test_a_damaged_file_is_named_and_the_lake_stays_foreign(bereft: Platform, damage: Callable[[Path], object]) -> None:
    path = next(file.path for file in bereft.lake.list(f"{TABLE}/"))
    local = bereft.lake.local_path(path)
    assert local
    damage(local)
    found = Repair(bereft.road.lake, bereft.state, bereft.intake.spool).run(NOW)
    assert len(found.problems) == 1
    assert f"{path} is damaged" in found.problems[0]
    assert found.hours == 2
    with pytest.raises(ForeignLake):
        bereft.road.lake.require_own()


def test_events_that_lie_in_the_spool_alone_are_taken_up_and_nobody_throws_them_away(
    done: Platform, bereft: Platform
) -> None:
    """Their messages are gone, and no integration lists the spool."""
    done.intake.spool.keep({bytes(16): b'{"id": "1"}'}, NOW, lambda connection: None)
    assert bereft.housekeeping.spool
    files = [file.path for file in bereft.housekeeping.spool.list("events/")]
    found = Repair(bereft.road.lake, bereft.state, bereft.intake.spool).run(datetime.now(UTC))
    assert found.spooled == 1
    c = log_objects.c
    with bereft.database.begin() as connection:
        rows = connection.execute(sa.select(c.status, c.integration).where(c.key.startswith("events/"))).all()
        assert [tuple(row) for row in rows] == [("pending", "queue")]
        connection.execute(sa.delete(log_objects).where(c.key.startswith("events/")))
    bereft.housekeeping.run(datetime.now(UTC) + timedelta(days=40))
    assert [file.path for file in bereft.housekeeping.spool.list("events/")] == files
    assert bereft.intake.spool.register_unknown(NOW) == 1
    assert bereft.intake.spool.register_unknown(NOW) == 0


def test_an_hour_whose_files_are_all_gone_is_named(done: Platform) -> None:
    with done.database.begin() as connection:
        identity.renew_store_id(connection)
    for file in list(done.lake.list(f"{TABLE}/{hour_folder(NINE)}/")):
        done.lake.delete(file.path)
    found = Repair(done.road.lake, done.state, done.intake.spool).run(NOW)
    assert found.problems == [f"{TABLE}, hour 2026-11-22-09:00: the files that the store names are gone"]


@pytest.mark.parametrize("noticed", [True, False], ids=["by iota restore", "by other means"])
def test_a_restored_store_learns_what_it_missed(world: World, done: Platform, noticed: bool) -> None:
    """The store forgets nothing that it knew, and takes up a batch that it never heard of."""
    world.deliver(done, {"late": [record("late"), record("later", NINE)]}, TEN)
    drive(done, "late")
    before, ids = events(done), admitted(done)
    with done.database.begin() as connection:
        (late,) = connection.execute(sa.select(log_objects.c.batch_id).where(log_objects.c.key == "late")).scalars()
        for name in ("log_objects", "admissions", "lake_members"):
            connection.execute(sa.text(f"DELETE FROM {name} WHERE batch_id = :id"), {"id": late})
        connection.execute(sa.delete(batches).where(batches.c.id == late))
        connection.execute(sa.delete(lake_files).where(lake_files.c.source == late))
        if noticed:
            identity.renew_store_id(connection)
    assert len(events(done)) == len(before) - 2
    if noticed:
        with pytest.raises(ForeignLake):
            done.road.lake.require_own()
    else:
        repair(done)
        assert len(events(done)) == len(before) - 2
        repair(done, dry_run=True, restored=True)
        assert len(events(done)) == len(before) - 2
    repair(done, restored=not noticed)
    done.road.lake.require_own()
    assert events(done) == before
    assert admitted(done) == ids
    with done.database.read() as connection:
        used = set(connection.execute(sa.select(lake_files.c.path)).scalars())
        assert not used & set(connection.execute(sa.select(retired_files.c.path)).scalars())
    world.put("again", [record("late"), record("later", NINE)])
    world.register(done, ["again"], TEN)
    drive(done, "again")
    assert events(done) == before


def test_what_was_rebuilt_is_counted_once_also_when_it_is_repaired_again(
    world: World, bereft: Platform, opened: Opened, tmp_path: Path
) -> None:
    """Its files were joined after the backup, so that the store does not know them."""
    repair(bereft)
    file = tmp_path / "backup"
    backup(bereft.settings.store_url, file)
    before = rows_by_object(bereft)
    assert compact(bereft.road.lake, TABLE, NINE, lake_tables()[TABLE])
    bereft.database.dispose()
    restore(bereft.settings.store_url, file, replace=True)
    back = opened(replace(world, store_url=bereft.settings.store_url))
    repair(back)
    assert rows_by_object(back) == before
    assert sum(before.values()) == 6


def rows_by_object(platform: Platform) -> dict[tuple[str, str], int]:
    c = log_objects.c
    with platform.database.read() as connection:
        return {(row.key, row.etag): row.rows for row in connection.execute(sa.select(c.key, c.etag, c.rows))}
