"""Compaction by housekeeping, retention, hours brought back: readers beside them see every row once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.aws.glue import GlueCatalog
from iota_dagster.core.errors import Outage, SettingsError
from iota_dagster.core.hours import hour_start
from iota_dagster.core.lake.catalog import LakeCatalog
from iota_dagster.core.lake.compaction import CompactionPolicy, compact, compact_due, due
from iota_dagster.core.lake.expiry import Retention, aged, bring_back, expire_aged
from iota_dagster.core.lake.ownership import adopt
from iota_dagster.core.lake.query import query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.sources import source_of
from iota_dagster.core.store import identity
from iota_dagster.core.store.lake_catalog import LakeHour, allocate_generation, files_of, read_hour
from iota_dagster.core.store.schema import announced_generations, log_objects
from iota_dagster.housekeeping import keep_house
from iota_dagster.platform import Platform
from tests.aws import Aws
from tests.road.crash import compact_until
from tests.road.state import assert_same, lake_rows, state_of
from tests.road.world import LOG_TYPE, NINE, NOW, TEN, World, drive, record, sign_in
from tests.road.zygote import Zygote

TABLE = source_of(LOG_TYPE).table
SETTLED = NOW + timedelta(hours=4)
POLICY = CompactionPolicy(files=3)
DAYS = Retention({TABLE: 1})
AGED = NOW + timedelta(days=2)


def deliver(world: World, platform: Platform, names: list[str], root: str) -> None:
    """A batch for each name, all in the same delivery hour."""
    for name in names:
        world.deliver(platform, {name: [record(f"{name}-{index}") for index in range(3)]}, TEN)
        drive(platform, f"{root}-{name}")


def files(platform: Platform, hour: int = TEN) -> int:
    with platform.database.read() as connection:
        return len(files_of(connection, TABLE, hour))


def hour_state(platform: Platform, hour: int = TEN) -> LakeHour:
    with platform.database.read() as connection:
        return read_hour(connection, TABLE, hour)


def announced(platform: Platform) -> list[int]:
    """The generations that somebody wants to write."""
    with platform.database.read() as connection:
        return sorted(connection.execute(sa.select(announced_generations.c.generation)).scalars())


def paths(platform: Platform) -> set[str]:
    return {file.path for file in platform.lake.list("")}


def folder_of(platform: Platform) -> Path:
    """The lake's folder."""
    return Path(platform.lake.url.removeprefix("file://"))


def later(**delta: float) -> datetime:
    """Counted from what the store has just written down."""
    return datetime.now(UTC) + timedelta(**delta)


def test_only_hours_with_many_small_files_that_have_settled_are_joined(world: World, platform: Platform) -> None:
    deliver(world, platform, ["a", "b"], "run")
    assert due(platform.road.lake, POLICY, SETTLED) == []
    deliver(world, platform, ["c"], "run")
    assert due(platform.road.lake, POLICY, NOW) == []
    assert due(platform.road.lake, CompactionPolicy(files=0), SETTLED) == []
    (hour,) = due(platform.road.lake, POLICY, SETTLED)
    assert (hour.table, hour.hour, hour.files) == (TABLE, TEN, 3)


def test_a_pass_joins_and_late_files_bring_an_hour_back(world: World, platform: Platform) -> None:
    deliver(world, platform, ["a", "b", "c"], "run")
    before = state_of(platform)
    assert len(compact_due(platform.road.lake, lake_tables(), POLICY, SETTLED)) == 1
    assert files(platform) == 1
    assert_same(state_of(platform), before)
    assert compact_due(platform.road.lake, lake_tables(), POLICY, SETTLED) == []
    deliver(world, platform, ["late", "later"], "run")
    assert len(compact_due(platform.road.lake, lake_tables(), POLICY, SETTLED)) == 1
    assert files(platform) == 1


def test_large_files_stay_as_they_are_and_a_joined_one_has_a_largest_size(world: World, platform: Platform) -> None:
    deliver(world, platform, ["a", "b", "c", "d"], "run")
    before = state_of(platform)
    with platform.database.read() as connection:
        sizes = sorted(item.bytes for item in files_of(connection, TABLE, TEN))
    pair = CompactionPolicy(files=2, joined=sizes[2] + sizes[3])
    compact_due(platform.road.lake, lake_tables(), pair, SETTLED)
    assert files(platform) == 2
    compact_due(platform.road.lake, lake_tables(), CompactionPolicy(files=2, small=sizes[0]), SETTLED)
    assert files(platform) == 2
    assert_same(state_of(platform), before)


def test_one_pass_makes_as_many_files_as_the_small_ones_fill_in_one_new_generation(
    world: World, platform: Platform
) -> None:
    deliver(world, platform, list("abcdefg"), "run")
    before, first = state_of(platform), hour_state(platform)
    most = 2 * max(item.bytes for item in first.files)
    assert compact_due(platform.road.lake, lake_tables(), CompactionPolicy(files=2, joined=most), SETTLED)
    after = hour_state(platform)
    assert (first.generation, after.generation) == (0, 1)
    assert [len(item.members) for item in sorted(after.files, key=lambda item: -item.rows)] == [2, 2, 2, 1]
    assert sorted(name for item in after.files for name in item.members) == sorted(item.source for item in first.files)
    assert_same(state_of(platform), before)


def test_compaction_by_hand_keeps_to_the_largest_size_too(world: World, platform: Platform) -> None:
    deliver(world, platform, list("abcde"), "run")
    before, schema = state_of(platform), lake_tables()[TABLE]
    most = 2 * max(item.bytes for item in hour_state(platform).files)
    assert compact(platform.road.lake, TABLE, TEN, schema, most)
    assert sorted(len(item.members) for item in hour_state(platform).files) == [1, 2, 2]
    assert compact(platform.road.lake, TABLE, TEN, schema)
    assert files(platform) == 1
    assert_same(state_of(platform), before)


def cut_in_the_footer(path: Path) -> bytes:
    """A file's bytes without some of its footer's, which are as many as before."""
    data = path.read_bytes()
    return data[:-100] + b"\xff" * 50 + data[-50:]


@pytest.mark.parametrize("damaged", [lambda path: b"no parquet", cut_in_the_footer])
def test_an_hour_whose_file_is_damaged_is_left_and_the_others_go_on(
    world: World, platform: Platform, caplog: pytest.LogCaptureFixture, damaged: Callable[[Path], bytes]
) -> None:
    for name in ("a", "b", "c"):
        world.deliver(platform, {name: [record(f"{name}-9", NINE), record(f"{name}-10")]}, TEN)
        drive(platform, name)
    with platform.database.read() as connection:
        broken = files_of(connection, TABLE, NINE)[0].path
    platform.lake.write(broken, damaged(folder_of(platform) / broken))
    assert [item.hour for item in compact_due(platform.road.lake, lake_tables(), POLICY, SETTLED)] == [TEN]
    assert "2026-11-22-09:00 cannot be compacted" in caplog.text
    assert announced(platform) == []


def test_a_reader_beside_compactions_sees_every_row_once(world: World, platform: Platform) -> None:
    deliver(world, platform, ["a", "b", "c"], "run")
    stop, wrong, asked = threading.Event(), list[object](), list[int]()

    def read() -> None:
        while not stop.is_set():
            sql = f"SELECT count(*) AS rows, count(DISTINCT p_event_id) AS events FROM {TABLE}"
            (row,) = query(platform.database, platform.lake, sql, schemas=lake_tables()).to_pylist()
            asked.append(row["rows"])
            if row["rows"] != row["events"] or row["rows"] not in (9, 12, 15, 18, 21):
                wrong.append(row)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for number in range(4):
            compact_due(platform.road.lake, lake_tables(), CompactionPolicy(files=2), SETTLED)
            platform.housekeeping.run(SETTLED)
            deliver(world, platform, [f"more-{number}"], "run")
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert len(asked) > 2


def with_two_hours(world: World, platform: Platform) -> None:
    world.deliver(platform, {"a": [record("a", NINE), sign_in("b", "198.51.100.7", NINE), record("c")]}, TEN)
    drive(platform, "run")


def rows(platform: Platform, table: str = TABLE) -> list[str]:
    return sorted(row["p_event_id"] for name, _, row in lake_rows(platform) if name == table)


def test_hours_past_their_days_leave_the_lake_and_their_files_go_a_day_later(world: World, platform: Platform) -> None:
    with_two_hours(world, platform)
    lake, before = platform.road.lake, rows(platform)
    assert aged(lake, DAYS, NOW) == []
    assert aged(lake, Retention(), AGED) == []
    assert [(item.table, item.hour, item.files) for item in aged(lake, DAYS, AGED)] == [
        (TABLE, NINE, 1),
        (TABLE, TEN, 1),
    ]
    assert len(before) == 3
    assert len(expire_aged(lake, DAYS, AGED)) == 2
    assert expire_aged(lake, DAYS, AGED) == []
    assert rows(platform) == []
    assert len(list(platform.lake.list(f"{TABLE}/"))) == 2
    assert platform.housekeeping.run(AGED).lake_files == 0
    found = platform.housekeeping.run(AGED + timedelta(days=1, minutes=1), dry_run=True)
    assert (found.lake_files, found.bytes["lake_files"] > 0) == (2, True)
    assert platform.housekeeping.run(AGED + timedelta(days=1, minutes=1)).lake_files == 2
    assert list(platform.lake.list(f"{TABLE}/")) == []


def test_an_hour_expires_when_its_last_minute_is_past_its_days(world: World, platform: Platform) -> None:
    with_two_hours(world, platform)
    end = hour_start(TEN) + timedelta(days=1)
    for moment, expected in ((end - timedelta(seconds=1), []), (end, [NINE])):
        assert [item.hour for item in aged(platform.road.lake, DAYS, moment)] == expected
        assert [item.hour for item in expire_aged(platform.road.lake, DAYS, moment)] == expected


def test_a_table_without_days_of_its_own_has_those_of_the_others() -> None:
    assert Retention({"*": 3, "one": 1}).of("one") == timedelta(days=1)
    assert Retention({"*": 3, "one": 1}).of("other") == timedelta(days=3)
    assert Retention({"one": 1}).of("other") is None


def test_a_backfill_and_a_late_delivery_bring_no_row_back(world: World, platform: Platform) -> None:
    with_two_hours(world, platform)
    expire_aged(platform.road.lake, DAYS, AGED)
    drive(platform, "again", again=True, hours=[TEN])
    world.deliver(platform, {"late": [record("late"), record("a", NINE)]}, TEN)
    drive(platform, "late")
    assert rows(platform) == []
    with platform.database.read() as connection:
        counts = connection.execute(sa.select(sa.func.sum(log_objects.c.rows))).scalar_one()
    assert counts == 4  # the accounting says what was admitted


def test_a_redo_after_id_files_are_gone_too_is_no_error(world: World, platform: Platform) -> None:
    with_two_hours(world, platform)
    expire_aged(platform.road.lake, DAYS, AGED)
    assert platform.housekeeping.run(NOW + timedelta(days=40_000)).id_files == 2
    world.deliver(platform, {"copy": [record("a", NINE), record("x")]}, TEN)
    drive(platform, "copy")
    drive(platform, "again", again=True, hours=[TEN])
    assert rows(platform) == []


@pytest.mark.parametrize("ids_are_lost", [False, True])
def test_hours_that_are_wanted_back_hold_every_event_once(world: World, platform: Platform, ids_are_lost: bool) -> None:
    with_two_hours(world, platform)
    before = rows(platform)
    expire_aged(platform.road.lake, DAYS, AGED)
    if ids_are_lost:
        platform.housekeeping.run(NOW + timedelta(days=40_000))
    world.deliver(platform, {"copy": [record("a", NINE), record("x")]}, TEN)
    drive(platform, "copy")
    hours, batches = bring_back(platform.road.lake, TABLE, range(NINE, TEN + 1), AGED)
    assert hours == [NINE, TEN]
    assert len(batches) == 2
    drive(platform, "back")
    assert rows(platform) == sorted([*before, "111122223333:x"])
    assert aged(platform.road.lake, DAYS, AGED + timedelta(hours=23)) == []
    assert len(aged(platform.road.lake, DAYS, AGED + timedelta(hours=25))) == 2


def test_only_tables_of_the_lake_can_be_brought_back(platform: Platform) -> None:
    with pytest.raises(SettingsError, match="cloudtrail"):
        bring_back(platform.road.lake, "nothing", [TEN], NOW)


def test_a_dry_run_of_the_whole_pass_changes_nothing(world: World, platform: Platform) -> None:
    deliver(world, platform, [f"{number}" for number in range(8)], "run")
    before = state_of(platform)
    listed = [file.path for file in platform.lake.list("")]
    found = keep_house(platform, SETTLED + timedelta(days=400), dry_run=True)
    assert [(item.hour, item.files) for item in found.compacted] == [(TEN, 8)]
    assert found.removed.work_folders == 8
    assert found.removed.bytes["work_folders"] > 0
    assert [file.path for file in platform.lake.list("")] == listed
    assert_same(state_of(platform), before)
    done = keep_house(platform, datetime.now(UTC) + timedelta(days=30))  # counted from the commit
    assert len(done.compacted) == 1
    assert done.removed.work_folders == 8
    assert_same(state_of(platform), before)


def test_a_lake_that_does_not_answer_keeps_nothing_back_but_the_joining(world: World, platform: Platform) -> None:
    deliver(world, platform, [f"{number}" for number in range(8)], "run")
    path = folder_of(platform) / hour_state(platform).files[0].path
    path.unlink()
    path.symlink_to(path)  # no file, and nobody can say that there is none
    said: list[str] = []
    with pytest.raises(Outage):
        keep_house(platform, datetime.now(UTC) + timedelta(days=30), say=said.append)
    assert said[-1] == "joining small files"
    assert platform.housekeeping.run(datetime.now(UTC) + timedelta(days=30), dry_run=True).work_folders == 0


def test_the_pass_says_what_enters_and_what_leaves_the_catalog(world: World, platform: Platform, aws: Aws) -> None:
    deliver(world, platform, ["a"], "run")
    glue = GlueCatalog(aws.clients.glue(), aws.name("lake").replace("-", "_"))
    settings = platform.settings.model_copy(update={"lake_days": {"cloudtrail_events": 30}})
    catalog = LakeCatalog(platform.database, glue, "s3://example-lake/lake")
    said: list[str] = []
    keep_house(replace(platform, settings=settings, catalog=catalog), SETTLED + timedelta(days=400), say=said.append)
    assert said[0] == "catalog: 1 hours created, 0 updated"
    assert "catalog: 1 hours dropped" in said


def test_a_pass_over_an_empty_installation_does_nothing(platform: Platform) -> None:
    done = keep_house(platform, NOW)
    assert (done.compacted, done.expired, sum(done.removed.counts().values())) == ([], [], 0)


def test_spool_files_without_a_row_go_after_a_day_and_those_with_one_stay(platform: Platform) -> None:
    spool = platform.housekeeping.spool
    assert spool is not None
    adopt(platform.database, platform.lake, NOW)
    key = b"0123456789abcdef"
    platform.intake.spool.keep({key: b"{}"}, NOW, lambda connection: None)
    spool.write("events/2026/11/22/10/stray.jsonl.gz", b"left by a crash")
    kept = [file.path for file in spool.list("events/")]
    now = max(file.modified for file in spool.list("events/"))
    assert platform.housekeeping.run(now + timedelta(hours=23)).spool_files == 0
    found = platform.housekeeping.run(now + timedelta(hours=25), dry_run=True)
    assert (found.spool_files, found.bytes["spool_files"]) == (1, 15)
    assert platform.housekeeping.run(now + timedelta(hours=25)).spool_files == 1
    assert [file.path for file in spool.list("events/")] == [path for path in kept if "stray" not in path]


def test_ids_of_spooled_events_go_when_nobody_delivers_them_any_more(platform: Platform) -> None:
    platform.intake.spool.keep({bytes(15) + bytes([n]): b"{}" for n in range(3)}, NOW, lambda connection: None)
    assert platform.housekeeping.run(NOW + timedelta(days=38)).spooled_events == 0
    assert platform.housekeeping.run(NOW + timedelta(days=39), dry_run=True).spooled_events == 3
    assert platform.housekeeping.run(NOW + timedelta(days=39)).spooled_events == 3
    assert platform.housekeeping.run(NOW + timedelta(days=39)).spooled_events == 0


# ── generations that nobody switched to ──


def test_what_killed_writers_have_left_goes_after_two_days_and_nothing_else(
    world: World, platform: Platform, zygote: Zygote, tmp_path: Path
) -> None:
    """Killed before the first file is there, after it, and before the switch."""
    deliver(world, platform, ["a", "b", "c"], "run")
    before, there = state_of(platform), paths(platform)
    for kill_at in (0, 1, 2):
        assert zygote.run(compact_until, world, TEN, tmp_path / "trail", kill_at) == -signal.SIGKILL
    left = paths(platform) - there
    assert announced(platform) == [1, 2]
    assert {path.split("/")[-2] for path in left} == {"g=2"}
    assert platform.housekeeping.run(later(hours=47)).left_lake_files == 0
    assert paths(platform) == there | left
    found = platform.housekeeping.run(later(hours=49), dry_run=True)
    assert (found.left_lake_files, found.bytes["left_lake_files"] > 0, found.lake_files) == (1, True, 0)
    assert paths(platform) == there | left
    assert platform.housekeeping.run(later(hours=49)).left_lake_files == 1
    assert paths(platform) == there
    assert announced(platform) == []
    assert_same(state_of(platform), before)
    assert compact(platform.road.lake, TABLE, TEN, lake_tables()[TABLE])
    assert hour_state(platform).generation == 3


def test_a_slow_writer_whose_generation_was_given_up_starts_again(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Housekeeping of the day after tomorrow comes while it copies."""
    deliver(world, platform, ["a", "b", "c"], "run")
    before, upload, removed = state_of(platform), LocalStorage.upload, list[int]()

    def late(self: LocalStorage, path: str, source: Path) -> None:
        upload(self, path, source)
        if not removed:
            removed.append(platform.housekeeping.run(later(hours=49)).left_lake_files)

    monkeypatch.setattr(LocalStorage, "upload", late)
    assert compact(platform.road.lake, TABLE, TEN, lake_tables()[TABLE])
    assert removed == [1]
    assert (hour_state(platform).generation, announced(platform)) == (2, [])
    assert not any("/g=1/" in path for path in paths(platform))
    assert_same(state_of(platform), before)


def test_a_pass_that_dies_after_it_gave_a_generation_up_leaves_its_files_to_the_next(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(world, platform, ["a"], "run")
    there = paths(platform)
    leave_behind(platform)

    class Died(Exception):
        pass

    def die(*_: Any) -> None:
        raise Died

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "delete", die)
        with pytest.raises(Died):
            platform.housekeeping.run(later(hours=49))
    assert announced(platform) == []
    assert paths(platform) != there
    platform.housekeeping.run(later(hours=49))
    assert paths(platform) == there


def leave_behind(platform: Platform) -> str:
    """A copy of the hour's first file in its announced next generation."""
    with platform.database.begin() as connection:
        number = allocate_generation(connection, TABLE, TEN, datetime.now(UTC))
    path = hour_state(platform).files[0].path
    left = path.replace("/g=0/", f"/g={number}/")
    platform.lake.copy(path, left)
    return left


def test_a_generation_that_the_store_did_not_announce_is_never_touched(world: World, platform: Platform) -> None:
    """A restored store may know generations as announced that were switched to after its backup."""
    deliver(world, platform, ["a"], "run")
    left = leave_behind(platform)
    platform.lake.copy(left, left.replace("/g=1/", "/g=7/"))
    there = paths(platform)
    with platform.database.begin() as connection:
        identity.renew_store_id(connection)
    assert platform.housekeeping.run(later(days=3)).counts()["left_lake_files"] == 0
    assert paths(platform) == there


def test_files_in_use_and_those_that_wait_for_readers_are_no_strays(world: World, platform: Platform) -> None:
    """As after a repair that was killed and called again: it may have taken up a generation that was announced."""
    deliver(world, platform, ["a", "b"], "run")
    schema = lake_tables()[TABLE]
    row = {"table_name": TABLE, "hour": TEN, "generation": 0, "announced_at": later(days=-3)}
    adding = hour_state(platform).files[0].path.replace(".parquet", "-adding.parquet")
    platform.lake.write(adding, b"of somebody who has not committed it yet")
    for _ in range(2):  # current, then replaced
        with platform.database.begin() as connection:
            connection.execute(sa.insert(announced_generations), row)
        there = paths(platform)
        assert platform.housekeeping.run(later(), dry_run=True).left_lake_files == 0
        assert platform.housekeeping.run(later()).left_lake_files == 0
        assert (paths(platform), announced(platform)) == (there, [])
        platform.lake.delete(adding)
        compact(platform.road.lake, TABLE, TEN, schema)
