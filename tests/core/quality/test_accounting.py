"""The ledger's side of the lake's quality, on both databases: what it says that the lake holds, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from iota_dagster.core.batch.road import Branch
from iota_dagster.core.lake.expiry import bring_back
from iota_dagster.core.quality import accounting
from iota_dagster.core.quality.accounting import Accountant, Astray
from iota_dagster.core.quality.files import FileReader
from iota_dagster.core.quality.resting import LONGEST_WAIT, REST, has_rested
from iota_dagster.core.store import accounting as store
from iota_dagster.core.store.accounting import Changes
from iota_dagster.core.store.lake_catalog import LakeFile
from iota_dagster.core.store.schema import batches, log_objects
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, parser
from tests.road.world import ELEVEN, LOG_TYPE, NINE, NOW, TEN, UNKNOWN, World, drive, record

TABLE = "cloudtrail_events"


@pytest.fixture
def platform(tmp_path: Path, store_url: str) -> Iterator[Platform]:
    """An installation with two done objects of ten; one has an event of nine, a duplicate and a stranger."""
    world = World.at(tmp_path, store_url)
    with world.opened() as platform:
        first = [record("a", TEN), record("b", NINE)]
        world.deliver(platform, {"1": first, "2": [record("c", TEN), record("a", TEN), UNKNOWN]}, TEN)
        drive(platform, "run")
        yield platform


def accountant(platform: Platform, *meanwhile: Callable[[], object]) -> Accountant:
    return Accountant(platform.database, Interrupted(platform.lake, list(meanwhile)), {LOG_TYPE: TABLE})


@dataclass(frozen=True)
class Interrupted(FileReader):
    """A reader before each of whose files the next of some steps happens."""

    meanwhile: list[Callable[[], object]] = field(default_factory=list)

    def batches(self, file: LakeFile, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        return super().batches(file, columns)


def test_an_hour_that_adds_up_is_right_and_its_sums_are_those_of_its_objects(platform: Platform) -> None:
    found = accountant(platform).account(TEN)
    assert found is not None
    assert found.is_right
    assert found.totals == {"objects": 2, "records": 5, "rows": 3, "duplicates": 1, "quarantined": 1}


def test_the_ledger_says_by_batch_what_an_event_hour_holds(platform: Platform) -> None:
    with platform.database.read() as connection:
        ten, nine = (store.table_state(connection, TABLE, hour, LOG_TYPE) for hour in (TEN, NINE))
        written = [hour for hour, _ in store.written_hours(connection, TABLE)]
    assert (sum(ten.admitted.values()), sum(nine.admitted.values())) == (2, 1)
    assert ten.settled
    assert sum(file.rows for file in ten.lake.files) == 2
    assert written == [TEN, NINE]


def test_a_row_too_few_in_the_ledger_is_named_by_object(platform: Platform) -> None:
    with platform.database.begin() as connection:
        changed = sa.update(log_objects).where(log_objects.c.key == "1")
        connection.execute(changed.values(rows=1, duplicates=1))
    found = accountant(platform).account(TEN)
    assert found is not None
    assert [(item.key, item.ledger, item.lake) for item in found.astray] == [("1", 1, 2)]
    assert isinstance(found.astray[0], Astray)
    assert not found.unbalanced


def test_an_hour_whose_batch_waits_to_be_done_again_has_no_account(platform: Platform) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.text("UPDATE batches SET redo_reason = 'a test'"))
        assert not store.table_state(connection, TABLE, TEN, LOG_TYPE).settled
    assert accountant(platform).account(TEN) is None


def test_an_hour_whose_batch_could_not_be_done_again_has_an_account(platform: Platform) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.update(batches).values(redo_reason="a test", redo_blocked="missing: an object"))
        assert store.table_state(connection, TABLE, TEN, LOG_TYPE).settled
    found = accountant(platform).account(TEN)
    assert found is not None
    assert found.is_right


def test_an_hour_knows_when_batches_changed_it_since_a_look(tmp_path: Path, platform: Platform) -> None:
    first, last = NOW - timedelta(hours=7), NOW - timedelta(minutes=2)
    World.at(tmp_path, platform.settings.store_url).deliver(platform, {"3": [record("d", TEN)]}, TEN)
    drive(platform, "another")
    with platform.database.begin() as connection:
        for key, moment in {"1": first, "3": last}.items():
            mine = sa.select(log_objects.c.batch_id).where(log_objects.c.key == key)
            connection.execute(sa.update(batches).where(batches.c.id.in_(mine)).values(lake_at=moment))
    with platform.database.read() as connection:
        assert store.delivery_changes(connection, TEN, None) == Changes(first, last)
        assert store.table_changes(connection, TABLE, TEN, first) == Changes(last, last)
        assert store.table_changes(connection, TABLE, NINE, None) == Changes(first, first)
        assert store.table_changes(connection, TABLE, NINE, first) == Changes(None, None)


@pytest.mark.parametrize(
    ("first", "last", "rests"),
    [
        (None, None, True),
        (REST, REST, True),
        (LONGEST_WAIT - REST, REST / 2, False),
        (LONGEST_WAIT, timedelta(0), True),
    ],
)
def test_an_hour_rests_a_while_after_its_last_change_and_waits_no_longer_than_it_may(
    first: timedelta | None, last: timedelta | None, rests: bool
) -> None:
    changes = Changes(*(None if ago is None else NOW - ago for ago in (first, last)))
    assert has_rested(changes, NOW) is rests


def test_rows_that_retention_took_are_not_asked_for(platform: Platform) -> None:
    platform.road.lake.expire_hour(TABLE, NINE, NOW)
    found = accountant(platform).account(TEN)
    assert found is not None
    assert found.is_right
    with platform.database.read() as connection:
        assert [hour for hour, _ in store.written_hours(connection, TABLE)] == [TEN]


def two_batches(tmp_path: Path, platform: Platform) -> None:
    """Two batches of eleven with a file of ten each, and in each a row that parser two does not take."""
    world = World.at(tmp_path, platform.settings.store_url)
    for name in ("3", "4"):
        rows = [record(f"{name}-a", TEN), record(f"{name}-b", TEN, userAgent=DROPPED)]
        world.deliver(platform, {name: rows}, ELEVEN)
        drive(platform, f"run-{name}")


def test_an_hour_that_is_done_again_while_it_is_counted_has_no_account(
    tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Committed before the second batch is asked for, published while its old file is counted."""
    monkeypatch.setattr(accounting, "OBJECTS_AT_ONCE", 1)
    two_batches(tmp_path, platform)
    road = platform.road
    run = road.run_identity("again")

    def commit() -> None:
        for assignment in road.claim(run, [ELEVEN], again=True):
            road.prepare(run, assignment)

    def publish() -> None:
        for batch in road.to_publish(run, [ELEVEN], Branch.ALERTS):
            road.judge(batch)
        for batch in road.to_publish(run, [ELEVEN], Branch.LAKE):
            road.publish(batch)

    with parser(2):
        assert accountant(platform, commit, publish).account(ELEVEN) is None
    found = accountant(platform).account(ELEVEN)
    assert found is not None
    assert (found.is_right, found.totals["rows"], found.totals["quarantined"]) == (True, 2, 2)


def test_rows_that_retention_takes_while_an_hour_is_counted_are_not_asked_for(
    tmp_path: Path, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounting, "OBJECTS_AT_ONCE", 1)
    two_batches(tmp_path, platform)
    found = accountant(platform, lambda: platform.road.lake.expire_hour(TABLE, TEN, NOW)).account(ELEVEN)
    assert found is not None
    assert found.is_right


def test_rows_that_cannot_be_brought_back_are_not_asked_for_and_those_that_can_are(
    tmp_path: Path, platform: Platform
) -> None:
    two_batches(tmp_path, platform)
    platform.road.lake.expire_hour(TABLE, TEN, NOW)
    (tmp_path / "inbox" / "3").unlink()
    bring_back(platform.road.lake, TABLE, [TEN], NOW)
    drive(platform, "back")
    with platform.database.read() as connection:
        ten = store.table_state(connection, TABLE, TEN, LOG_TYPE)
    assert ten.settled
    assert len(ten.not_brought_back) == 1
    assert sum(ten.admitted.values()) == sum(file.rows for file in ten.lake.files) == 4
    found = accountant(platform).account(ELEVEN)
    assert found is not None
    assert (found.is_right, found.not_brought_back) == (True, 1)
    with platform.database.begin() as connection:
        connection.execute(sa.update(log_objects).where(log_objects.c.batch_id.is_not(None)).values(rows=7))
    found = accountant(platform).account(ELEVEN)
    assert found is not None
    assert [(item.key, item.ledger, item.lake) for item in found.astray] == [("4", 7, 2)]


def test_an_hour_is_delivered_anew_when_a_batch_of_it_is_published_again(platform: Platform) -> None:
    since = NOW - timedelta(days=1)
    with platform.database.read() as connection:
        before = store.delivered_hours(connection, since)
    drive(platform, "again", again=True, hours=[TEN])
    with platform.database.read() as connection:
        after = store.delivered_hours(connection, since)
        assert store.delivered_hours(connection, NOW + timedelta(days=365)) == {}
    assert before.keys() == after.keys() == {TEN}
    assert before != after
