"""What a process's transactions with the store took."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa

OK, OUTAGE, ERROR = "ok", "outage", "error"
STATUSES = (OK, OUTAGE, ERROR)
OPERATIONS = ("read", "write", "migrate")
"""The modes of `Database`'s transactions."""


class Operations:
    """Counts transactions by (operation, status), with their seconds; safe to share by threads."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], tuple[int, float]] = {}

    @contextmanager
    def timed(self, operation: str) -> Iterator[None]:
        """Count the block as one operation. What is raised by the block's own work, not the store's, is no error."""
        started, status = time.perf_counter(), OK
        try:
            yield
        except sa.exc.SQLAlchemyError as error:
            status = OUTAGE if _is_outage(error) else ERROR
            raise
        finally:
            self._note((operation, status), time.perf_counter() - started)

    def _note(self, key: tuple[str, str], seconds: float, times: int = 1) -> None:
        with self._lock:
            count, total = self._found.get(key, (0, 0.0))
            self._found[key] = count + times, total + seconds

    def give_back(self, taken: Mapping[tuple[str, str], tuple[int, float]]) -> None:
        """Count again what was taken and could not be written."""
        for key, (times, seconds) in taken.items():
            self._note(key, seconds, times)

    def take(self) -> Mapping[tuple[str, str], tuple[int, float]]:
        """The counts and seconds since the last call."""
        with self._lock:
            found, self._found = self._found, {}
        return found


def _is_outage(error: sa.exc.SQLAlchemyError) -> bool:
    """Whether nobody's statement is to blame, as `Database` sees it: no connection, lock or room was to be had."""
    lost = isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.TimeoutError)
    return lost or bool(getattr(error, "connection_invalidated", False))
