"""Rules in processes of their own: a bad rule costs itself, not the run, and sees none of its credentials.

A worker that dies, or hangs beyond its own alarm, is replaced; what it was judging is judged again without the call
that ended it. A rule that ends several workers is left out for the rest of the batch.
"""

from __future__ import annotations

import queue
import threading
import weakref
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from iota_dagster.core.detection.key_values import MemoryValues
from iota_dagster.core.detection.processes.messages import Judge, Judged, Setup
from iota_dagster.core.detection.processes.trial import (
    DEATHS_ALLOWED,
    MATCHES_ALLOWED,
    Batch,
    Task,
    Trial,
    ran_out_of_memory,
)
from iota_dagster.core.detection.processes.worker_process import Died, WorkerProcess
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.verdict import RuleFailure, Verdict
from iota_dagster.core.errors import IotaError

__all__ = ["DEATHS_ALLOWED", "MATCHES_ALLOWED", "RuleLimits", "RuleWorkerError", "RuleWorkers", "Task"]


class RuleWorkerError(IotaError):
    """A rule worker cannot be started, for a reason that is no rule's, or is asked for after `close`."""


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """What a rule may take: wall-clock seconds for one call, bytes of memory for its worker."""

    call_seconds: float = 2.0
    memory_bytes: int = 1 << 30


@dataclass
class RuleWorkers:
    """Some rule workers over one pack, started on first use or by `warm`, and used again by the next batch.

    `codes` is a file for compiled rules: with it a worker starts faster. Without `close` the processes end with this
    object or with the interpreter.
    """

    pack: RulePack
    processes: int = 1
    limits: RuleLimits = field(default_factory=RuleLimits)
    codes: Path | None = None

    def __post_init__(self) -> None:
        self._rules = [rule for rule in self.pack.rules if rule.enabled]
        self._threads = ThreadPoolExecutor(self.processes, "rules")
        self._idle: queue.SimpleQueue[WorkerProcess] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._broken: dict[str, RuleFailure] = {}
        self._warmed = self._closed = False
        self._alive: set[WorkerProcess] = set()
        self._end = weakref.finalize(self, _close_all, self._alive)

    def warm(self) -> None:
        """Start a worker in the background, if there is none, so that it is ready when the first records come."""
        if not self._warmed:
            self._warmed = True
            self._threads.submit(lambda: self._idle.put(self._take()))

    @property
    def broken(self) -> list[RuleFailure]:
        """The rules that could not be loaded by the workers that were started so far."""
        return list(self._broken.values())

    def evaluate(
        self, tasks: Iterable[Task], values: MemoryValues | None = None, matches_allowed: int = MATCHES_ALLOWED
    ) -> Iterator[Verdict]:
        """The verdicts of one batch's tasks, in their order; tasks are taken as workers become free.

        With `values`, rules remember: what they write is put there, and the tasks are judged one after the other. A
        rule that matches more than `matches_allowed` events is left out for the rest of the batch.
        """
        batch = Batch(values, matches_allowed)
        trial = Trial(self._rules, lambda request: self._ask(request, batch), batch)
        if values is not None:
            yield from map(trial.verdict, tasks)
            return
        source = iter(tasks)
        waiting = [self._threads.submit(trial.verdict, task) for task in islice(source, 2 * self.processes)]
        try:
            yield from self._drained(waiting, source, trial)
        finally:
            for future in waiting:
                future.cancel()

    def _drained(self, waiting: list[Future[Verdict]], source: Iterator[Task], trial: Trial) -> Iterator[Verdict]:
        while waiting:
            yield waiting.pop(0).result()
            waiting += [self._threads.submit(trial.verdict, task) for task in islice(source, 1)]

    def _ask(self, request: Judge, batch: Batch) -> Judged:
        """Have a worker judge; one that is not as good as new afterwards is not used again."""
        worker = self._take()
        try:
            answer = worker.judge(request, batch.values)
        except BaseException:
            self._forget(worker)
            raise
        if ran_out_of_memory(answer.verdict) or not worker.usable:
            self._forget(worker)
        else:
            self._idle.put(worker)
        return answer

    def _take(self) -> WorkerProcess:
        """A worker that is free, or a new one."""
        while True:
            try:
                worker = self._idle.get_nowait()
            except queue.Empty:
                return self._start()
            if worker.usable:
                return worker
            self._forget(worker)

    def _forget(self, worker: WorkerProcess) -> None:
        worker.close()
        self._alive.discard(worker)

    def _start(self) -> WorkerProcess:
        """A new worker; a rule whose very import ends it is left out of it and of those to come."""
        while True:
            worker = self._new_process()
            try:
                self._note_broken(worker.load(self._setup(self._broken)))
            except Died as died:
                self._forget(worker)
                culprit = self._rules[died.rule - 1].id if 0 < died.rule <= len(self._rules) else self._culprit()
                if culprit is None or self._closed:
                    raise RuleWorkerError(f"a rule worker cannot be started: {died.how}") from None
                self._note_broken([RuleFailure(culprit, "import", died.how, 0, 1)])
            except BaseException:
                self._forget(worker)
                raise
            else:
                return worker

    def _culprit(self) -> str | None:
        """The rule without which workers can be started, found by halving; `None` when there is none such."""
        suspects = [rule.id for rule in self._rules if rule.id not in self._broken]
        if not self._loads([]) or self._loads(suspects):
            return None
        while len(suspects) > 1:
            half = suspects[: len(suspects) // 2]
            suspects = suspects[len(half) :] if self._loads(half) else half
        return suspects[0]

    def _loads(self, chosen: Collection[str]) -> bool:
        worker = self._new_process()
        try:
            worker.load(self._setup({rule.id for rule in self._rules} - set(chosen)))
        except Died:
            return False
        finally:
            self._forget(worker)
        return True

    def _new_process(self) -> WorkerProcess:
        with self._lock:
            if self._closed:
                raise RuleWorkerError("the rule workers are closed")
            worker = WorkerProcess()
            self._alive.add(worker)
            return worker

    def _setup(self, skip: Iterable[str]) -> Setup:
        return Setup(
            self._rules,
            self.pack.surroundings,
            self.limits.call_seconds,
            self.limits.memory_bytes,
            sorted(skip),
            str(self.codes or ""),
        )

    def _note_broken(self, failures: Iterable[RuleFailure]) -> None:
        with self._lock:
            for failure in failures:
                self._broken.setdefault(failure.rule_id, failure)

    def close(self) -> None:
        """End all workers, whatever they are doing; `evaluate` then raises `RuleWorkerError`."""
        with self._lock:
            self._closed = True
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in tuple(self._alive):
            worker.kill()
        self._threads.shutdown(wait=True)
        self._end()


def _close_all(workers: set[WorkerProcess]) -> None:
    while workers:
        workers.pop().close()
