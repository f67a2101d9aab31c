"""A log object that kills the process that reads it, for tests; importable by worker processes."""

from __future__ import annotations

import gzip
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from iota_dagster.core.batch import decoding
from iota_dagster.core.ingest.ingest import run_job
from tests.road.world import World, run_once

MARK = "deadly"


def ingest_or_die(job: Any) -> Any:
    """The product's own task, unless one of its objects holds the mark: then the process is gone, as in a segfault."""
    for task in job.tasks:
        if MARK.encode() in gzip.decompress(Path(task.path).read_bytes()):
            os.kill(os.getpid(), signal.SIGKILL)
    return run_job(job)


@contextmanager
def poisonous() -> Iterator[None]:
    """Let the mark kill, here or in whatever worker process it meets."""
    with patch.object(decoding, "run_job", ingest_or_die):
        yield


def run_poisoned(world: World, root: str, hour: int, again: bool = False) -> None:
    """One run in a process of its own, which may not survive it."""
    with poisonous(), world.opened() as platform:
        run_once(platform.road, root, [hour], again=again)
