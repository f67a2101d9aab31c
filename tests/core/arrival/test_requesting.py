"""Which hours need a run: once, by one of many sensors, ever more slowly after failures, never lost."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import Origin, register_object
from iota_dagster.core.arrival.requesting import BACKLOG_AT_ONCE, LastRun, Requesting, RunState
from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.model import BatchStatus, ObjectRef
from iota_dagster.core.store import ledger, reserved_hours
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import batches, claims, log_objects

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
TEN = hour_of(NOW)
PARTITIONS = range(TEN - 100, TEN + 3)
SECOND = timedelta(seconds=1)


@dataclass
class Scene:
    """A store, a clock that is set by hand, and runs whose state the test decides."""

    database: Database
    now: datetime = NOW
    state: RunState = RunState.NONE
    alive: bool = True
    lookups: int = 0
    requesting: Requesting = field(init=False)

    def __post_init__(self) -> None:
        self.requesting = Requesting(
            self.database,
            runs=self.runs,
            partitions=lambda: PARTITIONS,
            is_alive=lambda owner, heartbeat: self.alive,
            clock=lambda: self.now,
        )

    def runs(self, attempts: Mapping[Hour, int]) -> dict[Hour, LastRun]:
        self.lookups += 1
        return {hour: LastRun(self.state, "root") for hour in attempts}

    def add(self, name: str, hour: Hour = TEN) -> None:
        ref = ObjectRef("logs", f"year=2026/{name}", name, 10, last_modified=NOW + (hour - TEN) * timedelta(hours=1))
        with self.database.begin() as connection:
            register_object(connection, ref, Origin("trail"), self.now)

    def asked(self, after: timedelta = timedelta(0)) -> list[int]:
        """The attempts that are taken after a while."""
        self.now += after
        return [item.attempt for item in self.requesting.take(10)[0]]

    def claimed(self) -> None:
        """The run that was asked for has claimed everything."""
        with self.database.begin() as connection:
            connection.execute(sa.insert(claims).values(root_run="root", hour=TEN, claimed_at=self.now))
            connection.execute(sa.update(log_objects).values(status="claimed"))

    def batch(self, status: BatchStatus = BatchStatus.OPEN) -> None:
        values = {"delivery_hour": TEN, "status": status, "owner": "x", "heartbeat_at": NOW, "created_at": NOW}
        with self.database.begin() as connection:
            connection.execute(sa.insert(batches).values(id="b1", **values))


@pytest.fixture
def scene(store: Database) -> Scene:
    return Scene(store)


def test_an_hour_with_a_pending_object_is_asked_for_once(scene: Scene) -> None:
    scene.add("a")
    assert scene.asked() == [1]
    scene.state = RunState.WAITING
    assert scene.asked() == []
    assert scene.asked(timedelta(hours=1)) == []


def test_an_hour_without_work_is_not_asked_for(scene: Scene) -> None:
    assert scene.asked() == []


def test_of_several_sensors_one_wins_each_hour(scene: Scene) -> None:
    for hour in range(TEN - 9, TEN + 1):
        scene.add(f"object-{hour}", hour)
    taken: list[Hour] = []

    def waiting(attempts: Mapping[Hour, int]) -> dict[Hour, LastRun]:
        return dict.fromkeys(attempts, LastRun(RunState.WAITING))

    def tick() -> None:
        requests, _ = replace(scene.requesting, runs=waiting).take(100)
        taken.extend(item.hour for item in requests)

    threads = [threading.Thread(target=tick) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == list(range(TEN - 9, TEN + 1))


def test_the_newest_hour_comes_first_and_a_tick_asks_for_so_many_only(scene: Scene) -> None:
    for hour in range(TEN - 5, TEN + 1):
        scene.add(f"object-{hour}", hour)
    first, _ = scene.requesting.take(2)
    assert [(item.hour, item.recent) for item in first] == [(TEN, True), (TEN - 1, True)]
    second, _ = scene.requesting.take(10)
    assert [item.recent for item in second] == [True, False, False, False]


def test_a_backlog_is_asked_for_bit_by_bit_and_never_before_what_arrives_now(scene: Scene) -> None:
    for hour in range(TEN - 90, TEN - 20):
        scene.add(f"object-{hour}", hour)
    assert len(scene.requesting.take(100)[0]) == BACKLOG_AT_ONCE
    scene.state = RunState.WAITING
    assert scene.asked(SECOND) == []
    scene.add("live", TEN)
    assert [item.hour for item in scene.requesting.take(100)[0]] == [TEN]
    scene.claimed()
    with scene.database.begin() as connection:
        ours = log_objects.c.delivery_hour.between(TEN - 26, TEN - 21)
        connection.execute(sa.update(log_objects).where(~ours).values(status="pending"))
    scene.now += SECOND
    assert [item.hour for item in scene.requesting.take(100)[0]] == list(range(TEN - 71, TEN - 77, -1))


def test_hours_of_a_backlog_that_fail_for_long_come_after_those_that_nobody_tried(scene: Scene) -> None:
    for hour in range(TEN - 90, TEN - 30):
        scene.add(f"object-{hour}", hour)
    scene.requesting.take(100)
    scene.state = RunState.FAILED
    scene.now += timedelta(hours=1)
    taken = [item.hour for item in scene.requesting.take(100)[0]]
    assert taken == [*range(TEN - 81, TEN - 91, -1), *range(TEN - 31, TEN - 71, -1)]


def test_a_backlog_whose_runs_fail_keeps_no_room_from_the_rest(scene: Scene) -> None:
    for hour in range(TEN - 90, TEN - 30):
        scene.add(f"object-{hour}", hour)
    scene.requesting.take(100)
    scene.state = RunState.FAILED
    assert {item.hour for item in scene.requesting.take(100)[0]} == set(range(TEN - 90, TEN - 80))


def test_reserved_hours_are_left_to_who_reserved_them(scene: Scene) -> None:
    for hour in (TEN - 30, TEN - 20, TEN - 10, TEN):
        scene.add(f"object-{hour}", hour)
    with scene.database.begin() as connection:
        reserved_hours.reserve(connection, "a backfill", range(TEN - 20, TEN), NOW + 30 * SECOND)
    assert [item.hour for item in scene.requesting.take(10)[0]] == [TEN, TEN - 30]
    scene.state = RunState.WAITING
    assert scene.asked(29 * SECOND) == []
    scene.now += SECOND
    assert [item.hour for item in scene.requesting.take(10)[0]] == [TEN - 10, TEN - 20]


def test_reserved_hours_take_no_room_from_the_rest_of_a_backlog(scene: Scene) -> None:
    for hour in range(TEN - 90, TEN - 10):
        scene.add(f"object-{hour}", hour)
    with scene.database.begin() as connection:
        reserved_hours.reserve(connection, "a backfill", range(TEN - 70, TEN), NOW + 30 * SECOND)
    assert [item.hour for item in scene.requesting.take(100)[0]] == list(range(TEN - 71, TEN - 91, -1))


def test_a_look_takes_the_same_few_queries_however_many_hours_are_due(scene: Scene) -> None:
    def queries() -> int:
        seen: list[str] = []

        def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        engine = scene.database._connected()
        sa.event.listen(engine, "before_cursor_execute", note)
        assert scene.asked() == []
        sa.event.remove(engine, "before_cursor_execute", note)
        return len(seen)

    scene.state = RunState.WAITING
    scene.add("one")
    scene.asked()
    few, scene.lookups = queries(), 0
    for hour in range(TEN - 9, TEN):
        scene.add(f"object-{hour}", hour)
    scene.asked()
    scene.lookups = 0
    assert (queries(), scene.lookups) == (few, 1)


def test_an_object_that_comes_while_a_run_works_makes_the_next_run(scene: Scene) -> None:
    scene.add("a")
    assert scene.asked() == [1]
    scene.state = RunState.WORKING
    scene.add("b")
    assert scene.asked() == [], "the run has not claimed yet: it will take this one too"
    scene.claimed()
    assert scene.asked() == []
    scene.now += SECOND
    scene.add("c")
    assert scene.asked() == [2]


def test_a_request_that_was_lost_is_made_again_after_half_a_minute(scene: Scene) -> None:
    scene.add("a")
    assert scene.asked() == [1]
    assert scene.asked(29 * SECOND) == []
    assert scene.asked(2 * SECOND) == [2]


def test_an_hour_whose_runs_fail_is_asked_for_ever_more_slowly(scene: Scene) -> None:
    scene.add("a")
    assert scene.asked() == [1]
    scene.state = RunState.FAILED
    waits = []
    for _ in range(9):
        waited = 0
        while not scene.asked(10 * SECOND):
            waited += 10
        waits.append(waited + 10)
    assert waits == [10, 20, 40, 80, 160, 320, 600, 600, 600]


def test_a_new_object_in_an_hour_that_keeps_failing_waits_for_a_minute_at_most(scene: Scene) -> None:
    scene.add("a")
    scene.asked()
    scene.state = RunState.FAILED
    for _ in range(6):
        scene.asked(timedelta(minutes=10))
    scene.now += SECOND
    scene.add("b")
    assert scene.asked(30 * SECOND) == []
    assert scene.asked(30 * SECOND) != []


def test_a_run_that_ended_well_and_left_its_hour_undone_does_not_loop(scene: Scene) -> None:
    scene.add("a")
    assert scene.asked() == [1]
    scene.state = RunState.ENDED
    assert scene.asked(SECOND) == []
    assert scene.asked(10 * SECOND) == [2]
    assert scene.asked(10 * SECOND) == []


def test_a_new_object_after_a_run_that_ended_well_is_asked_for_at_once(scene: Scene) -> None:
    scene.add("a")
    scene.asked()
    scene.state = RunState.ENDED
    scene.claimed()
    scene.now += SECOND
    scene.add("b")
    assert scene.asked() == [2]


def test_a_batch_whose_owner_is_dead_is_asked_for(scene: Scene) -> None:
    scene.batch()
    assert scene.asked() == []
    scene.alive = False
    assert scene.asked() == [1]


def test_a_batch_whose_run_is_about_to_be_tried_again_is_left_to_it(scene: Scene) -> None:
    scene.add("a")
    scene.asked()
    scene.claimed()
    scene.batch()
    scene.alive = False
    scene.state = RunState.WORKING
    assert scene.asked(SECOND) == []
    scene.state = RunState.FAILED
    assert scene.asked(10 * SECOND) == [2]


def test_an_object_that_waits_for_an_outage_to_pass_is_asked_for_when_its_time_has_come(scene: Scene) -> None:
    scene.add("a")
    with scene.database.begin() as connection:
        row = connection.execute(sa.select(log_objects)).mappings().one()
        ledger.wait_out(connection, ledger.as_log_object(row), "the role cannot be assumed", scene.now)
    assert scene.asked() == []
    assert scene.asked(16 * SECOND) == [1]


def test_the_waits_for_an_outage_grow_and_end_with_the_first_success(scene: Scene) -> None:
    scene.add("a")
    waits = []
    for _ in range(8):
        with scene.database.begin() as connection:
            row = connection.execute(sa.select(log_objects)).mappings().one()
            ledger.wait_out(connection, ledger.as_log_object(row), "throttled", NOW)
            retry_at = connection.execute(sa.select(log_objects.c.retry_at)).scalar_one()
        waits.append((retry_at - NOW).total_seconds())
    assert waits == [15, 30, 60, 120, 300, 600, 600, 600]


def test_an_hour_outside_the_partitions_is_named_and_never_asked_for(scene: Scene) -> None:
    scene.add("old", TEN - 1000)
    requests, outside = scene.requesting.take(10)
    assert (requests, outside) == ([], [TEN - 1000])
