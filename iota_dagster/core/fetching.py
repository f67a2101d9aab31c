"""Fetching: a batch's log objects onto this machine, in parallel and whole, before anything is decoded."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from iota_dagster.core.errors import ObjectError, ObjectRefused, ObjectSuperseded, ObjectTooLarge
from iota_dagster.core.model import Batch, BatchStatus, LogObject, ObjectRef, ObjectStatus
from iota_dagster.core.objects import ObjectReader
from iota_dagster.core.store import attempts, ledger
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store.claims import Assignment
from iota_dagster.core.store.database import Database


@dataclass(frozen=True, slots=True)
class Fetched:
    """One batch's objects on this machine, and those that could not be had."""

    batch: Batch
    redo: bool
    spooled: Mapping[int, Path]
    failed: tuple[tuple[LogObject, ObjectError], ...] = ()


@dataclass(frozen=True, slots=True)
class Spool:
    """Local copies of the objects in work; a file is there whole or not at all, so that a resumed run finds it."""

    database: Database
    objects: ObjectReader
    scratch: Path
    workers: int
    clock: Callable[[], datetime]

    def fetch(self, assignment: Assignment) -> Fetched:
        """Bring a batch's objects to this machine; one that cannot be read leaves an open batch, with its reason."""
        batch = assignment.batch
        folder = self._folder(batch)
        folder.mkdir(parents=True, exist_ok=True)
        spooled: dict[int, Path] = {}
        failed: list[tuple[LogObject, ObjectError]] = []
        with ThreadPoolExecutor(self.workers) as pool:
            results = pool.map(lambda item: self._fetch_one(item, folder), batch.objects)
            for item, result in zip(batch.objects, results, strict=True):
                if isinstance(result, ObjectError):
                    failed.append((item, result))
                else:
                    spooled[item.id] = result
        if failed and batch.status is BatchStatus.OPEN:
            batch = self._release(batch, failed)
        return Fetched(batch, assignment.redo, spooled, tuple(failed))

    def _fetch_one(self, item: LogObject, folder: Path) -> Path | ObjectError:
        target = folder / str(item.id)
        if target.exists():
            return target
        part = folder / f"{item.id}.{uuid.uuid4().hex[:8]}"
        try:
            self.objects.fetch(item, part)
        except ObjectError as error:
            part.unlink(missing_ok=True)
            return error
        os.replace(part, target)
        return target

    def _release(self, batch: Batch, failed: Sequence[tuple[LogObject, ObjectError]]) -> Batch:
        overwritten = [item for item, error in failed if isinstance(error, ObjectSuperseded)]
        successors = [(item, ref) for item in overwritten if (ref := self._successor(item))]
        with self.database.begin() as connection:
            for item, error in failed:
                attempts.release(connection, item, _status_after(error), error, self.clock())
            for item, successor in successors:
                ledger.register(
                    connection,
                    successor,
                    integration=item.integration,
                    delivery_hour=item.delivery_hour,
                    kind=item.kind,
                    account=item.account,
                    region=item.region,
                    now=self.clock(),
                )
            return batch_store.load(connection, batch.id)

    def _successor(self, item: LogObject) -> ObjectRef | None:
        """What an overwritten object is now: an object of its own; None when it is gone by now."""
        try:
            return self.objects.head(item.bucket, item.key)
        except ObjectError:
            return None

    def forget(self, batch: Batch) -> None:
        """The batch is committed: its objects are not needed here any more."""
        shutil.rmtree(self._folder(batch), ignore_errors=True)

    def _folder(self, batch: Batch) -> Path:
        return self.scratch / "spool" / f"{batch.id}-{batch.revision}"


def _status_after(error: ObjectError) -> ObjectStatus:
    if isinstance(error, ObjectRefused):
        return ObjectStatus.REFUSED
    if isinstance(error, ObjectTooLarge):
        return ObjectStatus.QUARANTINED
    return ObjectStatus.SUPERSEDED if isinstance(error, ObjectSuperseded) else ObjectStatus.MISSING
