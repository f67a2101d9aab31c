"""One generation of an hour: the folder that its files lie in, and the ways in which a file comes there."""

from __future__ import annotations

import hashlib
import logging
import uuid
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.hours import Hour, hour_folder
from iota_dagster.core.lake import rewrite
from iota_dagster.core.lake.parquet import require_whole
from iota_dagster.core.storage import Storage
from iota_dagster.core.store.lake_catalog import LakeFile

_log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class Generation:
    """Where files of an hour are written to; `scratch` is a folder of this machine for files in the making."""

    storage: Storage
    scratch: Path
    table: str
    hour: Hour
    number: int

    def store(self, source: str, new: NewFile, members: tuple[str, ...]) -> LakeFile:
        """Put a new file."""
        path = lake_path(self.table, self.hour, self.number, source)
        self.storage.upload(path, new.path)
        return LakeFile(self.table, self.hour, source, self.number, path, new.rows, new.bytes, new.sha256, members)

    def store_empty(self, schema: pa.Schema) -> LakeFile:
        """Put a file without rows, which says that there are none."""
        source = f"e-{uuid.uuid4().hex[:20]}"
        target = self.scratch / f"{source}.parquet"
        try:
            return self.store(source, NewFile.of(target, rewrite.write_tables((), schema, target)), ())
        finally:
            target.unlink(missing_ok=True)

    def carry(self, item: LakeFile) -> LakeFile:
        """Copy a file of another generation; a lost one stays lost, and known, and holds up nobody else."""
        path = lake_path(self.table, self.hour, self.number, item.source)
        try:
            self.storage.copy(item.path, path)
        except FileNotFoundError:
            _log.error("%s is not in the lake: its hour goes on without it (see the checks of %s)", path, self.table)
        return replace(item, generation=self.number, path=path)

    def carry_without(self, item: LakeFile, batch_id: str) -> LakeFile | None:
        """Copy a compacted file less one batch's rows; None when nothing is left of it."""
        members = tuple(member for member in item.members if member != batch_id)
        if not self.storage.exists(item.path):
            return replace(self.carry(item), members=members) if members else None
        require_whole(self.storage, item.path, item.sha256, item.bytes)
        target = self.scratch / f"{item.source}-{self.number}.parquet"
        try:
            rows = rewrite.without_batch(self.storage, item.path, batch_id, target)
            return self.store(item.source, NewFile.of(target, rows), members) if rows else None
        finally:
            target.unlink(missing_ok=True)


def generation_folder(table: str, hour: Hour, generation: int) -> str:
    """Where a generation's files lie, relative to the lake: Hive folders, so that any engine can prune by them."""
    return f"{table}/{hour_folder(hour)}/g={generation}"


def lake_path(table: str, hour: Hour, generation: int, source: str) -> str:
    """Where an hour's file lies, relative to the lake."""
    return f"{generation_folder(table, hour, generation)}/{source}.parquet"
