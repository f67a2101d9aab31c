"""`iota repair`: what can be rebuilt of a lost store from its lake, hour by hour; a restored store is completed.

Each event of the lake is kept once and admitted, so that whatever is delivered again is known. Of an hour whose files
the store knows, those are right, and rows of other files are added. Otherwise its newest generation is right, and rows
of older ones are added that it lacks: they may be of a switch that was under way. A row that a redo had removed within
the last day may so come back; none gets lost, none is there twice.

An hour is one transaction. A repair that is interrupted goes on when it is called again, and only its end makes the
lake the store's own (see `lake.ownership`).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.arrival.spooling import EventSpool
from iota_dagster.core.dedup import id_files
from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.hours import hour_folder, hour_key, hour_of, parse_hour_folder
from iota_dagster.core.lake import alert_matches, rewrite
from iota_dagster.core.lake.expiry import Retention
from iota_dagster.core.lake.generation import NewFile, lake_path
from iota_dagster.core.lake.ownership import adopt, read_marker
from iota_dagster.core.lake.parquet import reading
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.recovery.lake_scan import (
    Part,
    Scanned,
    choose,
    ids_by_batch,
    judged_objects,
    objects_of,
    scan_file,
)
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.storage import Storage, StoredFile
from iota_dagster.core.store import identity, lake_catalog, lake_upkeep, rebuilt
from iota_dagster.core.store.lake_catalog import HourChange, LakeFile, LakeHour, TableHour


@dataclass(slots=True)
class Repaired:
    """What a repair did, or would do. `copies` are rows left out because the hour has them already."""

    whole: int = 0  # hours that the store knew as they are
    hours: int = 0
    files: int = 0
    bytes: int = 0
    rows: int = 0
    copies: int = 0
    batches: int = 0
    again: int = 0  # batches to be done again: the store knew other rows of them, or counts duplicates of such
    spooled: int = 0  # objects of the spool, to be processed
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Repair:
    """Rebuilds the store of a lake; `state` takes the id files, `spool` has events that are nowhere else.

    By `retention` an hour that is gone may have been taken since the store's backup.
    """

    lake: Lake
    state: Storage
    spool: EventSpool
    retention: Retention = field(default_factory=Retention)

    def run(
        self,
        now: datetime,
        *,
        dry_run: bool = False,
        restored: bool = False,
        progress: Callable[[TableHour], object] = lambda _: None,
    ) -> Repaired:
        """Rebuild, or only say what would be done; nothing else may be running.

        A lake that is the store's own is left alone, unless the store was `restored` by means that did not tell it so.
        In the end the lake is its own, unless there were problems: they are named, and the rest is done.
        """
        done = Repaired()
        if self.is_own() and not restored:
            return done
        if restored and not dry_run:
            with self.lake.database.begin() as connection:
                identity.renew_store_id(connection)
        for key, files in self._hours(done):
            progress(key)
            try:
                self._repair_hour(key, files, now, dry_run, done)
            except Outage:
                raise
            except IotaError as error:
                done.problems.append(f"{key[0]}, hour {hour_key(key[1])}: {error}")
        self._look_for_the_rest(now, dry_run, done)
        if not dry_run:
            with self.lake.database.begin() as connection:
                rebuilt.release_pending(connection)
            done.spooled = self.spool.register_unknown(now)
        if not dry_run and not done.problems:
            adopt(self.lake.database, self.lake.storage, now)
        return done

    def is_own(self) -> bool:
        """Whether the lake names this store as the one that knows it: then there is nothing to repair."""
        marker = read_marker(self.lake.storage)
        with self.lake.database.read() as connection:
            return marker is not None and marker.store == identity.store_id(connection)

    def _hours(self, done: Repaired) -> Iterator[tuple[TableHour, list[StoredFile]]]:
        """The lake's hours with their files, the event tables before the matches, which name their batches."""
        tables = sorted(lake_tables(), key=lambda name: (name == alert_matches.TABLE, name))
        for table in tables:
            files = (file for file in self.lake.storage.list(f"{table}/") if file.path.endswith(".parquet"))
            for folder, group in groupby(files, key=lambda file: file.path.partition("/g=")[0]):
                try:
                    hour = parse_hour_folder(folder)
                except ValueError:
                    done.problems.append(f"{folder}: this is no hour of a table of the lake")
                    continue
                yield (table, hour), list(group)

    def _look_for_the_rest(self, now: datetime, dry_run: bool, done: Repaired) -> None:
        """Hours whose files the store names and the lake no longer has: nothing of them is listed."""
        with self.lake.database.read() as connection:
            named = lake_catalog.hours_with_files(connection)
        for key in named:
            listed = self.lake.storage.list(f"{key[0]}/{hour_folder(key[1])}/")
            if not any(listed) and not self._expired(key, now, dry_run, done):
                done.problems.append(f"{key[0]}, hour {hour_key(key[1])}: the files that the store names are gone")

    def _expired(self, key: TableHour, now: datetime, dry_run: bool, done: Repaired) -> bool:
        """Whether an hour that is gone is past its days, so that retention has taken it; note that it has."""
        with self.lake.database.read() as connection:
            wanted_back = lake_catalog.read_hour(connection, *key).reopened
        keep = self.retention.of(key[0])
        if keep is None or wanted_back or key[1] >= hour_of(now - keep):
            return False
        done.hours += 1
        if not dry_run:
            self.lake.expire_hour(*key, now)
        return True

    def _repair_hour(
        self, key: TableHour, files: Sequence[StoredFile], now: datetime, dry_run: bool, done: Repaired
    ) -> None:
        with self.lake.database.read() as connection:
            state = lake_catalog.read_hour(connection, *key)
            retired = rebuilt.retired_among(connection, [file.path for file in files])
        found = [file for file in files if file.path not in retired]
        if {file.path for file in found} == {item.path for item in state.files}:
            done.whole += 1
            return
        if not found:
            if self._expired(key, now, dry_run, done):
                return
            raise IotaError("the files that the store names are gone, and there are no others")
        parts = choose([self._scan(key[0], file, base) for file, base in _in_order(state, found)])
        done.hours += 1
        done.files += len(found)
        done.bytes += sum(file.size for file in found)
        done.rows += sum(int(part.wanted.sum()) for part in parts)
        done.copies += sum(int((~part.wanted).sum()) for part in parts)
        if dry_run:
            return
        if state.expired:
            state = self._brought_back(key, now)
        self._write(key, state, parts, now, done)

    def _brought_back(self, key: TableHour, now: datetime) -> LakeHour:
        """An hour that retention had taken before the backup: somebody has wanted it back since, or it had no files."""
        log_type = None if key[0] == alert_matches.TABLE else _log_type(key[0])
        with self.lake.database.begin() as connection:
            lake_upkeep.bring_back(connection, key[0], log_type, [key[1]], now)
            return lake_catalog.read_hour(connection, *key)

    def _scan(self, table: str, file: StoredFile, base: bool) -> Scanned:
        with self._local(file.path) as path, reading(self.lake.storage, file.path):
            return scan_file(path, file.path, table, base)

    @contextmanager
    def _local(self, path: str) -> Iterator[Path]:
        """The file on this machine; from elsewhere it is fetched."""
        here = self.lake.storage.local_path(path)
        if here is not None:
            yield here
            return
        target = self.lake.scratch / f"repair-{uuid.uuid4().hex}.parquet"
        try:
            self.lake.storage.download(path, target)
            yield target
        finally:
            target.unlink(missing_ok=True)

    def _write(self, key: TableHour, state: LakeHour, parts: Sequence[Part], now: datetime, done: Repaired) -> None:
        table, hour = key
        known = {item.path: item for item in state.files}
        adopted = [known.get(part.scanned.path) or _as_lake_file(key, part.scanned) for part in parts if part.adopted]
        rest = [part for part in parts if not part.adopted and part.wanted.any()]
        last = max(_generation(part.scanned.path) for part in parts)
        with self.lake.database.begin() as connection:
            lake_catalog.reserve_generations(connection, table, hour, last)
        fresh = bool(rest) or len({item.generation for item in adopted}) != 1
        if fresh:
            generation, files = self._next_generation(key, adopted, rest, now)
        else:
            generation, files = adopted[0].generation, adopted
        admitted, gone = ([], set()) if table == alert_matches.TABLE else self._admissions(key, parts)
        with self.lake.database.begin() as connection:
            change = HourChange(state.version, generation, tuple(files), fresh)
            lake_catalog.apply(connection, {key: change}, now)
            lake_catalog.retire(connection, {part.scanned.path for part in parts} - {item.path for item in files}, now)
            if table == alert_matches.TABLE:
                rebuilt.note_judged(connection, judged_objects(parts), now)
                return
            event_hour = (_log_type(table), hour)
            counted = rebuilt.admitted(connection, event_hour)
            entered = rebuilt.enter_objects(connection, objects_of(parts), counted)
            done.batches += entered.batches
            done.again += entered.opened + rebuilt.replace_admissions(connection, event_hour, admitted, gone, now)

    def _next_generation(
        self, key: TableHour, adopted: Sequence[LakeFile], rest: Sequence[Part], now: datetime
    ) -> tuple[int, list[LakeFile]]:
        """Everything that is wanted in a folder of its own: files as they are, and rows of the others in a new one."""
        with self.lake.database.begin() as connection:
            generation = lake_catalog.allocate_generation(connection, *key, now)
        files = []
        for item in adopted:
            path = lake_path(*key, generation, item.source)
            self.lake.storage.copy(item.path, path)
            files.append(replace(item, generation=generation, path=path))
        if rest:
            files.append(self._joined(key, generation, rest))
        return generation, files

    def _joined(self, key: TableHour, generation: int, rest: Sequence[Part]) -> LakeFile:
        source, schema = f"r-{uuid.uuid4().hex[:20]}", lake_tables()[key[0]]
        target = self.lake.scratch / f"{source}.parquet"

        def wanted() -> Iterator[pa.Table]:
            for part in rest:
                start = 0
                for group in rewrite.row_groups(self.lake.storage, part.scanned.path):
                    mask = part.wanted[start : start + group.num_rows]
                    start += group.num_rows
                    yield rewrite.conform(group.filter(pa.array(mask)), schema)

        try:
            new = NewFile.of(target, rewrite.write_tables(wanted(), schema, target))
            path = lake_path(*key, generation, source)
            self.lake.storage.upload(path, target)
        finally:
            target.unlink(missing_ok=True)
        members = sorted({name for part in rest for name in part.scanned.batches_of(part.wanted)})
        return LakeFile(*key, source, generation, path, new.rows, new.bytes, new.sha256, tuple(members))

    def _admissions(self, key: TableHour, parts: Sequence[Part]) -> tuple[list[Admission], set[str]]:
        """An id file for each batch whose ids the store lacks or has otherwise, and whose admission has no row here.

        What is committed and not published stays admitted as it is: its rows will follow.
        """
        log_type, hour = _log_type(key[0]), key[1]
        with self.lake.database.read() as connection:
            known, unpublished = rebuilt.admitted(connection, (log_type, hour)), rebuilt.unpublished(connection)
        found, made = ids_by_batch(parts), []
        for batch_id in sorted(found.keys() - unpublished):
            ids = found[batch_id]
            content = id_files.encode(ids)
            sha256 = id_files.checksum(content)
            if known.get(batch_id) != sha256:
                file = f"ids/{log_type}/{hour_folder(hour)}/{batch_id}-rebuilt-{uuid.uuid4().hex[:12]}.ids"
                self.state.write(file, content)
                made.append(Admission(batch_id, log_type, hour, file, sha256, len(ids)))
        return made, known.keys() - found.keys() - unpublished


def _in_order(state: LakeHour, found: Sequence[StoredFile]) -> list[tuple[StoredFile, bool]]:
    """The files, those that are right first, marked so; then the others, the newest generation first."""
    known = {item.path for item in state.files}
    if not known or not known <= {file.path for file in found}:
        newest = max(_generation(file.path) for file in found)
        known = {file.path for file in found if _generation(file.path) == newest}
    base = [(file, True) for file in found if file.path in known]
    others = sorted((file for file in found if file.path not in known), key=lambda item: -_generation(item.path))
    return base + [(file, False) for file in others]


def _as_lake_file(key: TableHour, scanned: Scanned) -> LakeFile:
    source = scanned.path.rpartition("/")[2].removesuffix(".parquet")
    members = tuple(sorted(scanned.batches))
    new = scanned.file
    return LakeFile(*key, source, _generation(scanned.path), scanned.path, new.rows, new.bytes, new.sha256, members)


def _generation(path: str) -> int:
    folder = path.split("/")[-2]
    if not folder.removeprefix("g=").isdigit():
        raise IotaError(f"{path}: its folder is no generation (g=N)")
    return int(folder.removeprefix("g="))


def _log_type(table: str) -> str:
    return next(name for name, source in SOURCES.items() if source.table == table)
