"""The run launcher: it knows whether a run's process lives, tells when one has died, and ends one when asked."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from dagster._core.test_utils import create_run_for_test

from iota_dagster import launcher
from iota_dagster.core.batch.owner import current_owner, owner_of
from iota_dagster.launcher import COMMAND_TAG, PROCESS_TAG, LocalRunLauncher

SLEEP = [sys.executable, "-c", "print(flush=True); import time; time.sleep(60)"]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(
        "telemetry: {enabled: false}\nrun_launcher: {module: iota_dagster.launcher, class: LocalRunLauncher}\n"
    )
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEP, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it has come to its sleep
        yield process
        process.kill()


def launcher_of(instance: dg.DagsterInstance) -> LocalRunLauncher:
    launcher = instance.run_launcher
    assert isinstance(launcher, LocalRunLauncher)
    return launcher


def started_run(instance: dg.DagsterInstance, owner: str) -> dg.DagsterRun:
    run: dg.DagsterRun = create_run_for_test(
        instance, job_name="ingest", status=dg.DagsterRunStatus.STARTED, tags={PROCESS_TAG: owner}
    )
    return run


@pytest.mark.parametrize(
    ("owner", "status"),
    [
        (current_owner(), WorkerStatus.RUNNING),
        (current_owner().rpartition("/")[0] + "/1", WorkerStatus.FAILED),
        (f"another-host:00000000/{os.getpid()}/1", WorkerStatus.FAILED),
        ("", WorkerStatus.FAILED),
    ],
    ids=["it lives", "its pid is another's now", "it was before the last boot", "it never started"],
)
def test_a_run_lives_only_while_its_process_does(owner: str, status: WorkerStatus) -> None:
    run = dg.DagsterRun(job_name="ingest", tags={PROCESS_TAG: owner})
    assert LocalRunLauncher().check_run_worker_health(run).status == status


@pytest.mark.parametrize(
    ("owner", "status"),
    [
        (current_owner(), WorkerStatus.RUNNING),
        (current_owner().rpartition("/")[0] + "/1", WorkerStatus.FAILED),
        (f"{socket.gethostname()}:00000000/{os.getpid()}/1", WorkerStatus.FAILED),
        (f"another-host:00000000/{os.getpid()}/1", WorkerStatus.RUNNING),
    ],
    ids=["it lives", "its pid is another's now", "it was before the last boot", "nobody here can know"],
)
def test_a_command_is_judged_on_its_own_host_only(owner: str, status: WorkerStatus) -> None:
    run = dg.DagsterRun(job_name="ingest", tags={PROCESS_TAG: owner, COMMAND_TAG: "1"})
    assert LocalRunLauncher().check_run_worker_health(run).status == status


def test_a_run_whose_process_was_killed_has_failed_at_once(
    instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]
) -> None:
    run = started_run(instance, owner_of(sleeper.pid))
    sleeper.kill()
    launcher_of(instance)._watch(run.run_id, sleeper.pid)
    failed = instance.get_run_by_id(run.run_id)
    assert failed is not None
    assert failed.status is dg.DagsterRunStatus.FAILURE


def test_a_run_that_has_ended_well_stays_so_when_its_process_ends(
    instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]
) -> None:
    run = create_run_for_test(instance, job_name="ingest", status=dg.DagsterRunStatus.SUCCESS)
    sleeper.kill()
    launcher_of(instance)._watch(run.run_id, sleeper.pid)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.SUCCESS


def test_terminating_a_run_interrupts_its_process(
    instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes]
) -> None:
    run = started_run(instance, owner_of(sleeper.pid))
    assert launcher_of(instance).terminate(run.run_id)
    assert sleeper.wait(10) in (-signal.SIGINT, 1)
    canceling = instance.get_run_by_id(run.run_id)
    assert canceling is not None
    assert canceling.status is dg.DagsterRunStatus.CANCELING
    assert not launcher_of(instance).terminate(run.run_id)


def test_terminating_a_run_whose_process_has_just_ended_harms_nobody(
    instance: dg.DagsterInstance, sleeper: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started_run(instance, owner_of(sleeper.pid))
    sleeper.kill()
    sleeper.wait(10)
    monkeypatch.setattr(launcher, "_lives", lambda _: True)  # it did when `terminate` looked
    assert launcher_of(instance).terminate(run.run_id)
    launcher_of(instance)._watch(run.run_id, sleeper.pid)
    ended = instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.is_finished
