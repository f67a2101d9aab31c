"""Two runs in one process whose transactions and files are interleaved by a random, repeatable order."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any

import pytest

from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.store.database import Database

STUCK_SECONDS = 60


class Turns:
    """Lets one of several threads go on at a time, from one point to its next; the seed decides which."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._weights = [self._random.choice([1, 1, 5]) for _ in range(8)]
        self._changed = threading.Condition()
        self._members: list[str] = []
        self._waiting: set[str] = set()
        self._turn: str | None = None

    def point(self) -> None:
        """Wait for one's turn; threads that do not take part just go on."""
        me = threading.current_thread().name
        with self._changed:
            if me not in self._members:
                return
            self._waiting.add(me)
            self._pick()
            assert self._changed.wait_for(lambda: self._turn == me, STUCK_SECONDS), "the schedule is stuck"
            self._waiting.remove(me)
            self._turn = None

    def run(self, works: Sequence[Callable[[], object]]) -> None:
        """Do all of the works, each in a thread, taking turns; raises the first error that one of them raised."""
        errors: list[BaseException] = []
        self._members = [f"turn-{number}" for number in range(len(works))]
        threads = [
            threading.Thread(target=self._one, args=(work, errors), name=name)
            for name, work in zip(self._members, works, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

    def _one(self, work: Callable[[], object], errors: list[BaseException]) -> None:
        try:
            self.point()
            work()
        except BaseException as error:
            errors.append(error)
        finally:
            with self._changed:
                self._members.remove(threading.current_thread().name)
                self._pick()

    def _pick(self) -> None:
        if self._turn is None and self._members and self._waiting == set(self._members):
            self._turn = self._random.choices(self._members, self._weights[: len(self._members)])[0]
            self._changed.notify_all()


@contextmanager
def interleaved(seed: int) -> Iterator[Turns]:
    """Turns are taken before every write transaction, before every look at the store and every file of a storage."""
    turns = Turns(seed)
    with pytest.MonkeyPatch.context() as patch:
        for owner, names in ((Database, ("begin", "read")), (LocalStorage, ("write", "upload", "copy", "delete"))):
            for name in names:
                patch.setattr(owner, name, _after_a_turn(getattr(owner, name), turns))
        yield turns


def _after_a_turn(original: Callable[..., Any], turns: Turns) -> Callable[..., Any]:
    @wraps(original)
    def taken(*args: Any, **more: Any) -> Any:
        turns.point()
        return original(*args, **more)

    return taken
