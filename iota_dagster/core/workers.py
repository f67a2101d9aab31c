"""Worker processes: spawned, without Dagster, without credentials, dying with their parent.

A task that kills its worker (a parser's segfault, the kernel's memory killer) breaks the pool; what was under way is
then run again one by one, and the one task that kills a fresh worker of its own is named.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from iota_dagster.core.errors import IotaError

_Task = TypeVar("_Task")
_Result = TypeVar("_Result")
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "PYTHONPATH", "PYTHONHASHSEED", "VIRTUAL_ENV")
_KEPT_BY_WORKERS = {*_KEPT, "TMPDIR", "TEMP", "TMP", "ARROW_DEFAULT_MEMORY_POOL", "OMP_NUM_THREADS"}
"""What may be in any other variable is not known here: the store's URL holds its password."""


class WorkerDied(IotaError):
    """A task killed the process that worked on it."""


class WorkerPool:
    """A pool of worker processes, started on first use; `processes` 0 works in this process."""

    def __init__(self, processes: int) -> None:
        """No process is started yet."""
        self.processes = processes
        self._pool: ProcessPoolExecutor | None = None

    def close(self) -> None:
        """Stop the workers."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    def run(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], *, inline: bool = False
    ) -> Iterator[_Result | BaseException]:
        """Each task's result, or the exception it ended with, in the order of the tasks."""
        if inline or self.processes == 0:
            for task in tasks:
                yield _attempt(function, task)
            return
        futures = [self._submit(function, task) for task in tasks]
        for index, future in enumerate(futures):
            try:
                yield future.result()
            except BrokenProcessPool:
                yield from self._one_by_one(function, tasks[index:], futures[index:])
                return
            except Exception as error:
                yield error

    def _one_by_one(
        self, function: Callable[[_Task], _Result], tasks: Sequence[_Task], futures: Sequence[Future[_Result]]
    ) -> Iterator[_Result | BaseException]:
        self._restart()
        for task, future in zip(tasks, futures, strict=True):
            if future.done() and not future.cancelled() and future.exception() is None:
                yield future.result()
                continue
            try:
                yield self._submit(function, task).result()
            except BrokenProcessPool:
                self._restart()
                yield WorkerDied("the process that worked on it died")
            except Exception as error:
                yield error

    def _submit(self, function: Callable[[_Task], _Result], task: _Task) -> Future[_Result]:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self.processes, mp_context=context, initializer=_prepare_worker)
        try:
            return self._pool.submit(function, task)
        except BrokenProcessPool as error:
            broken: Future[_Result] = Future()
            broken.set_exception(error)
            return broken

    def _restart(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _attempt(function: Callable[[_Task], _Result], task: _Task) -> _Result | BaseException:
    try:
        return function(task)
    except Exception as error:
        return error


def usable_cores() -> int:
    """The cores that a container or `taskset` leaves to this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bare_environment() -> dict[str, str]:
    """The environment of a process that runs rules: no credentials, no home folder to find any in, no cloud's key."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}


def _prepare_worker() -> None:
    """Die with the parent, leave Ctrl-C to it, and forget its credentials with all that a worker does not need."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in list(os.environ):
        if name not in _KEPT_BY_WORKERS:
            del os.environ[name]
    from iota_dagster.core.light_arrow import spare_pandas  # pyarrow: here, not in whoever starts workers

    spare_pandas()
