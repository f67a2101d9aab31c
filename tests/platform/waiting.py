"""Waiting for something to become true, with an end."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(is_so: Callable[[], bool], what: str, seconds: float, why: Callable[[], str] = str) -> float:
    """Look until it is so; the seconds that took. Fails with `why()` when it takes too long."""
    start = time.monotonic()
    while not is_so():
        if time.monotonic() - start > seconds:
            raise AssertionError(f"after {seconds:.0f} s still not: {what}\n{why()}")
        time.sleep(0.1)
    return time.monotonic() - start
