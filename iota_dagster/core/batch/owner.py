"""Who works on a batch, and whether that process may still be alive."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

PATIENCE = timedelta(seconds=90)
"""How long an owner on another host may be silent before its batches are taken over. Too short costs work, no truth."""


def current_owner() -> str:
    """This process: host, pid and start, so that a reused pid is another owner."""
    return owner_of(os.getpid())


def owner_of(pid: int) -> str:
    """A process of this host, as `current_owner` names it there."""
    return f"{this_boot()}/{pid}/{_started(pid)}"


def is_here(owner: str) -> bool:
    """Whether an owner is a process of this host, since its last boot, and lives."""
    host, _, process = owner.partition("/")
    pid, _, started = process.partition("/")
    return host == this_boot() and pid.isdigit() and _started(int(pid)) == started != ""


def was_here(owner: str) -> bool:
    """Whether an owner is or was a process of this host, before its last boot or since."""
    return owner.partition("/")[0].rpartition(":")[0] == socket.gethostname()


def is_alive(owner: str, heartbeat: datetime, now: datetime | None = None) -> bool:
    """Whether an owner may still be working: asked of the system on this host, judged by its heartbeat elsewhere."""
    if owner.partition("/")[0] == this_boot():
        return is_here(owner)
    return (now or datetime.now(UTC)) - heartbeat < PATIENCE


@lru_cache(maxsize=1)
def this_boot() -> str:
    """The host, and its boot: a pid of before a reboot is nobody's, nor is a file that was not synced then."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
    except OSError:
        boot = ""
    return f"{socket.gethostname()}:{boot}"


def _started(pid: int) -> str:
    """A process's start, in the system's ticks; empty when there is none, or it is a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "" if Path("/proc").is_dir() else _signalled(pid)
    return "" if fields[0] in ("Z", "X") else fields[19]


def _signalled(pid: int) -> str:
    """For systems without `/proc`: whether the pid exists at all."""
    try:
        os.kill(pid, 0)
    except OSError:
        return ""
    return "running"
