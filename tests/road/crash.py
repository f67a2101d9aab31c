"""Counting what a run writes outside of its own memory, and killing it there.

An effect is a commit of the store, a file put, copied or deleted in a storage, a spool, work or part file, the removal
of a folder, an appended alert. The process is killed just *before* the k-th; nothing outside changes between two of
them, so that this is also "just after the (k-1)-th". Files of the run's own scratch folder, which have random names and
are read by nobody else, are not counted: dying while one is written is dying before it is uploaded.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Sequence
from functools import partial, wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.batch.fetching import Spool
from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.hours import Hour
from iota_dagster.core.ingest.parts import PartFiles
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.sources import source_of
from iota_dagster.destinations import json_lines
from iota_dagster.process_workers import close_workers
from tests.road.parsers import parser
from tests.road.world import LOG_TYPE, TEN, World, run_once, sign_in


class Effects:
    """Called before every effect with its kind: notes it in a file, or kills the process at the chosen one."""

    def __init__(self, trail: Path, kill_at: int | None) -> None:
        self._trail, self._kill_at = trail, kill_at
        self._lock, self._count = threading.Lock(), 0

    def __call__(self, kind: str) -> None:
        with self._lock:
            if self.dies_next():
                os.kill(os.getpid(), signal.SIGKILL)
            self._count += 1
            if self._kill_at is None:
                with self._trail.open("a") as file:
                    file.write(f"{kind}\n")

    def dies_next(self) -> bool:
        """Whether the next effect is the last thing that this process would do."""
        return self._count == self._kill_at


def install(effects: Effects) -> None:
    """Tell `effects` of everything that this process writes from now on; for a process that ends soon."""
    for name in ("write", "upload", "copy", "delete"):
        _before(LocalStorage, name, partial(effects, f"storage {name}"))
    _before(Spool, "_fetch_one", lambda: effects("spool"))
    _before(WorkArea, "create", lambda: effects("work folder"))
    _before(PartFiles, "finish", lambda: effects("part file"))
    _before(shutil, "rmtree", lambda: effects("remove folder"))
    _torn_append(effects)
    sa.event.listen(sa.Engine, "commit", lambda connection: _committing(connection, effects))


def _before(owner: Any, name: str, notice: Callable[[], None]) -> None:
    original = getattr(owner, name)

    @wraps(original)
    def noticed(*args: Any, **more: Any) -> Any:
        notice()
        return original(*args, **more)

    setattr(owner, name, noticed)


def _torn_append(effects: Effects) -> None:
    """Two effects: the whole line, and before it half of the line, which stays if the process dies there."""
    original = json_lines._append

    def torn(file: int, line: bytes) -> None:
        effects("append")
        if effects.dies_next():
            os.write(file, line[: len(line) // 2])
        effects("append the second half")
        original(file, line)

    json_lines._append = torn


def _committing(connection: sa.Connection, effects: Effects) -> None:
    if connection.get_execution_options().get("iota_mode") == "write":
        effects("commit")


def run_until(
    world: World, root: str, hours: Sequence[Hour], again: bool, version: int, trail: Path, kill_at: int | None
) -> None:
    """One run in a process of its own, to its end or to its death; `version` is the parser's."""
    install(Effects(trail, kill_at))
    with parser(version), world.opened() as platform:
        run_once(platform.road, root, hours, again=again)


def compact_until(world: World, hour: Hour, trail: Path, kill_at: int | None) -> None:
    """A compaction in a process of its own, to its end or to its death."""
    install(Effects(trail, kill_at))
    table = source_of(LOG_TYPE).table
    with world.opened() as platform:
        compact(platform.road.lake, table, hour, lake_tables()[table])


def run_quietly(world: World, root: str, hours: Sequence[Hour], barrier: Path) -> None:
    """One run in a process of its own: opens the store, says so by a file `ready-<root>`, waits for the barrier's."""
    with world.opened() as platform:
        barrier.with_name(f"ready-{root}").touch()
        while not barrier.exists():
            os.sched_yield()
        run_once(platform.road, root, hours)


def warm_up() -> None:
    """Import what a run imports only when it needs it, so that no child has to."""
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg  # noqa: F401

    with TemporaryDirectory() as folder:
        world = World.at(Path(folder), f"sqlite:///{folder}/iota.db")
        with world.opened() as platform:
            world.deliver(platform, {"a": [sign_in("a", "198.51.100.1")]}, TEN)
            run_once(platform.road, "warm up", [TEN])
        close_workers()
    assert threading.active_count() == 1
