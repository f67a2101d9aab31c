"""Housekeeping: throws away what nothing needs any more, and what can be made again.

It may run at any time beside everything else: a file is deleted only when the store does not refer to it and it is too
old to be one in the making, or when it is a cache whose loss costs time only.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from iota_dagster.core.bloom_files import filter_path
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import lake_catalog, retention, rule_values
from iota_dagster.core.store.database import Database
from iota_dagster.core.work import WorkArea

IN_THE_MAKING = timedelta(days=1)
"""A file that nothing refers to may belong to a run that has not committed yet, for so long at most."""
READERS_GRACE = timedelta(hours=24)
"""A lake file that was replaced stays so long for queries that began before."""


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
    """How many files, folders and values of rules were thrown away."""

    lake_files: int
    work_folders: int
    id_files: int
    scratch_folders: int
    rule_values: int


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Everything housekeeping needs."""

    database: Database
    lake: Storage
    work: WorkArea
    state: Storage
    scratch: Path
    keep: Keep

    def run(self, now: datetime) -> Removed:
        """Throw away what is due."""
        return Removed(
            lake_files=self._retired_lake_files(now),
            work_folders=self._work_folders(now),
            id_files=self._quiet_id_files(now) + self._stray_id_files(now),
            scratch_folders=self._scratch_folders(now),
            rule_values=self._rule_values(now),
        )

    def _retired_lake_files(self, now: datetime) -> int:
        removed = 0
        while True:
            with self.database.read() as connection:
                paths = lake_catalog.take_retired(connection, now - READERS_GRACE)
            for path in paths:
                self.lake.delete(path)
            with self.database.begin() as connection:
                lake_catalog.forget_retired(connection, paths)
            removed += len(paths)
            if not paths:
                return removed

    def _work_folders(self, now: datetime) -> int:
        removed = 0
        files = sorted(self.work.storage.list(""), key=lambda file: file.path)
        for name, group in groupby(files, key=lambda file: file.path.rpartition("/")[0]):
            newest = max(file.modified for file in group)
            if newest > now - IN_THE_MAKING:
                continue
            with self.database.read() as connection:
                in_use = retention.work_in_use(connection, [name.partition("/")[0]], now - self.keep.work)
            if name not in in_use:
                self.work.discard(name)
                removed += 1
        return removed

    def _quiet_id_files(self, now: datetime) -> int:
        """Id files and filter of an hour that has been quiet for long: made again from the lake if it ever wakes."""
        removed = 0
        with self.database.read() as connection:
            quiet = retention.quiet_hours(connection, now - self.keep.ids)
        for log_type, hour in quiet:
            with self.database.read() as connection:
                files = retention.id_files_of(connection, (log_type, hour))
            there = [file for file in files if self.state.exists(file)]
            for file in (filter_path(log_type, hour), *there):
                self.state.delete(file)
            removed += len(there)
        return removed

    def _stray_id_files(self, now: datetime) -> int:
        """Id files of attempts that never committed, or that a later revision replaced."""
        old = [file.path for file in self.state.list("ids/") if file.modified < now - IN_THE_MAKING]
        with self.database.read() as connection:
            stray = sorted(set(old) - retention.referenced_id_files(connection, old))
        for file in stray:
            self.state.delete(file)
        return len(stray)

    def _rule_values(self, now: datetime) -> int:
        with self.database.begin() as connection:
            return rule_values.purge(connection, now - self.keep.values)

    def _scratch_folders(self, now: datetime) -> int:
        removed = 0
        for folder in (*self.scratch.glob("spool/*"), *self.scratch.glob("publish/*")):
            if datetime.fromtimestamp(folder.stat().st_mtime, UTC) < now - IN_THE_MAKING:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        return removed
