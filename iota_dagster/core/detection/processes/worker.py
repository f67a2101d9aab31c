"""A rule worker: a process that runs rules and nothing else. Started by `rule_workers`, never by a person.

It knows no Dagster, no pandas and no pyarrow, has no credentials in its environment and a limit on its memory. Every
quarter of the time that a call may take it looks whether the same call is still running, and ends it by an exception;
a call that swallows that is ended by whoever started the process.
"""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import resource
import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

from iota_dagster.core.detection.code_files import CodeFiles
from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.functions import Progress, RuleTimeout
from iota_dagster.core.detection.kept_code import KeptCode
from iota_dagster.core.detection.key_values import MemoryValues, Stamp, StoredValue, use
from iota_dagster.core.detection.modules import Importer
from iota_dagster.core.detection.processes.messages import (
    Ask,
    Closed,
    Judge,
    Judged,
    Ready,
    Setup,
    Told,
    decode_request,
    encode_answer,
    receive,
)
from iota_dagster.core.detection.surroundings import load_surroundings
from iota_dagster.core.detection.verdict import RuleFailure
from iota_dagster.core.garbage import collect_rarely

PROGRESS_BYTES = 24
"""Three 64-bit numbers in shared memory, see `functions.Progress`."""
LOADING = -1
"""The index of the record while rules are loaded."""
_TICKS_PER_CALL = 4


class Watch:
    """Ends a call of a rule that takes too long, from inside; ends the process when nobody waits for it any more."""

    def __init__(self, progress: Progress, seconds: float) -> None:
        self._progress, self._seconds = progress, seconds
        self._call, self._since = -1, 0.0
        self._parent = os.getppid()

    def start(self) -> None:
        """Look at the running call again and again."""
        signal.signal(signal.SIGALRM, self._look)
        tick = self._seconds / _TICKS_PER_CALL
        signal.setitimer(signal.ITIMER_REAL, tick, tick)

    def _look(self, _number: int, _frame: FrameType | None) -> None:
        if os.getppid() != self._parent:
            os._exit(1)
        call, now = self._progress[2], time.monotonic()
        if call != self._call:
            self._call, self._since = call, now
        elif self._progress[1] and now - self._since >= self._seconds:
            self._since = now
            raise RuleTimeout(f"took longer than {self._seconds:g} s")


def serve(connection: socket.socket, progress: Progress) -> None:
    """Load what the first request names, then judge until the other side is gone."""
    setup = decode_request(receive(connection))
    assert isinstance(setup, Setup)
    _limit_memory(setup.memory_bytes)
    Watch(progress, setup.call_seconds).start()
    progress[0] = LOADING
    engine, broken = _load(setup, progress)
    connection.sendall(encode_answer(Ready(broken)))
    while True:
        request = decode_request(receive(connection))
        assert isinstance(request, Judge)
        connection.sendall(encode_answer(_judge(engine, request, connection)))


def _load(setup: Setup, progress: Progress) -> tuple[Engine, list[RuleFailure]]:
    """The engine, and what of the pack is broken; it all stays, so that a search for garbage would only cost time."""
    gc.disable()
    files = KeptCode(Path(setup.codes)) if setup.codes else CodeFiles()
    importer = Importer(files)
    context, failed = load_surroundings(setup.surroundings, importer)
    engine = Engine(setup.rules, importer=importer, progress=progress, skip=setup.skip, context=context)
    if isinstance(files, KeptCode):
        files.save()
    gc.freeze()
    collect_rarely()
    gc.enable()
    return engine, [*failed, *engine.broken]


def _judge(engine: Engine, request: Judge, connection: socket.socket) -> Judged:
    if not request.remember:
        return Judged(engine.evaluate(request.log_type, request.records, request.off))
    values = MemoryValues(below=_AskedValues(connection))
    with use(values) as session:
        verdict = engine.evaluate(request.log_type, request.records, request.off, session)
    return Judged(verdict, list(values.written()))


class _AskedValues:
    """What rules remember, asked of whoever started the worker: it has the store, the worker has no access."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def read(self, key: str, before: Stamp) -> StoredValue | None:
        # The alarm of the rule that asks must not cut the talk in two.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        try:
            self._connection.sendall(encode_answer(Ask(key, before)))
            told = decode_request(receive(self._connection))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        assert isinstance(told, Told)
        return told.value


def _limit_memory(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _die_with(lifeline: int) -> None:
    """Have the kernel end this process when the other end of a pipe is closed, whatever a rule is doing then."""
    if sys.platform == "linux":
        fcntl.fcntl(lifeline, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)


def main() -> None:
    """The process; its arguments are the file descriptors of its connection, of its progress and of its lifeline."""
    _die_with(int(sys.argv[3]))
    os.register_at_fork(after_in_child=lambda: os._exit(1))  # a rule's fork would answer too
    connection = socket.socket(fileno=int(sys.argv[1]))
    progress = memoryview(mmap.mmap(int(sys.argv[2]), PROGRESS_BYTES)).cast("q")
    os.close(int(sys.argv[2]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    try:
        serve(connection, progress)
    except (Closed, ConnectionError):
        os._exit(0)


if __name__ == "__main__":
    main()
