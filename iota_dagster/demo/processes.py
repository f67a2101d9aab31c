"""Processes that end with whoever started them, however that one ends; `guard` is what runs beside them."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

_SET_DEATH_SIGNAL = 1  # prctl(PR_SET_PDEATHSIG)


def start(command: Sequence[str], log: Path, *, grace: float) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, out of reach of a terminal's Ctrl-C; its output goes to a file.

    What comes back is its guard, which ends with the command's exit code, or 128 and the number of the signal that has
    ended it. Told to end, the command has `grace` seconds. Call it in the main thread: the system takes the end of the
    starting thread for the parent's.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "iota_dagster.demo.guard", str(os.getpid()), str(grace), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def stop(guard: subprocess.Popen[bytes]) -> None:
    """End a process of `start` and all that it has started."""
    guard.terminate()
    guard.wait()


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
