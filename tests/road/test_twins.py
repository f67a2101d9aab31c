"""Work files that are lost, twins that work on one batch, owners that die: everything still happens once."""

from __future__ import annotations

import shutil
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import Origin, register_object
from iota_dagster.core.batch.attempts import MOST_DECODINGS
from iota_dagster.core.batch.decoding import Prepared
from iota_dagster.core.batch.prepare import Preparer
from iota_dagster.core.batch.road import Branch, Road
from iota_dagster.core.errors import ObjectMissing, Outage, WorkFilesLost
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import LogObject, ObjectRef
from iota_dagster.core.objects import ObjectReader
from iota_dagster.core.store import quarantine
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.commit import MembersChanged
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import batches, log_objects
from iota_dagster.platform import Platform
from tests.road.crash import run_until
from tests.road.parsers import parser
from tests.road.state import State, assert_same, restore_ids, state_of
from tests.road.turns import interleaved
from tests.road.world import (
    ACCOUNT,
    ELEVEN,
    LEASE_IS_OVER,
    NINE,
    NOW,
    TEN,
    UNKNOWN,
    World,
    drive,
    record,
    run_once,
    sign_in,
)
from tests.road.zygote import Zygote


def an_hour(world: World, platform: Platform) -> None:
    world.deliver(platform, {"nine/a": [record("a", NINE), sign_in("b", "198.51.100.1", NINE)]}, NINE)
    drive(platform, "before")
    world.deliver(
        platform,
        {"ten/c": [record("c"), UNKNOWN, sign_in("d", "198.51.100.2")], "ten/e": [record("a", NINE), record("c")]},
        TEN,
    )


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> State:
    """How the hour ends when nothing happens."""
    folder = tmp_path_factory.mktemp("undisturbed")
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    with world.opened() as platform:
        an_hour(world, platform)
        drive(platform, "run", hours=[TEN])
        return without_folder(state_of(platform), world)


def without_folder(state: State, world: World) -> State:
    """A state that can be compared with one of another folder: the rows name the bucket."""
    lake = {row.replace(str(world.inbox), "inbox"): count for row, count in state.lake.items()}
    return replace(state, lake=type(state.lake)(lake))


def prepared(platform: Platform) -> RunIdentity:
    """The hour up to its commit."""
    run = platform.road.run_identity("run")
    for assignment in platform.road.claim(run, [TEN], again=False):
        platform.road.prepare(run, assignment)
    return run


@pytest.mark.parametrize("judged_first", [False, True])
def test_lost_work_files_of_a_committed_batch_are_made_again(
    world: World, platform: Platform, expected: State, judged_first: bool
) -> None:
    an_hour(world, platform)
    run = prepared(platform)
    if judged_first:
        for batch in platform.road.to_publish(run, [TEN], Branch.ALERTS):
            platform.road.judge(batch)
    shutil.rmtree(world.home / "work")
    (world.home / "work/.tmp").mkdir(parents=True)
    drive(platform, "run", hours=[TEN])
    assert_same(without_folder(state_of(platform), world), expected)


def test_a_lost_disk_with_work_files_and_id_files_costs_nothing(
    world: World, platform: Platform, expected: State
) -> None:
    an_hour(world, platform)
    prepared(platform)
    for name in ("work", "state"):
        shutil.rmtree(world.home / name)
        (world.home / name / ".tmp").mkdir(parents=True)
    drive(platform, "run", hours=[TEN])
    restore_ids(platform, NINE)
    assert_same(without_folder(state_of(platform), world), expected)


def test_lost_work_files_whose_objects_are_lost_too_are_an_error_that_names_them(
    world: World, platform: Platform
) -> None:
    an_hour(world, platform)
    run = prepared(platform)
    shutil.rmtree(world.home / "work")
    (world.home / "work/.tmp").mkdir(parents=True)
    (world.inbox / "ten/c").unlink()
    (batch,) = platform.road.to_publish(run, [TEN], Branch.LAKE)
    with pytest.raises(WorkFilesLost, match="ten/c"):
        platform.road.publish(batch)
    world.put("ten/c", [record("c"), UNKNOWN, sign_in("d", "198.51.100.2")])
    drive(platform, "run", hours=[TEN])
    assert state_of(platform).totals["rows"] == 4


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("seed", range(10))
def test_a_twin_beside_a_run_changes_nothing(
    world: World, platform: Platform, expected: State, seed: int, again: bool
) -> None:
    an_hour(world, platform)
    if again:
        drive(platform, "first", hours=[TEN])
    with interleaved(seed) as turns:
        turns.run([lambda: run_once(platform.road, "twin", [TEN], again=again)] * 2)
    drive(platform, "rest")
    assert_same(without_folder(state_of(platform), world), expected)


def test_a_redo_whose_process_died_is_ended_by_another_run(
    world: World, platform: Platform, zygote: Zygote, tmp_path: Path
) -> None:
    """The process that did the batch first still lives: it is this one."""
    an_hour(world, platform)
    drive(platform, "run", hours=[TEN])
    before = state_of(platform)
    trail = tmp_path / "trail"
    with platform.database.begin() as connection:
        assert quarantine.retry(connection, reason="unclassified").batches
    platform.database.dispose()
    copy = replace(world, home=world.home)
    effects = 12  # dies after its commit; asserted below
    status = zygote.run(run_until, copy, "redo", [TEN], False, 1, trail, effects)
    assert status == -signal.SIGKILL
    with platform.database.read() as connection:
        row = connection.execute(batches.select().where(batches.c.delivery_hour == TEN)).one()
    assert (row.status, row.revision) == ("committed", 2)
    assert zygote.run(run_until, copy, "another", [TEN], False, 1, trail, None) == 0
    assert_same(state_of(platform), before)


def test_the_twin_of_another_parser_leaves_one_parsers_rows(world: World, platform: Platform) -> None:
    """During an upgrade both versions run; what the lake, the ids and the matches hold is of one of them."""
    an_hour(world, platform)
    run = prepared(platform)
    with parser(2):
        drive(platform, "two", again=True, hours=[TEN])
    for branch, publish in ((Branch.ALERTS, platform.road.judge), (Branch.LAKE, platform.road.publish)):
        for batch in platform.road.to_publish(run, [TEN], branch):
            publish(batch)
    world.deliver(platform, {"eleven/f": [record("c"), record("a", NINE)]}, ELEVEN)
    drive(platform, "rest")
    assert state_of(platform).totals["rows"] == 4


class Failing:
    """A reader that cannot have some objects; the others are read where they lie."""

    def __init__(self, reader: ObjectReader, errors: dict[str, Exception]) -> None:
        self._reader, self._errors = reader, errors

    def fetch(self, object: LogObject, target: Path) -> None:
        if object.key in self._errors:
            raise self._errors[object.key]
        self._reader.fetch(object, target)

    def head(self, bucket: str, key: str) -> ObjectRef:
        return self._reader.head(bucket, key)

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        return self._reader.list(bucket, prefix)


def elsewhere(road: Road, scratch: Path, errors: dict[str, Exception]) -> Road:
    """The same road on another host, which cannot have some objects."""
    reader = Failing(road.spool.objects, errors)
    return replace(road, spool=replace(road.spool, objects=reader, scratch=scratch, clock=road.clock))


def objects(platform: Platform) -> dict[str, tuple[str, int, bool]]:
    """By key: the status, how many records were counted, and whether it is in a batch."""
    with platform.database.read() as connection:
        found = connection.execute(log_objects.select())
        return {row.key: (row.status, row.records, row.batch_id is not None) for row in found}


def before_each_commit(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> None:
    """Do something else between the decoding of a batch and its commit."""
    decode = Preparer.decode

    def and_work(*args: Any) -> Prepared:
        prepared = decode(*args)
        work()
        return prepared

    monkeypatch.setattr(Preparer, "decode", and_work)


@pytest.mark.parametrize(
    ("error", "status"), [(Outage("the role is away"), "pending"), (ObjectMissing("b", "k", "gone"), "missing")]
)
def test_an_object_that_a_twin_lets_go_while_the_batch_is_decoded_is_not_committed_with_it(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: Exception, status: str
) -> None:
    world.deliver(platform, {"a": [sign_in("x", "198.51.100.1")], "b": [sign_in("y", "198.51.100.2")]}, TEN)
    run = platform.road.run_identity("run")
    (assignment,) = platform.road.claim(run, [TEN], again=False)
    twin = elsewhere(platform.road, tmp_path / "twin", {"a": error})
    before_each_commit(monkeypatch, lambda: twin.fetch(assignment))
    platform.road.prepare(run, assignment)
    (batch,) = platform.road.to_publish(run, [TEN], Branch.ALERTS)
    judged = platform.road.judge(batch)
    platform.road.publish(batch)
    assert [match.event_id for match in judged.judgement.matches] == [f"{ACCOUNT}:y"]
    assert objects(platform) == {"a": (status, 0, False), "b": ("done", 1, True)}
    world.register(platform, ["a"], TEN)
    with world.opened(LEASE_IS_OVER) as later:
        drive(later, "later")
        assert state_of(later).totals["rows"] == 2


def test_a_batch_that_changes_under_each_decoding_is_left_to_a_later_run(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    keys = [f"a{number}" for number in range(8)]
    world.deliver(platform, {key: [record(key)] for key in keys}, TEN)
    run = platform.road.run_identity("run")
    (assignment,) = platform.road.claim(run, [TEN], again=False)
    gone: dict[str, Exception] = {}

    def one_more_goes() -> None:
        gone[keys[len(gone)]] = ObjectMissing("b", "k", "gone")
        elsewhere(platform.road, tmp_path / f"twin{len(gone)}", gone).fetch(assignment)

    with monkeypatch.context() as patch:
        before_each_commit(patch, one_more_goes)
        with pytest.raises(MembersChanged, match=assignment.batch.id):
            platform.road.prepare(run, assignment)
    assert len(gone) == MOST_DECODINGS
    with platform.database.read() as connection:
        assert connection.execute(batches.select()).one().attempts == 0
    drive(platform, "run", hours=[TEN])
    assert sorted(status for status, _, _ in objects(platform).values()) == ["done"] * 4 + ["missing"] * 4


def test_every_batch_of_a_run_has_a_heartbeat_while_one_of_them_is_worked_on(world: World, platform: Platform) -> None:
    """Seen from another host, one that waits for its turn must not look like a dead run's."""
    an_hour(world, platform)
    world.deliver(platform, {"eleven/f": [record("c")]}, ELEVEN)
    beaten = threading.Event()
    moments = iter([NOW, NOW])

    def clock() -> datetime:
        """Called for every beat: at the second one the first was written."""
        if next(moments, None) is None:
            beaten.set()
        return LEASE_IS_OVER

    run = platform.road.run_identity("run")
    platform.road.claim(run, [TEN, ELEVEN], again=False)
    with replace(platform.road, clock=clock, heartbeat=timedelta(milliseconds=1)).at_work(run):
        assert beaten.wait(60)
    with platform.database.read() as connection:
        found = {row.status: row.heartbeat_at for row in connection.execute(batches.select())}
        unfinished = connection.execute(batches.select().where(batches.c.status == "open")).all()
    assert [row.heartbeat_at for row in unfinished] == [LEASE_IS_OVER] * 2
    assert found["done"] == NOW


class Away:
    """A store that does not answer its next write transactions."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        begin = Database.begin
        away = self

        def answer(database: Database) -> AbstractContextManager[sa.Connection]:
            if away.left:
                away.left -= 1
                raise Outage("the store is away")
            return begin(database)

        monkeypatch.setattr(Database, "begin", answer)


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize(("failures", "counted"), [(3, 0), (4, 1)])
def test_an_attempt_that_ends_while_the_store_is_away_is_taken_back_when_it_answers(
    world: World, platform: Platform, monkeypatch: pytest.MonkeyPatch, failures: int, counted: int, again: bool
) -> None:
    an_hour(world, platform)
    if again:
        drive(platform, "first", hours=[TEN])
    store = Away(monkeypatch)
    road = replace(platform.road, forgive_waits=(0, 0, 0))
    run = road.run_identity("run")
    (assignment,) = road.claim(run, [TEN], again=again)

    def fail() -> None:
        store.left = failures
        raise ValueError("what really happened")

    with monkeypatch.context() as patch:
        before_each_commit(patch, fail)
        with pytest.raises(ValueError, match="what really happened"):
            road.prepare(run, assignment)
    assert store.left == 0
    with platform.database.read() as connection:
        found = connection.execute(batches.select().where(batches.c.id == assignment.batch.id)).one()
    assert found.attempts == counted


def test_a_batch_that_cannot_be_finished_does_not_keep_a_backfill_from_the_others(
    world: World, platform: Platform
) -> None:
    an_hour(world, platform)
    prepared(platform)
    shutil.rmtree(world.home / "work")
    (world.home / "work/.tmp").mkdir(parents=True)
    for key in ("ten/c", "ten/e"):
        (world.inbox / key).unlink()
    run = platform.road.run_identity("backfill")
    claimed = platform.road.claim(run, [NINE, TEN], again=True)
    assert [(item.batch.delivery_hour, item.redo) for item in claimed] == [(NINE, True), (TEN, False)]
    for assignment in claimed:
        platform.road.prepare(run, assignment)
    redone, lost = platform.road.to_publish(run, [NINE, TEN], Branch.LAKE)
    assert platform.road.publish(redone).rows
    with pytest.raises(WorkFilesLost, match="ten/c"):  # the run fails, and names it
        platform.road.publish(lost)


def test_content_that_comes_back_after_it_was_overwritten_is_read(world: World, platform: Platform) -> None:
    first, second = [record("a")], [record("b")]
    world.deliver(platform, {"x": first}, TEN)
    old = platform.objects.head(f"{SCHEME}{world.inbox}", "x")
    world.deliver(platform, {"x": second}, TEN)
    drive(platform, "run")
    assert status_counts(platform) == [("done", 1), ("superseded", 1)]
    world.deliver(platform, {"x": first}, TEN)
    drive(platform, "again")
    assert status_counts(platform) == [("done", 2)]
    assert state_of(platform).totals["rows"] == 2
    assert platform.objects.head(old.bucket, old.key).etag == old.etag


def test_an_old_notice_of_an_overwritten_object_ends_where_it_was(world: World, platform: Platform) -> None:
    world.deliver(platform, {"x": [record("a")]}, TEN)
    old = platform.objects.head(f"{SCHEME}{world.inbox}", "x")
    world.put("x", [record("b")])
    drive(platform, "run")
    lake = state_of(platform).lake
    for number in range(3):
        with platform.database.begin() as connection:
            assert register_object(connection, old, Origin("inbox", ACCOUNT, "us-east-1"), NOW)
        drive(platform, f"notice-{number}")
        assert state_of(platform).lake == lake
        assert status_counts(platform) == [("done", 1), ("superseded", 1)]


def status_counts(platform: Platform) -> list[tuple[str, int]]:
    with platform.database.read() as connection:
        return sorted(Counter(connection.execute(sa.select(log_objects.c.status)).scalars()).items())
