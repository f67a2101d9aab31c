"""Stays beside a command, and lets nothing outlive it: neither the command its parent, nor its children the command.

`python -m iota_dagster.demo.guard PARENT GRACE COMMAND…`: PARENT is the process that starts this one, GRACE the seconds
that the command has to end. Dagster's processes wait for one another when they are told to end, for up to a minute, and
its runs are in sessions of their own, where a signal to a group does not reach them. So the guard adopts whatever loses
its parent, and in the end kills everything below it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

import psutil

from iota_dagster.demo.processes import end_with_parent

_ADOPT_ORPHANS = 36  # prctl(PR_SET_CHILD_SUBREAPER)


class _Told(BaseException):
    """SIGTERM came: by hand, or because the parent is gone."""


def run(command: Sequence[str], grace: float) -> int:
    """Run the command until it ends or this process is told to; its exit code, or 128 and the number of the signal."""
    _adopt_orphans()
    signal.signal(signal.SIGTERM, _tell)
    try:
        code = _wait(subprocess.Popen(command))
    except _Told:
        code = -signal.SIGTERM
        _end(grace)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _kill_all_below()
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1)


def _tell(_number: int, _frame: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Told


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Until the command ends; the adopted that end before must be waited for as well, or they stay as zombies."""
    while (ended := os.wait())[0] != process.pid:
        pass
    process.returncode = os.waitstatus_to_exitcode(ended[1])
    return process.returncode


def _end(grace: float) -> None:
    """Ask the command to end, which may have started though nobody came to know its number."""
    children = psutil.Process().children()
    for child in children:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    psutil.wait_procs(children, grace)


def _kill_all_below() -> None:
    """Until nothing is left: what is being killed may have started another."""
    while left := psutil.Process().children(recursive=True):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1)


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    sys.exit(run(sys.argv[3:], float(sys.argv[2])))
