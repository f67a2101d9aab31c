"""A clean process without threads that forks children in a few milliseconds: for tests that kill what they start.

Started by `Zygote()`, it imports the road once. A child runs one function and ends; `run` gives its exit status, which
is negative for the signal that ended it.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, cast

_ROOT = Path(__file__).parents[2]


class Zygote:
    """Forks children; a context manager that ends the process."""

    def __init__(self) -> None:
        environment = os.environ | {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
        self._number = 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.road.zygote"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            cwd=_ROOT,
        )

    def __enter__(self) -> Zygote:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run a function of an importable module in a child; `wait` for it before the next."""
        self._number += 1
        pickle.dump((self._number, function, arguments), cast(BinaryIO, self._process.stdin))
        cast(BinaryIO, self._process.stdin).flush()

    def wait(self) -> int:
        """The exit status of the child that was started last; those that nobody waited for are passed over."""
        number = 0
        while number != self._number:
            number, status = pickle.load(cast(BinaryIO, self._process.stdout))
        return int(status)

    def run(self, function: Callable[..., object], *arguments: Any) -> int:
        """Run a function in a child, to its end; its exit status."""
        self.start(function, *arguments)
        return self.wait()


def _serve(requests: BinaryIO, answers: BinaryIO) -> None:
    while True:
        try:
            number, function, arguments = pickle.load(requests)
        except EOFError:
            return
        pid = os.fork()
        if pid == 0:
            _child(function, arguments)
        _, status = os.waitpid(pid, 0)
        pickle.dump((number, os.waitstatus_to_exitcode(status)), answers)
        answers.flush()


def _child(function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    try:
        function(*arguments)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    from tests import compiled_statements
    from tests.road.crash import warm_up

    compiled_statements.share()
    warm_up()
    _serve(sys.stdin.buffer, sys.stdout.buffer)
