"""Publishing into the lake: atomic for `iota query`, never too much or too little for a reader through a catalog.

A batch's first file of an hour is added to the hour's current generation. Whatever replaces or removes rows (a batch
done again, a compaction) builds the hour's *next* generation in a folder of its own and switches to it. Both end in one
transaction that compares the hour's version with the one it started from; who is beaten throws away what he wrote and
starts that hour again. A generation number is never used twice, so that even an attempt that was killed leaves nothing
where somebody else writes.

A fresh generation is announced before anything is written into it, and the switch takes the announcement back: what
lies in one that was announced long ago is what a killed writer has left, and housekeeping deletes it.

An hour that a rewrite leaves without rows keeps a file without any: an older store that is restored can tell by it that
the files which it names were replaced, and not lost.

An hour that retention has emptied takes no more rows, whatever is done again.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.errors import Outage, VersionConflict
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.generation import Generation, NewFile, generation_folder
from iota_dagster.core.lake.ownership import require_own_lake
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.lake_catalog import HourChange, LakeFile, LakeHour, TableHour


class Superseded(Exception):
    """What was to be published has been published, or replaced by a newer revision, by somebody else."""


Choose = Callable[[Sequence[LakeFile]], Sequence[Sequence[LakeFile]]]
"""Which of an hour's files become one, in groups."""
Join = Callable[[Sequence[LakeFile], Path], int]
"""Writes the rows of a group into a file of this machine; their number."""
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
        changes: dict[TableHour, HourChange] = {}
        while True:
            with self._thrown_away_unless_all_are_made(changes):
                for table, hour in hours:
                    if (table, hour) in changes:  # made before a conflict of another hour
                        continue
                    if change := self._change(table, hour, batch_id, files.get((table, hour)), add):
                        changes[table, hour] = change
            if self._switch(changes, on_commit):
                return sorted(changes)

    @contextmanager
    def _thrown_away_unless_all_are_made(self, changes: Mapping[TableHour, HourChange]) -> Iterator[None]:
        """An hour that stays denied must not make each attempt leave a copy of all the others behind."""
        try:
            yield
        except Exception:
            with suppress(Outage):  # of all of the lake: the first that cannot be deleted says so
                for key, change in changes.items():
                    if change.fresh:
                        self._delete(self._generation(*key, change.generation))
            raise

    def rewrite_hour(self, table: str, hour: Hour, choose: Choose, join: Join) -> bool:
        """Replace each group of an hour's files that `choose` names by one file, all at once (a compaction).

        The others are carried along. False when none is chosen. One joined file at a time is on this machine.
        """
        while True:
            with self.database.read() as connection:
                state = lake_catalog.read_hour(connection, table, hour)
            groups = choose(state.files)
            if not groups:
                return False
            chosen = {item.source for group in groups for item in group}
            with self._fresh(table, hour) as generation:
                files = [self._joined(generation, group, join) for group in groups]
                files += [generation.carry(item) for item in state.files if item.source not in chosen]
            change = HourChange(state.version, generation.number, tuple(files), fresh=True)
            if self._switch({(table, hour): change}, lambda _: True):
                return True

    def _joined(self, generation: Generation, group: Sequence[LakeFile], join: Join) -> LakeFile:
        source = f"c-{uuid.uuid4().hex[:20]}"
        target = self.scratch / f"{source}.parquet"
        try:
            new = NewFile.of(target, join(group, target))
            return generation.store(source, new, tuple(sorted({name for item in group for name in item.members})))
        finally:
            target.unlink(missing_ok=True)

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

            with self._fresh(table, hour) as generation:
                change = HourChange(state.version, generation.number, (), fresh=True)
            if self._switch({(table, hour): change}, mark, now):
                return True

    def require_own(self) -> None:
        """Return if the lake is this store's own; see `ownership.require_own_lake`."""
        require_own_lake(self.database, self.storage, datetime.now(UTC))

    def _switch(self, changes: dict[TableHour, HourChange], on_commit: OnCommit, now: datetime | None = None) -> bool:
        """Make the changes, all or none; False after a conflict: those to be made again are no longer in `changes`."""
        try:
            with self.database.begin() as connection:
                lake_catalog.apply(connection, changes, now or datetime.now(UTC))
                if not on_commit(connection):
                    raise Superseded
        except VersionConflict:
            with self.database.read() as connection:
                outdated = lake_catalog.outdated(connection, changes)
            for key in outdated:
                self._throw_away(key, changes.pop(key))
            return False
        except Outage:  # whether it was committed is not known
            raise
        except Exception:
            for key, change in changes.items():
                self._throw_away(key, change)
            raise
        return True

    def _throw_away(self, key: TableHour, change: HourChange) -> None:
        """Delete what was written for a change that came too late."""
        if change.fresh:
            self._discard(self._generation(*key, change.generation))

    def _discard(self, generation: Generation) -> None:
        """Delete a fresh generation, into which nobody else writes. In an outage it is left to housekeeping."""
        with suppress(Outage):
            self._delete(generation)

    def _delete(self, generation: Generation) -> None:
        table, hour, number = generation.table, generation.hour, generation.number
        for file in list(self.storage.list(f"{generation_folder(table, hour, number)}/")):
            self.storage.delete(file.path)
        with self.database.begin() as connection:
            lake_catalog.take_back(connection, table, hour, number)

    @contextmanager
    def _fresh(self, table: str, hour: Hour) -> Iterator[Generation]:
        """A generation of the caller's own, announced; discarded when filling it fails by other than an outage."""
        with self.database.begin() as connection:
            number = lake_catalog.allocate_generation(connection, table, hour, datetime.now(UTC))
        generation = self._generation(table, hour, number)
        try:
            yield generation
        except Outage:
            raise
        except Exception:
            self._discard(generation)
            raise

    def _generation(self, table: str, hour: Hour, number: int) -> Generation:
        return Generation(self.storage, self.scratch, table, hour, number)

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
        file = self._generation(table, hour, state.generation).store(batch_id, new, (batch_id,))
        return HourChange(state.version, state.generation, (*(item for item in state.files if item.rows), file))

    def _next_generation(
        self, table: str, hour: Hour, batch_id: str, new: NewFile | None, state: LakeHour
    ) -> HourChange:
        with self._fresh(table, hour) as generation:
            files = []
            for item in state.files:
                if batch_id not in item.members:
                    files += [generation.carry(item)] if item.rows else []
                elif item.source != batch_id and (kept := generation.carry_without(item, batch_id)):
                    files.append(kept)
            if new:
                files.append(generation.store(batch_id, new, (batch_id,)))
            if not files and (schema := lake_tables().get(table)):
                files.append(generation.store_empty(schema))
        return HourChange(state.version, generation.number, tuple(files), fresh=True)
