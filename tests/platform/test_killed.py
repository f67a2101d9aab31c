"""`kill -9` in the middle of the whole way: the platform ends where it would have ended without."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import dagster as dg
import psutil
import pytest

from tests.aws import Asked
from tests.platform.gate import gates
from tests.platform.installation import PATIENCE, Installation
from tests.platform.story import HOURS, story
from tests.platform.waiting import wait_until
from tests.road.state import State, assert_same

pytestmark = pytest.mark.timeout(300)
REBOOT_SECONDS = 30.0
"""Within these, a reboot's work is made good, the time that Dagster takes to start and to launch runs not counted."""


@dataclass(frozen=True)
class Moment:
    """A point of a run's way: the requests by which it is known."""

    name: str
    stops: Callable[[Installation, Asked], bool]


READING = Moment(
    "while it reads", lambda here, asked: asked.method == "GET" and asked.path.startswith(f"/{here.bucket}/AWSLogs/")
)
PUBLISHING = Moment(
    "while it writes the lake",
    lambda here, asked: asked.method == "PUT" and asked.path.startswith(f"/{here.lake}/") and "year=" in asked.path,
)
REGISTERING = Moment("while it registers in Glue", lambda here, asked: asked.action == "BatchCreatePartition")


Blow = tuple[Moment, Callable[[], object]]
"""What is done when the runs of all three hours have come to a moment."""


@dataclass(frozen=True)
class Times:
    """Seconds from the daemon's start to the last blow, and from there to the end."""

    before: float
    after: float


def tell_and_strike(installation: Installation, *blows: Blow) -> Times:
    """Tell the story, strike each blow at its moment, and wait for the story's end."""
    installation.deliver_three_times(story(), seed=2)
    stops = [partial(moment.stops, installation) for moment, _ in blows]
    with gates(installation.aws, *stops) as closed:
        start = time.monotonic()
        installation.daemon.start()
        for gate, (_, strike) in zip(closed, blows, strict=True):
            gate.wait_for(len(HOURS), installation.told)
            wait_until(lambda: len(installation.pids()) == len(HOURS), "three runs", PATIENCE, installation.told)
            struck = time.monotonic()
            strike()
            gate.open()
        installation.wait_for(story())
    times = Times(struck - start, time.monotonic() - struck)
    print(f"the last blow came after {times.before:.1f} s, all was done {times.after:.1f} s later")
    return times


def kill_runs(installation: Installation) -> None:
    """`kill -9` of all runs; the processes that they had started end by themselves."""
    runs = [psutil.Process(pid) for pid in installation.pids().values()]
    workers = [worker for run in runs for worker in run.children(recursive=True)]
    for run in runs:
        os.kill(run.pid, signal.SIGKILL)
    wait_until(lambda: not any(map(lives, workers)), "the workers have ended", 10, lambda: f"{workers}")


def lives(process: psutil.Process) -> bool:
    """Whether a process is there, and is not only waiting to be buried."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    "moments",
    [(READING, PUBLISHING), (REGISTERING,)],
    ids=lambda moments: " and ".join(moment.name for moment in moments),
)
def test_runs_that_are_killed_end_as_if_they_had_not_been(
    install: Callable[..., Installation], undisturbed: State, moments: tuple[Moment, ...]
) -> None:
    installation = install(inline_bytes=1)  # however small a batch is, its run has a worker process
    tell_and_strike(installation, *((moment, lambda: kill_runs(installation)) for moment in moments))
    assert_same(installation.state(), undisturbed)
    assert installation.daemon.stop() == []


def test_runs_go_on_when_their_code_server_and_then_their_daemon_is_killed(
    installation: Installation, undisturbed: State
) -> None:
    runs: list[set[str]] = []

    def kill_the_code_server() -> None:
        runs.append(set(installation.pids()))
        installation.daemon.kill_code_server()

    def kill_the_daemon() -> None:
        runs.append(set(installation.pids()))
        installation.daemon.kill()
        so_far = len(installation.daemon.log())
        installation.daemon.start()
        sentence = f"Collected {len(HOURS)} runs for monitoring"
        wait_until(lambda: sentence in installation.daemon.log()[so_far:], sentence, PATIENCE, installation.told)

    tell_and_strike(installation, (READING, kill_the_code_server), (PUBLISHING, kill_the_daemon))
    assert runs[0] == runs[1]
    assert runs[0] <= {run.run_id for run in installation.runs(dg.DagsterRunStatus.SUCCESS)}
    assert_same(installation.state(), undisturbed)
    assert installation.daemon.stop() == []


def test_after_a_reboot_everything_is_done_soon_without_a_hand(installation: Installation, undisturbed: State) -> None:
    def reboot() -> None:
        installation.daemon.kill_everything()
        installation.daemon.start()

    times = tell_and_strike(installation, (READING, reboot))
    assert times.after - times.before < REBOOT_SECONDS  # before: the same start, up to where the reboot came
    assert_same(installation.state(), undisturbed)
    assert installation.daemon.stop() == []
