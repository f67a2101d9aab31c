"""The run launcher of one host: runs start warm, and it is known when one is gone.

Dagster's default launcher starts a new interpreter per run, which imports for seconds what a run then needs for less
than one; and it cannot tell whether a run's process lives, so that after a reboot a run would stay STARTED, and hold
its hour, until its maximum run time. This one forks runs from a server that has imported everything (see `run_server`),
reports a process that died at once, and after a restart tells run monitoring which runs are gone. Runs do not depend
on the code server: they go on when it ends. The daemon and the webserver import this module too: keep it light.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dagster import DagsterRun
from dagster._config import UserConfigSchema
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, serialize_value
from dagster._serdes.config_class import ConfigurableClassData

from iota_dagster import run_server
from iota_dagster.core.batch.owner import is_here, owner_of, was_here

PROCESS_TAG = "iota/process"
"""On a run: its process, by host, boot, pid and start."""
COMMAND_TAG = "iota/command"
"""On a run inside a command, which nobody launched: on whichever host somebody has typed it."""


class LocalRunLauncher(RunLauncher, ConfigurableClass):
    """Starts runs as processes of this host, and knows whether they live."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        """Nothing is started before the first run."""
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What dagster.yaml says of the launcher."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """No settings."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> LocalRunLauncher:
        """The launcher that dagster.yaml asks for."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run's process and watch it."""
        run_id = context.dagster_run.run_id
        pid = run_server.start(run_id, serialize_value(self._instance.get_ref()))
        self._instance.add_run_tags(run_id, {PROCESS_TAG: owner_of(pid)})
        threading.Thread(target=self._watch, args=(run_id, pid), name=f"watch {run_id}", daemon=True).start()

    def _watch(self, run_id: str, pid: int) -> None:
        """Wait for a process's end: a run it left unfinished has failed. Without pidfd (not Linux) monitoring tells."""
        if not hasattr(os, "pidfd_open"):
            return
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            handle = None
        if handle is not None:
            select.select([handle], [], [])
            os.close(handle)
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, f"its process (pid {pid}) ended before the run did")

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run; it ends as cancelled. False when there is nothing to interrupt."""
        run = self._instance.get_run_by_id(run_id) if self.has_instance else None
        if run is None or run.is_finished or not _lives(run):
            return False
        self._instance.report_run_canceling(run)
        with suppress(ProcessLookupError):  # it has just ended: whoever watches it tells how
            os.kill(_pid(run), signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: this is what makes run monitoring look."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives; of a command on another host nobody knows, its maximum run time counts."""
        if _lives(run) or _is_elsewhere(run):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "its process is gone")


def _lives(run: DagsterRun) -> bool:
    return is_here(run.tags.get(PROCESS_TAG, ""))


def _is_elsewhere(run: DagsterRun) -> bool:
    return COMMAND_TAG in run.tags and not was_here(run.tags.get(PROCESS_TAG, ""))


def _pid(run: DagsterRun) -> int:
    return int(run.tags[PROCESS_TAG].split("/")[1])
