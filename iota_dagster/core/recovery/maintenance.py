"""Housekeeping: throws away what nothing needs any more, and what can be made again.

It may run at any time beside everything else: a file is deleted only when the store does not refer to it and it is too
old to be one in the making, or when it is a cache whose loss costs time only. Each sweep first finds what is due; a dry
run ends there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path

from iota_dagster.core.arrival.spooling import FOLDER, spooled_prefix
from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.hours import parse_hour_folder
from iota_dagster.core.lake.generation import generation_folder
from iota_dagster.core.lake.ownership import read_marker
from iota_dagster.core.storage import Storage, StoredFile
from iota_dagster.core.store import lake_catalog, lake_upkeep, retention, rule_values, spooled_events
from iota_dagster.core.store.commit import EventHour
from iota_dagster.core.store.database import Database, chunked

IN_THE_MAKING = timedelta(days=1)
"""A file that nothing refers to may belong to a run that has not committed yet, for so long at most."""
READERS_GRACE = timedelta(hours=24)
"""A lake file that was replaced stays so long for queries that began before."""
GIVEN_UP = READERS_GRACE + IN_THE_MAKING
"""Who writes a lake hour's next generation for longer has been killed, or starts again."""
DELIVERED_AGAIN = timedelta(days=38)
"""An event in the queue itself may come again for so long: SQS keeps a message for 14 days, SNS tries for 23."""

_SCRATCH = ("spool/*", "publish/*", "work/*", "digests/*", "*.parquet", "unit-*", "quality-*")
"""What is made below the scratch folder for as long as one process works on it."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How long what is kept: work files after their commit, id files after their hour's last admission.

    Of what rules remember stays what an event no older than `values` can still see.
    """

    work: timedelta
    ids: timedelta
    values: timedelta


@dataclass(frozen=True, slots=True)
class Removed:
    """How many files, folders and rows were thrown away, or would be; `bytes` by the same names, of what are files."""

    lake_files: int = 0
    left_lake_files: int = 0
    work_folders: int = 0
    id_files: int = 0
    scratch_folders: int = 0
    rule_values: int = 0
    spooled_events: int = 0
    spool_files: int = 0
    bytes: Mapping[str, int] = field(default_factory=dict)

    def counts(self) -> dict[str, int]:
        """The counts by their names."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "bytes"}


@dataclass(frozen=True, slots=True)
class _Due:
    """One thing to throw away: its size, and how."""

    bytes: int
    remove: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Everything housekeeping needs; without a `spool` nothing of it is looked at."""

    database: Database
    lake: Storage
    work: WorkArea
    state: Storage
    scratch: Path
    keep: Keep
    spool: Storage | None = None

    def run(self, now: datetime, *, dry_run: bool = False, lake_files: bool = True) -> Removed:
        """Throw away what is due, or only count it; without `lake_files`, none of the lake."""
        sweeps: dict[str, Iterable[_Due]] = {
            "lake_files": self._retired_lake_files(now, dry_run) if lake_files else (),
            "left_lake_files": self._left_lake_files(now, dry_run) if lake_files else (),
            "work_folders": self._work_folders(now),
            "id_files": self._id_files(now, dry_run),
            "scratch_folders": self._scratch_folders(now),
            "spool_files": self._stray_spool_files(now),
        }
        counts, sizes = dict[str, int](), dict[str, int]()
        for name, found in sweeps.items():
            counts[name] = sizes[name] = 0
            for item in found:
                counts[name] += 1
                sizes[name] += item.bytes
                if not dry_run:
                    item.remove()
        return Removed(**counts, **self._rows(now, dry_run), bytes=sizes)

    # ── the lake ──

    def _retired_lake_files(self, now: datetime, dry_run: bool) -> Iterator[_Due]:
        with self.database.read() as connection:
            paths = lake_upkeep.retired_before(connection, now - READERS_GRACE)
        for folder, group in groupby(paths, key=lambda path: path.rpartition("/")[0]):
            sizes = {file.path: file.size for file in self.lake.list(f"{folder}/")}
            here = list(group)
            yield from (_Due(sizes.get(path, 0), partial(self.lake.delete, path)) for path in here)
            if not dry_run:  # by now they are deleted
                with self.database.begin() as connection:
                    lake_catalog.forget_retired(connection, here)

    def _left_lake_files(self, now: datetime, dry_run: bool) -> Iterator[_Due]:
        """What killed writers have left in generations that nobody has switched to.

        They are retired before they are deleted, so that a pass that dies here leaves none behind.
        """
        with self.database.read() as connection:
            announced = lake_upkeep.announced_before(connection, now - GIVEN_UP)
        for item in announced:
            folder = generation_folder(item.table, item.hour, item.generation)
            sizes = {file.path: file.size for file in self.lake.list(f"{folder}/")}
            if dry_run:
                with self.database.read() as connection:
                    found = lake_upkeep.strays(connection, item, sizes)
            else:
                with self.database.begin() as connection:
                    found = lake_upkeep.give_up(connection, item, sizes)
            yield from (_Due(sizes[path], partial(self.lake.delete, path)) for path in found)
            if not dry_run:
                with self.database.begin() as connection:
                    lake_catalog.forget_retired(connection, found)

    # ── caches ──

    def _work_folders(self, now: datetime) -> Iterator[_Due]:
        files = sorted(self.work.storage.list(""), key=lambda file: file.path)
        for name, group in groupby(files, key=lambda file: file.path.rpartition("/")[0]):
            members = list(group)
            if max(file.modified for file in members) > now - IN_THE_MAKING:
                continue
            with self.database.read() as connection:
                in_use = retention.work_in_use(connection, [name.partition("/")[0]], now - self.keep.work)
            if name not in in_use:
                yield _Due(_size(members), partial(self.work.discard, name))

    def _id_files(self, now: datetime, dry_run: bool) -> Iterator[_Due]:
        """Those of hours that have been quiet for long, with their filters; those of attempts that never committed.

        An hour's are made again from the lake if it ever wakes.
        """
        with self.database.read() as connection:
            quiet = set(retention.quiet_hours(connection, now - self.keep.ids))
        for part in chunked(self.state.list("ids/")):
            old = [file.path for file in part if file.modified < now - IN_THE_MAKING]
            with self.database.read() as connection:
                stray = set(old) - retention.referenced_id_files(connection, old)
            for file in part:
                if file.path in stray or _event_hour(file.path) in quiet:
                    yield _Due(file.size, partial(self.state.delete, file.path))
        for file in () if dry_run else self.state.list("bloom/"):
            if _event_hour(file.path.removesuffix(".bloom")) in quiet:
                self.state.delete(file.path)

    def _scratch_folders(self, now: datetime) -> Iterator[_Due]:
        """What processes of this host have left that were killed."""
        for place in (path for pattern in _SCRATCH for path in self.scratch.glob(pattern)):
            with suppress(FileNotFoundError):  # its run has just ended
                if datetime.fromtimestamp(place.stat().st_mtime, UTC) < now - IN_THE_MAKING:
                    files = place.rglob("*") if place.is_dir() else [place]
                    size = sum(file.stat().st_size for file in files if file.is_file())
                    yield _Due(size, partial(_remove, place))

    # ── the spool ──

    def _stray_spool_files(self, now: datetime) -> Iterator[_Due]:
        """Files that a crash has left before their row was committed: their events have come again.

        What is older than this store's knowledge of its lake may be the only copy of events: it stays.
        """
        marker = read_marker(self.lake)
        if self.spool is None or marker is None:
            return
        since = datetime.fromisoformat(marker.since)
        bucket, prefix = spooled_prefix(self.spool.url)
        above = prefix.removesuffix(FOLDER)
        old = (file for file in self.spool.list(FOLDER) if since < file.modified < now - IN_THE_MAKING)
        for part in chunked(old):
            with self.database.read() as connection:
                known = retention.known_keys(connection, bucket, [above + file.path for file in part])
            for file in part:
                if above + file.path not in known:
                    yield _Due(file.size, partial(self.spool.delete, file.path))

    # ── rows of the store ──

    def _rows(self, now: datetime, dry_run: bool) -> dict[str, int]:
        values, events = now - self.keep.values, now - DELIVERED_AGAIN
        if dry_run:
            with self.database.read() as connection:
                return {
                    "rule_values": rule_values.count_unseen(connection, values),
                    "spooled_events": spooled_events.count(connection, events),
                }
        with self.database.begin() as connection:
            forgotten = rule_values.purge(connection, values)
        return {"rule_values": forgotten, "spooled_events": self._purge_spooled(events)}

    def _purge_spooled(self, before: datetime) -> int:
        total = 0
        while True:  # a transaction each: nobody waits long for the lock
            with self.database.begin() as connection:
                purged = spooled_events.purge(connection, before)
            if not purged:
                return total
            total += purged


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


def _size(files: Iterable[StoredFile]) -> int:
    return sum(file.size for file in files)


def _event_hour(path: str) -> EventHour:
    """The log type and hour of `ids/<log type>/year=…/…` or `bloom/<log type>/year=…/…`."""
    return path.split("/")[1], parse_hour_folder(path)
