"""Rules in processes of their own: a bad rule costs itself, not the run, and sees none of its credentials.

A worker that dies, or hangs beyond its own alarm, is replaced; what it was judging is judged again without the call
that ended it. A rule that ends several workers is left out for the rest of the batch.
"""

from __future__ import annotations

import mmap
import queue
import select
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from iota_dagster.core.detection.key_values import MemoryValues, StoredValue, Values
from iota_dagster.core.detection.messages import (
    LARGEST_ANSWER,
    Answer,
    Ask,
    Closed,
    Judge,
    Judged,
    Ready,
    Request,
    Setup,
    Told,
    decode_answer,
    encode_request,
    receive,
)
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.verdict import RuleFailure, Verdict
from iota_dagster.core.detection.worker import PROGRESS_BYTES
from iota_dagster.core.errors import IotaError
from iota_dagster.core.workers import bare_environment

DEATHS_ALLOWED = 3
"""How many workers a rule may end before it is left out for the rest of a batch."""
_LOOK_EVERY = 0.5
_GRACE = 3
"""A call that is still running after so many times its limit has swallowed its own alarm."""


class RuleWorkerError(IotaError):
    """A rule worker cannot be started or ends without a rule having run."""


@dataclass(frozen=True, slots=True)
class RuleLimits:
    """What a rule may take: wall-clock seconds for one call, bytes of memory for its worker."""

    call_seconds: float = 2.0
    memory_bytes: int = 1 << 30


@dataclass(frozen=True, slots=True)
class Task:
    """Records of one log type to be judged together."""

    log_type: str
    records: list[bytes]


@dataclass
class _Died(Exception):
    """A worker ended while a rule (its number, 0: none) judged a record."""

    index: int
    rule: int
    how: str


class _Worker:
    """One process and the line to it."""

    def __init__(self, setup: Setup) -> None:
        self._limit = setup.call_seconds
        ours, theirs = socket.socketpair()
        with tempfile.TemporaryFile() as shared:
            shared.truncate(PROGRESS_BYTES)
            self._map = mmap.mmap(shared.fileno(), PROGRESS_BYTES)
            fds = theirs.fileno(), shared.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "iota_dagster.core.detection.worker", *map(str, fds)],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=bare_environment(),
            )
        theirs.close()
        self._connection = ours
        self._progress = memoryview(self._map).cast("q")
        self.broken: list[RuleFailure] = []
        try:
            answer = self.ask(setup)
        except BaseException:
            self.close()
            raise
        if isinstance(answer, Ready):
            self.broken = answer.broken

    def ask(self, request: Request, values: Values | None = None) -> Answer:
        """The answer to a request; `_Died` when the process ends or hangs instead.

        What rules ask meanwhile of what they remember is read from `values`.
        """
        try:
            answer = self._exchange(request)
            while isinstance(answer, Ask):
                told = values.read(answer.key, answer.before) if values else None
                answer = self._exchange(Told(told))
            return answer
        except (Closed, ConnectionError) as error:
            raise self._died(f"its process died: {error}") from None
        except msgspec.DecodeError as error:
            raise self._died(f"its process answered nonsense: {error}") from None

    def _exchange(self, request: Request) -> Answer:
        self._connection.sendall(encode_request(request))
        self._wait()
        return decode_answer(receive(self._connection, LARGEST_ANSWER))

    def _wait(self) -> None:
        """Until there is an answer; a call that does not come back ends the process."""
        call, since = -1, time.monotonic()
        while not select.select([self._connection], [], [], _LOOK_EVERY)[0]:
            now = time.monotonic()
            if self._progress[2] != call or not self._progress[1]:
                call, since = self._progress[2], now
            elif now - since > _GRACE * self._limit:
                raise self._died(f"did not come back after {now - since:.0f} s; its process was ended")

    def _died(self, how: str) -> _Died:
        died = _Died(int(self._progress[0]), int(self._progress[1]), how)
        self.close()
        return died

    def close(self) -> None:
        """End the process, if it has not ended by itself."""
        self._connection.close()
        self._process.kill()
        self._process.wait()


@dataclass
class RuleWorkers:
    """Some rule workers over one pack, started on first use or by `warm`, and used again by the next batch."""

    pack: RulePack
    processes: int = 1
    limits: RuleLimits = field(default_factory=RuleLimits)

    def __post_init__(self) -> None:
        self._rules = [rule for rule in self.pack.rules if rule.enabled]
        self._threads = ThreadPoolExecutor(self.processes, "rules")
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._broken: dict[str, RuleFailure] = {}
        self._warmed = False

    def warm(self) -> None:
        """Start a worker in the background, if there is none, so that it is ready when the first records come."""
        if not self._warmed:
            self._warmed = True
            self._threads.submit(lambda: self._idle.put(self._take()))

    @property
    def broken(self) -> list[RuleFailure]:
        """The rules that could not be loaded by the workers that were started so far."""
        return list(self._broken.values())

    def evaluate(self, tasks: Iterable[Task], values: MemoryValues | None = None) -> Iterator[Verdict]:
        """The verdicts of one batch's tasks, in their order; tasks are taken as workers become free.

        With `values`, rules remember: what they write is put there, and the tasks are judged one after the other.
        """
        batch = _Batch(values)
        if values is not None:
            yield from (self._judge(task, batch) for task in tasks)
            return
        waiting: list[Future[Verdict]] = []
        source = iter(tasks)
        for task in islice(source, 2 * self.processes):
            waiting.append(self._threads.submit(self._judge, task, batch))
        while waiting:
            yield waiting.pop(0).result()
            for task in islice(source, 1):
                waiting.append(self._threads.submit(self._judge, task, batch))

    def _judge(self, task: Task, batch: _Batch) -> Verdict:
        """One task's verdict, however many workers it takes."""
        off: set[tuple[int, int]] = set()
        ended: list[RuleFailure] = []
        while True:
            worker = self._take()
            request = Judge(task.log_type, task.records, sorted(off | batch.off()), batch.values is not None)
            try:
                answer = worker.ask(request, batch.values)
            except _Died as died:
                off.add((died.index, died.rule))
                ended.append(self._blame(died, batch))
                continue
            assert isinstance(answer, Judged)
            batch.remember(answer.written)
            self._give_back(worker, answer.verdict)
            return Verdict(answer.verdict.matches, [*answer.verdict.failures, *ended])

    def _give_back(self, worker: _Worker, verdict: Verdict) -> None:
        """For the next task; one that ran out of memory may still be full of what some rule keeps."""
        if any(failure.error.startswith(MemoryError.__name__) for failure in verdict.failures):
            worker.close()
        else:
            self._idle.put(worker)

    def _blame(self, died: _Died, batch: _Batch) -> RuleFailure:
        """The rule that ended a worker; `RuleWorkerError` when none was running, or it was an accident of ours."""
        if not 0 < died.rule <= len(self._rules) or died.index < 0:
            raise RuleWorkerError(f"a rule worker ended without a rule's doing: {died.how}")
        batch.note_death(died.rule)
        return RuleFailure(self._rules[died.rule - 1].id, "rule", died.how, died.index, 1)

    def _take(self) -> _Worker:
        """A worker that is free, or a new one."""
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return self._start()

    def _start(self) -> _Worker:
        """A new worker; a rule whose very import ends it is left out of it and of those to come."""
        while True:
            setup = Setup(
                self._rules,
                self.pack.surroundings,
                self.limits.call_seconds,
                self.limits.memory_bytes,
                sorted(self._broken),
            )
            try:
                worker = _Worker(setup)
            except _Died as died:
                if not 0 < died.rule <= len(self._rules):
                    raise RuleWorkerError(f"a rule worker cannot be started: {died.how}") from None
                self._note_broken([RuleFailure(self._rules[died.rule - 1].id, "import", died.how, 0, 1)])
                continue
            self._note_broken(worker.broken)
            return worker

    def _note_broken(self, failures: Iterable[RuleFailure]) -> None:
        with self._lock:
            for failure in failures:
                self._broken.setdefault(failure.rule_id, failure)

    def close(self) -> None:
        """End all workers."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        while not self._idle.empty():
            self._idle.get().close()


class _Batch:
    """What the tasks of one batch share: the rules that it has had enough of, and what its rules remember."""

    def __init__(self, values: MemoryValues | None = None) -> None:
        self.values = values
        self._deaths: Counter[int] = Counter()
        self._lock = threading.Lock()

    def remember(self, written: Iterable[tuple[str, StoredValue]]) -> None:
        """Keep what the rules wrote while a task was judged."""
        for key, stored in written:
            if self.values is not None:
                self.values.write(key, stored.stamp, stored.value, stored.expires_at)

    def note_death(self, rule: int) -> None:
        """A rule has ended a worker."""
        with self._lock:
            self._deaths[rule] += 1

    def off(self) -> set[tuple[int, int]]:
        """What no worker is to call any more, as in `Engine.evaluate`."""
        with self._lock:
            return {(-1, rule) for rule, count in self._deaths.items() if count >= DEATHS_ALLOWED}
