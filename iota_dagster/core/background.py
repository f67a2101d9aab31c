"""Doing something again and again beside the real work."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_log = logging.getLogger(__name__)


@contextmanager
def repeating(seconds: float, work: Callable[[], object], name: str) -> Iterator[None]:
    """Call `work` every so many seconds in a thread, for as long as the block runs; its errors are logged."""
    stop = threading.Event()

    def loop() -> None:
        while not stop.wait(seconds):
            try:
                work()
            except Exception:
                _log.exception("%s failed, and is tried again in %g seconds", name, seconds)

    thread = threading.Thread(target=loop, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
