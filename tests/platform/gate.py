"""Gates between the platform and its AWS: what comes to one waits, so that a moment can be chosen to kill in."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.aws import Answer, Asked, Aws
from tests.platform.waiting import wait_until

LONGEST = 120.0
"""Seconds that requests wait, and are waited for, at most."""


class Gate:
    """Holds the requests that `stops` chooses until it is opened."""

    def __init__(self, stops: Callable[[Asked], bool]) -> None:
        """It is closed."""
        self._stops = stops
        self._open = threading.Event()
        self._held: set[str] = set()

    def hold(self, asked: Asked) -> None:
        """Hold a request, if it is to be held."""
        if not self._open.is_set() and self._stops(asked):
            self._held.add(asked.headers["amz-sdk-invocation-id"])  # the same when the client tries again
            self._open.wait(LONGEST)

    def wait_for(self, requests: int, why: Callable[[], str]) -> None:
        """Wait until so many requests are held."""
        wait_until(lambda: len(self._held) >= requests, f"{requests} requests at the gate", LONGEST, why)

    def open(self) -> None:
        """Let all pass, now and later."""
        self._open.set()


@contextmanager
def gates(aws: Aws, *stops: Callable[[Asked], bool]) -> Iterator[list[Gate]]:
    """Closed gates, one behind the other, which are open after the block at the latest."""
    closed = [Gate(item) for item in stops]

    def pass_through(asked: Asked) -> Answer | None:
        for item in closed:
            item.hold(asked)
        return None

    with aws.disturbed_by(pass_through):
        try:
            yield closed
        finally:
            for item in closed:
                item.open()
