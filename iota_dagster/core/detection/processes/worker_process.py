"""One rule worker as its owner sees it: a process, the line to it, and where it stands.

Nothing that the process does costs its owner more than the process: it may die, hang, stop talking or talk nonsense.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from iota_dagster.core.detection.key_values import EarlierValues
from iota_dagster.core.detection.processes.messages import (
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
from iota_dagster.core.detection.processes.worker import PROGRESS_BYTES
from iota_dagster.core.detection.verdict import RuleFailure
from iota_dagster.core.workers import bare_environment

_LOOK_EVERY = 0.5
_GRACE = 3
"""A call that is still running after so many times its limit has swallowed its own alarm."""
_PR_SET_DUMPABLE = 4
_STALLED = 60.0
"""Seconds after which a process that runs no rule and does not answer is given up."""


@dataclass
class Died(Exception):
    """A worker ended, or was ended, while a rule (its number, 0: none, or which is not certain) judged a record."""

    index: int
    rule: int
    how: str


def _shut_memory() -> None:
    """Close this process's environment and memory in /proc to others of its user, such as rules. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0)


class WorkerProcess:
    """A process and the line to it. `load` comes first; whatever raises `Died` has closed it."""

    def __init__(self) -> None:
        _shut_memory()
        with ExitStack() as stack, tempfile.TemporaryFile() as shared:
            shared.truncate(PROGRESS_BYTES)
            ours, theirs = map(stack.enter_context, socket.socketpair())
            lifeline, self._lifeline = os.pipe()
            stack.callback(os.close, self._lifeline)
            fds = theirs.fileno(), shared.fileno(), lifeline
            try:
                self._process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "iota_dagster.core.detection.processes.worker", *map(str, fds)],
                    pass_fds=fds,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    env=bare_environment(),
                    process_group=0,
                )
            finally:
                os.close(lifeline)
            theirs.close()
            self._map = mmap.mmap(shared.fileno(), PROGRESS_BYTES)
            self._ours = stack.pop_all()
        self._connection, self._progress = ours, memoryview(self._map).cast("q")
        self._limit, self._room, self._loaded = _STALLED, 0, 0
        self._killed = False

    def load(self, setup: Setup) -> list[RuleFailure]:
        """Load rules; those that cannot be loaded."""
        self._limit = setup.call_seconds
        answer = self._ask(setup, None)
        if not isinstance(answer, Ready):
            raise self._died("answered out of turn", certain=False)
        self._loaded = self._memory()
        self._room = setup.memory_bytes - self._loaded
        return answer.broken

    def judge(self, request: Judge, values: EarlierValues | None = None) -> Judged:
        """The answer to a request; what rules ask meanwhile of what they remember is read from `values`."""
        answer = self._ask(request, values)
        if not isinstance(answer, Judged):
            raise self._died("answered out of turn", certain=False)
        return answer

    @property
    def usable(self) -> bool:
        """Whether it is alive, and its rules have not filled half of the memory that was left when it was loaded."""
        return self._process.poll() is None and self._memory() - self._loaded <= self._room // 2

    def _memory(self) -> int:
        """The bytes of address space that it has taken; 0 where the system does not tell."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        except OSError:
            return 0
        return int(pages[0]) * mmap.PAGESIZE if pages else 0

    def _ask(self, request: Request, values: EarlierValues | None) -> Answer:
        try:
            answer = self._exchange(request)
            while isinstance(answer, Ask):
                told = values.read(answer.key, answer.before) if values else None
                answer = self._exchange(Told(told))
            return answer
        except (Closed, ConnectionError) as error:
            end = self._end()
            how = f"ended its process ({end})" if end else f"broke the line to its process: {error}"
            raise self._died(how, certain=bool(end)) from None
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise self._died(f"its process answered nonsense: {error}", certain=False) from None
        except OSError as error:
            raise self._died(f"its process stopped talking: {error}", certain=False) from None
        except BaseException:
            self.close()
            raise

    def _exchange(self, request: Request) -> Answer:
        self._connection.settimeout(_STALLED)
        self._connection.sendall(encode_request(request))
        self._wait()
        self._connection.settimeout(max(1.0, _GRACE * self._limit))  # an answer that has begun is all there
        return decode_answer(receive(self._connection, LARGEST_ANSWER))

    def _wait(self) -> None:
        """Until there is an answer; a call that does not come back ends the process."""
        poll = select.poll()
        poll.register(self._connection, select.POLLIN)
        seen, since = (0, 0), time.monotonic()
        while not poll.poll(1000 * min(_LOOK_EVERY, self._limit)):
            now, running = time.monotonic(), (self._progress[2], self._progress[1])
            if running != seen:
                seen, since = running, now
            elif now - since > (_GRACE * self._limit if running[1] else _STALLED):
                raise self._died(f"did not come back after {now - since:.1f} s; its process was ended")

    def _end(self) -> str:
        """How the process ended; "" when it has not."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return ""
        return f"exit status {code}" if code >= 0 else f"signal {-code}: {signal.strsignal(-code)}"

    def _died(self, how: str, certain: bool = True) -> Died:
        """Close it; only a death in the midst of a call, not one found out later, is certainly the rule's."""
        died = Died(int(self._progress[0]), int(self._progress[1]) if certain else 0, how)
        self.close()
        return died

    def kill(self) -> None:
        """End the process and what it has started; whoever waits for its answer gets `Died`.

        What it has started is there also when it has ended itself. Only once: later the number may be another's.
        """
        if not self._killed:
            self._killed = True
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End the process, if it has not ended by itself, and let go of the line to it."""
        self.kill()
        self._process.wait()
        self._ours.close()
