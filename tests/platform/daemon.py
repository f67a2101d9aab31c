"""Dagster's real daemon on a home: started, killed in part or whole, and stopped with everything that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from iota_dagster.settings import project_file
from tests.platform.waiting import wait_until

MARK = "IOTA_CONFIG"
"""This variable's value tells the processes of an installation from all others: it names a file of the test's own."""


class Daemon:
    """The processes of one installation; they are known by their environment, whoever their parent is by now."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Nothing is started yet."""
        self._environment, self._log = dict(environment), log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the daemon, which starts its own code server; in a process group of its own."""
        command = [str(Path(sys.executable).with_name("dagster-daemon")), "run"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "-w", str(project_file("workspace.yaml"))],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """`kill -9` of the daemon alone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_code_server(self) -> None:
        """`kill -9` of the code server alone."""
        found = [process for process in self.processes() if "grpc" in process.cmdline()]
        assert found, "there is no code server"
        for process in found:
            process.kill()

    def kill_everything(self) -> None:
        """`kill -9` of every process of the installation, as a loss of power does."""
        wait_until(self._kill_what_is_there, "all processes are dead", 20, lambda: f"{self.processes()}")
        if self._process is not None:
            self._process.wait()
            self._process = None

    def stop(self) -> list[str]:
        """End the daemon as its operator would; the processes that it left behind, which are killed then."""
        if self._process is None:
            return []
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(30)
        # A code server whose daemon was killed ends 20 s after that daemon's last sign of life.
        with suppress(AssertionError):
            wait_until(lambda: not self.processes(), "all processes have ended", 60)
        left = [" ".join(process.cmdline()) for process in self.processes()]
        self.kill_everything()
        return left

    def processes(self) -> list[psutil.Process]:
        """The living processes of this installation."""
        return [process for process in psutil.process_iter() if self._is_mine(process)]

    def log(self) -> str:
        """What all daemons of this installation and their processes have said."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            alive = process.status() != psutil.STATUS_ZOMBIE
            return alive and process.environ().get(MARK) == self._environment[MARK]
        except (psutil.Error, OSError):  # gone, or somebody else's
            return False

    def _kill_what_is_there(self) -> bool:
        found = self.processes()
        for process in found:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        return not found
