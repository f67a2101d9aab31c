"""One object that kills whoever reads it: the others are done, it is quarantined, in a bounded number of runs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from math import ceil, log2
from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.store import ledger, quarantine
from iota_dagster.core.store.attempts import DEAD_RUNS
from iota_dagster.core.store.schema import log_objects
from iota_dagster.platform import Platform
from tests.road.poison import MARK, poisonous, run_poisoned
from tests.road.state import check_invariants
from tests.road.world import TEN, World, drive, record, run_once
from tests.road.zygote import Zygote

OBJECTS = 21
MOST_DEATHS = DEAD_RUNS + ceil(log2(OBJECTS))
"""The whole batch may kill so many runs, then one for each time that the part with the bad object is halved."""


def objects(bad: int) -> dict[str, list[dict[str, Any]]]:
    return {
        f"ten/{number:02}": [record(f"e{number}", userAgent=MARK if number == bad else "good")]
        for number in range(OBJECTS)
    }


def statuses(platform: Platform) -> dict[str, str]:
    with platform.database.read() as connection:
        return {row.key: row.status for row in connection.execute(sa.select(log_objects.c.key, log_objects.c.status))}


def reasons(platform: Platform) -> list[tuple[str, str]]:
    with platform.database.read() as connection:
        return [(str(item["key"]), str(item["reason"])) for item in quarantine.items(connection)]


def runs_until_done(world: World, platform: Platform, zygote: Zygote) -> int:
    """Runs, each in a process of its own, until nothing is pending; how many of them died."""
    deaths = 0
    for number in range(3 * MOST_DEATHS):
        with platform.database.read() as connection:
            if not ledger.pending_hours(connection, datetime.now(UTC)):
                return deaths
        status = zygote.run(run_poisoned, world, f"run-{number}", TEN)
        assert status in (0, -signal.SIGKILL)
        deaths += status != 0
    raise AssertionError(f"{deaths} runs died, and it goes on")


@pytest.mark.parametrize("bad", [0, 10, OBJECTS - 1])
def test_an_object_that_kills_its_run_is_quarantined_alone_after_a_bounded_number_of_runs(
    world: World, platform: Platform, zygote: Zygote, bad: int
) -> None:
    world.deliver(platform, objects(bad), TEN)
    deaths = runs_until_done(world, platform, zygote)
    assert statuses(platform) == {
        key: "quarantined" if number == bad else "done" for number, key in enumerate(objects(bad))
    }
    assert reasons(platform) == [(f"ten/{bad:02}", "poison")]
    assert deaths <= MOST_DEATHS
    check_invariants(platform)


def test_two_objects_that_kill_are_both_found(world: World, platform: Platform, zygote: Zygote) -> None:
    world.deliver(platform, {"a": [record("a", userAgent=MARK)], "b": [record("b")]}, TEN)
    world.deliver(platform, {"c": [record("c")], "d": [record("d", userAgent=MARK)]}, TEN)
    runs_until_done(world, platform, zygote)
    assert statuses(platform) == {"a": "quarantined", "b": "done", "c": "done", "d": "quarantined"}


def test_a_poisonous_object_that_can_be_read_by_now_is_done_after_a_retry(
    world: World, platform: Platform, zygote: Zygote
) -> None:
    world.deliver(platform, {"a": [record("a", userAgent=MARK)], "b": [record("b")]}, TEN)
    runs_until_done(world, platform, zygote)
    with platform.database.begin() as connection:
        assert quarantine.retry(connection, reason="poison").objects == 1
    drive(platform, "retry")
    assert statuses(platform) == {"a": "done", "b": "done"}
    check_invariants(platform)


def test_a_batch_that_kills_when_it_is_done_again_is_left_as_it_is(
    world: World, platform: Platform, zygote: Zygote
) -> None:
    """A retry that was asked for must end too, or its hour would be asked for for ever."""
    world.deliver(platform, {"a": [record("a", userAgent=MARK), {"what": "is this"}], "b": [record("b")]}, TEN)
    drive(platform, "first")
    with platform.database.begin() as connection:
        assert quarantine.retry(connection, reason="unclassified").batches
    assert runs_until_done(world, platform, zygote) <= DEAD_RUNS
    assert statuses(platform) == {"a": "done", "b": "done"}
    check_invariants(platform)


def test_an_object_that_kills_a_worker_process_is_quarantined_within_the_same_run(
    world: World, opened: Callable[[World], Platform]
) -> None:
    parallel = replace(world, workers=2, inline_bytes=1)
    platform = opened(parallel)
    parallel.deliver(platform, dict(list(objects(1).items())[:4]), TEN)
    with poisonous():
        run_once(platform.road, "only", [TEN])
    assert statuses(platform) == {"ten/00": "done", "ten/01": "quarantined", "ten/02": "done", "ten/03": "done"}
    assert reasons(platform) == [("ten/01", "worker_died")]
    check_invariants(platform)
