"""Work files: a batch's decoded rows between its preparation and its publication.

A folder per attempt, so that twins never touch each other's files; the commit names the one that counts. It holds Arrow
IPC parts (rows in batch order, see `lake.schema.PART_COLUMNS`), `keep.bits` (one bit per row: whether it is admitted)
and `manifest.json`. Publishing reads nothing else. On a work storage that is not this machine's disk the folder is
uploaded before the commit and fetched again by whoever publishes elsewhere.
"""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from iota_dagster.core.errors import WorkFilesLost
from iota_dagster.core.ingest.ingest import Part
from iota_dagster.core.lake.schema import part_schema
from iota_dagster.core.sources import source_of
from iota_dagster.core.storage import Storage

MANIFEST, KEEP = "manifest.json", "keep.bits"


@dataclass(frozen=True, slots=True)
class WorkFolder:
    """One attempt's folder: `name` in the work storage, `path` on this machine."""

    name: str
    path: Path
    parts: tuple[Part, ...] = ()

    def batches(self, log_type: str | None = None, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The admitted rows, in batch order, a bounded record batch at a time."""
        for batch, keep in self.masked(log_type, columns):
            yield from _admitted(batch, keep)

    def masked(
        self, log_type: str | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
        """All rows in batch order, each record batch with its mask of admitted rows; parts without one are left out."""
        for index, part in enumerate(self.parts):
            if log_type in (None, part.log_type):
                yield from self.masked_part(index, columns)

    def masked_part(
        self, index: int, columns: Sequence[str] | None
    ) -> Iterator[tuple[pa.RecordBatch, NDArray[np.bool_]]]:
        """The same of one part."""
        start = sum(part.rows for part in self.parts[:index])
        keep = self._keep()[start : start + self.parts[index].rows]
        if not keep.any():
            return
        first = 0
        for batch in _read(self.path / self.parts[index].path, columns):
            yield _completed(batch, columns, self.parts[index].log_type), keep[first : first + batch.num_rows]
            first += batch.num_rows

    def all_batches(self, part: Part, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Some columns of one part, of all rows, admitted or not."""
        yield from _read(self.path / part.path, columns)

    def _keep(self) -> NDArray[np.bool_]:
        rows = sum(part.rows for part in self.parts)
        packed = np.fromfile(self.path / KEEP, dtype=np.uint8)
        return np.unpackbits(packed, count=rows).astype(np.bool_)


class WorkArea:
    """All work folders: makes them, keeps them where every run can find them, throws them away."""

    def __init__(self, storage: Storage, scratch: Path) -> None:
        """`scratch` holds folders of a work storage that is not on this machine."""
        self.storage = storage
        self._scratch = scratch

    def create(self, batch_id: str) -> WorkFolder:
        """A new, empty folder for one attempt at a batch."""
        name = f"{batch_id}/{uuid.uuid4().hex[:12]}"
        path = self._path(name)
        path.mkdir(parents=True)
        return WorkFolder(name, path)

    def save(self, folder: WorkFolder, parts: Sequence[Part], keep: NDArray[np.bool_]) -> WorkFolder:
        """Make a folder complete and durable; may be called again with another `keep` before the commit."""
        complete = WorkFolder(folder.name, folder.path, tuple(parts))
        described = [
            {
                "path": part.path,
                "log_type": part.log_type,
                "rows": part.rows,
                "bytes": (folder.path / part.path).stat().st_size,
            }
            for part in parts
        ]
        self._write(complete, KEEP, np.packbits(keep).tobytes())
        self._write(complete, MANIFEST, json.dumps({"parts": described}).encode())
        return complete

    def persist_parts(self, folder: WorkFolder, parts: Sequence[Part]) -> None:
        """Put the parts themselves into a work storage that is not this machine's disk."""
        if self.storage.local_path(folder.name) is None:
            for part in parts:
                self.storage.upload(f"{folder.name}/{part.path}", folder.path / part.path)

    def open(self, name: str) -> WorkFolder:
        """A committed batch's folder; `WorkFilesLost` when it is gone."""
        try:
            described = json.loads(self.storage.read(f"{name}/{MANIFEST}"))
        except FileNotFoundError:
            raise WorkFilesLost(f"the work files {name} are gone") from None
        parts = tuple(Part(item["path"], item["log_type"], item["rows"]) for item in described["parts"])
        path = self._path(name)
        if self.storage.local_path(name) is None:
            self._download(name, path, parts)
        for item in described["parts"]:
            if not (path / item["path"]).is_file() or (path / item["path"]).stat().st_size != item["bytes"]:
                raise WorkFilesLost(f"the work file {name}/{item['path']} is gone or torn")
        return WorkFolder(name, path, parts)

    def _download(self, name: str, path: Path, parts: Sequence[Part]) -> None:
        path.mkdir(parents=True, exist_ok=True)
        for file in (KEEP, *(part.path for part in parts)):
            if not (path / file).exists():
                try:
                    self.storage.download(f"{name}/{file}", path / file)
                except FileNotFoundError:
                    raise WorkFilesLost(f"the work file {name}/{file} is gone") from None

    def discard(self, name: str) -> None:
        """Delete a folder; one that is gone is fine."""
        for file in list(self.storage.list(f"{name}/")):
            self.storage.delete(file.path)
        shutil.rmtree(self._path(name), ignore_errors=True)

    def _path(self, name: str) -> Path:
        return self.storage.local_path(name) or self._scratch / "work" / name

    def _write(self, folder: WorkFolder, file: str, data: bytes) -> None:
        self.storage.write(f"{folder.name}/{file}", data)
        if self.storage.local_path(folder.name) is None:
            (folder.path / file).write_bytes(data)


def _read(path: Path, columns: Sequence[str] | None) -> Iterator[pa.RecordBatch]:
    """Read, never map: mapped pages would count as this process's memory."""
    with pa.OSFile(str(path), "rb") as source:
        reader = pa.ipc.open_file(source, options=_options(source, columns))
        for index in range(reader.num_record_batches):
            yield reader.get_batch(index)


def _completed(batch: pa.RecordBatch, columns: Sequence[str] | None, log_type: str) -> pa.RecordBatch:
    """The batch with nulls in the columns that its log type got after the file was written."""
    missing = [name for name in columns or () if name not in batch.schema.names]
    if not missing:
        return batch
    known = part_schema(source_of(log_type))
    for name in missing:
        batch = batch.append_column(known.field(name), pa.nulls(batch.num_rows, known.field(name).type))
    return batch


def _options(source: pa.OSFile, columns: Sequence[str] | None) -> pa.ipc.IpcReadOptions:
    if columns is None:
        return pa.ipc.IpcReadOptions(use_threads=False)
    schema = pa.ipc.open_file(source).schema
    included = [place for name in columns if (place := schema.get_field_index(name)) >= 0]
    return pa.ipc.IpcReadOptions(included_fields=included, use_threads=False)


def _admitted(batch: pa.RecordBatch, keep: NDArray[np.bool_]) -> Iterator[pa.RecordBatch]:
    if keep.all():
        yield batch
    elif keep.any():
        yield batch.filter(pa.array(keep))
