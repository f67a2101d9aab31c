"""Running a command and watching what it takes: wall time, and memory over the whole process tree."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

SAMPLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """One command's run: `wall` in seconds from start to exit, `peak_pss` in bytes, and the JSON it printed."""

    wall: float
    peak_pss: int
    output: dict[str, Any]


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run a command that prints one JSON object; raises `CalledProcessError` when it fails."""
    started = time.monotonic()
    process = subprocess.Popen(command, env=dict(environment), stdout=subprocess.PIPE, text=True)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _tree_pss(process.pid))
        time.sleep(SAMPLE_SECONDS)
    wall = time.monotonic() - started
    output, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Measured(wall, peak, json.loads(output))


def _tree_pss(pid: int) -> int:
    """Proportional set size over a process and its descendants: shared pages are counted once."""
    total = 0
    try:
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
    except psutil.NoSuchProcess:
        pass
    return total
