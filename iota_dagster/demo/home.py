"""The demo's own home: a fresh folder for each demo, because the embedded AWS forgets everything when it ends.

A home that outlived its AWS would know lake files that are nowhere. So a demo begins with nothing in
`<home>/demo/<time>`, and leaves nothing behind; what one that was killed has left goes when the next one begins.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO


@contextmanager
def demo_home(home: Path) -> Iterator[Path]:
    """A new folder below `<home>/demo` for the block; the lock beside it says that somebody works in it."""
    parent = home / "demo"
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob("*.lock"):
        _remove_if_left(left)
    folder = parent / f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
    mark = folder.with_suffix(".lock")
    with mark.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder.mkdir()
        try:
            yield folder
        finally:
            _remove(mark)


def _remove_if_left(mark: Path) -> None:
    try:
        with mark.open() as lock:
            if _locked(lock):
                _remove(mark)
    except FileNotFoundError:  # its demo has just ended
        return


def _locked(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove(mark: Path) -> None:
    shutil.rmtree(mark.with_suffix(""), ignore_errors=True)
    mark.unlink(missing_ok=True)
