"""Publishing into the lake: atomic for `iota query`, never too much or too little for a reader through a catalog.

A batch's first file of an hour is added to the hour's current generation. Whatever replaces or removes rows (a batch
done again, a compaction) builds the hour's *next* generation in a folder of its own and switches to it. Both end in one
transaction that compares the hour's version with the one it started from; who is beaten throws away what he wrote and
starts that hour again. A generation number is never used twice, so that even an attempt that was killed leaves nothing
where somebody else writes.

An hour that retention has emptied takes no more rows, whatever is done again.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.errors import Outage, VersionConflict
from iota_dagster.core.hours import Hour, hour_folder
from iota_dagster.core.lake import rewrite
from iota_dagster.core.lake.ownership import require_own_lake
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.lake_catalog import HourChange, LakeFile, LakeHour, TableHour

_log = logging.getLogger(__name__)


class Superseded(Exception):
    """What was to be published has been published, or replaced by a newer revision, by somebody else."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A Parquet file on this machine that is to become an hour's file."""

    path: Path
    rows: int
    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path, rows: int) -> NewFile:
        """Measure a file that is complete."""
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return cls(path, rows, digest, path.stat().st_size)


Choose = Callable[[Sequence[LakeFile]], Sequence[LakeFile]]
OnCommit = Callable[[sa.Connection], bool]
"""Runs inside the publishing transaction; False undoes it, because somebody else was first."""
_Add = Callable[[str, Hour, str, NewFile, LakeHour], HourChange]
"""How the first file of a batch comes to an hour's others."""


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake's files and their catalog; `scratch` is a folder of this machine for files in the making."""

    database: Database
    storage: Storage
    scratch: Path

    def publish(
        self, batch_id: str, files: Mapping[TableHour, NewFile], tables: Sequence[str], on_commit: OnCommit
    ) -> list[TableHour]:
        """Make a batch's rows in `tables` exactly `files`; the hours that changed.

        Idempotent: what is there already is left alone. Raises `Superseded` when `on_commit` says so.
        """
        return self._publish(batch_id, files, tables, on_commit, self._add)

    def publish_unit(
        self, unit: str, files: Mapping[TableHour, NewFile], tables: Sequence[str], on_commit: OnCommit
    ) -> list[TableHour]:
        """The same for work that may give something else when it is tried again, as a correlation rule's hour does.

        A batch's file may lie in the current generation before it is committed, since it will be. This one may not:
        it always goes into a generation of its own.
        """
        return self._publish(unit, files, tables, on_commit, self._next_generation)

    def _publish(
        self,
        batch_id: str,
        files: Mapping[TableHour, NewFile],
        tables: Sequence[str],
        on_commit: OnCommit,
        add: _Add,
    ) -> list[TableHour]:
        with self.database.read() as connection:
            before = lake_catalog.hours_of_batch(connection, batch_id, tables)
        hours = sorted({*before, *files})
        while True:
            changes = {}
            for table, hour in hours:
                if change := self._change(table, hour, batch_id, files.get((table, hour)), add):
                    changes[table, hour] = change
            if self._switch(changes, on_commit):
                return sorted(changes)

    def rewrite_hour(
        self, table: str, hour: Hour, source: str, choose: Choose, build: Callable[[Sequence[LakeFile]], NewFile]
    ) -> bool:
        """Replace those of an hour's files that `choose` names by one that `build` makes of them (a compaction).

        The others are carried along. False when none is chosen.
        """
        while True:
            with self.database.read() as connection:
                state = lake_catalog.read_hour(connection, table, hour)
            chosen = choose(state.files)
            if not chosen:
                return False
            new = build(chosen)
            generation = self._allocate(table, hour)
            members = tuple(sorted({member for item in chosen for member in item.members}))
            others = [self._carry(item, generation) for item in state.files if item not in chosen]
            files = (*others, self._store(table, hour, generation, source, new, members))
            if self._switch({(table, hour): HourChange(state.version, generation, files, fresh=True)}, lambda _: True):
                return True

    def expire_hour(self, table: str, hour: Hour, now: datetime) -> bool:
        """Take an hour out of the lake; its files are deleted after the readers' grace. False: it was out already.

        What may come there later gets a generation, and so a path, of its own.
        """
        while True:
            with self.database.read() as connection:
                state = lake_catalog.read_hour(connection, table, hour)
            if state.expired:
                return False

            def mark(connection: sa.Connection) -> bool:
                lake_catalog.mark_expired(connection, table, hour, now)
                return True

            generation = self._allocate(table, hour)
            if self._switch({(table, hour): HourChange(state.version, generation, ())}, mark, now):
                return True

    def require_own(self) -> None:
        """Return if the lake is this store's own; see `ownership.require_own_lake`."""
        require_own_lake(self.database, self.storage, datetime.now(UTC))

    def _switch(
        self, changes: Mapping[TableHour, HourChange], on_commit: OnCommit, now: datetime | None = None
    ) -> bool:
        try:
            with self.database.begin() as connection:
                lake_catalog.apply(connection, changes, now or datetime.now(UTC))
                if not on_commit(connection):
                    raise Superseded
        except (VersionConflict, Superseded) as error:
            self._throw_away(changes)
            if isinstance(error, Superseded):
                raise
            return False
        return True

    def _throw_away(self, changes: Mapping[TableHour, HourChange]) -> None:
        """Delete what was written for changes that came too late: nobody else writes into a fresh generation."""
        for change in changes.values():
            for file in change.files if change.fresh else ():
                with suppress(Outage):
                    self.storage.delete(file.path)

    def _change(
        self,
        table: str,
        hour: Hour,
        batch_id: str,
        new: NewFile | None,
        add: _Add,
    ) -> HourChange | None:
        with self.database.read() as connection:
            state = lake_catalog.read_hour(connection, table, hour)
        if state.expired:
            return None
        mine = [item for item in state.files if batch_id in item.members]
        if not mine:
            return add(table, hour, batch_id, new, state) if new else None
        if new and [(item.source, item.sha256) for item in mine] == [(batch_id, new.sha256)]:
            if not self.storage.exists(mine[0].path):  # lost since: the row is right, its file is not there
                self.storage.upload(mine[0].path, new.path)
            return None
        return self._next_generation(table, hour, batch_id, new, state)

    def _add(self, table: str, hour: Hour, batch_id: str, new: NewFile, state: LakeHour) -> HourChange:
        file = self._store(table, hour, state.generation, batch_id, new, (batch_id,))
        return HourChange(state.version, state.generation, (*state.files, file))

    def _next_generation(
        self, table: str, hour: Hour, batch_id: str, new: NewFile | None, state: LakeHour
    ) -> HourChange:
        generation = self._allocate(table, hour)
        files = []
        for item in state.files:
            if batch_id not in item.members:
                files.append(self._carry(item, generation))
            elif item.source != batch_id and (kept := self._without(item, batch_id, generation)):
                files.append(kept)
        if new:
            files.append(self._store(table, hour, generation, batch_id, new, (batch_id,)))
        return HourChange(state.version, generation, tuple(files), fresh=True)

    def _carry(self, item: LakeFile, generation: int) -> LakeFile:
        """A file of the hour in another generation; a lost one stays lost, and known, and holds up nobody else."""
        path = lake_path(item.table, item.hour, generation, item.source)
        try:
            self.storage.copy(item.path, path)
        except FileNotFoundError:
            _log.error("%s is not in the lake: its hour goes on without it (see the checks of %s)", path, item.table)
        return replace(item, generation=generation, path=path)

    def _without(self, item: LakeFile, batch_id: str, generation: int) -> LakeFile | None:
        """A compacted file less one batch's rows; None when nothing is left of it."""
        if not self.storage.exists(item.path):
            rest = tuple(member for member in item.members if member != batch_id)
            return replace(self._carry(item, generation), members=rest) if rest else None
        target = self.scratch / f"{item.source}-{generation}.parquet"
        rows = rewrite.without_batch(self.storage, item.path, batch_id, target)
        members = tuple(member for member in item.members if member != batch_id)
        if not rows:
            return None
        try:
            return self._store(item.table, item.hour, generation, item.source, NewFile.of(target, rows), members)
        finally:
            target.unlink(missing_ok=True)

    def _allocate(self, table: str, hour: Hour) -> int:
        with self.database.begin() as connection:
            return lake_catalog.allocate_generation(connection, table, hour)

    def _store(
        self, table: str, hour: Hour, generation: int, source: str, new: NewFile, members: tuple[str, ...]
    ) -> LakeFile:
        path = lake_path(table, hour, generation, source)
        self.storage.upload(path, new.path)
        return LakeFile(table, hour, source, generation, path, new.rows, new.bytes, new.sha256, members)


def lake_path(table: str, hour: Hour, generation: int, source: str) -> str:
    """Where an hour's file lies, relative to the lake: Hive folders, so that any engine can prune by them."""
    return f"{table}/{hour_folder(hour)}/g={generation}/{source}.parquet"
