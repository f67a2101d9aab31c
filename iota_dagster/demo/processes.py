"""Processes that end with whoever started them, however that one ends.

`python -m iota_dagster.demo.processes PARENT COMMAND…` becomes the command, tied to the process PARENT.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

_SET_DEATH_SIGNAL = 1  # prctl(PR_SET_PDEATHSIG)


def start(command: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, so that a terminal's Ctrl-C does not reach it; its output goes to a file.

    Call it in the main thread: the system takes the end of the starting thread for the parent's.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", __name__, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Ask a process of `start` to end, and kill what is left of its group after so many seconds."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(address: str) -> bool:
    """Whether somebody listens at an address of this machine."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname, parts.port), 0.2).close()
    except OSError:
        return False
    return True


def end_with_parent(parent: int) -> None:
    """Get SIGTERM when the parent is gone (Linux), also when it was gone before this call."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_DEATH_SIGNAL, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit("the process that started this one is gone")


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])
