"""Fetching: a batch's log objects onto this machine, in parallel and whole, before anything is decoded."""

from __future__ import annotations

import os
import shutil
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from iota_dagster.core.batch.owner import this_boot
from iota_dagster.core.errors import ObjectError, ObjectRefused, ObjectSuperseded, ObjectTooLarge, Outage
from iota_dagster.core.model import Batch, BatchStatus, LogObject, ObjectRef, ObjectStatus
from iota_dagster.core.objects import ObjectReader
from iota_dagster.core.store import attempts, ledger
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store.claims import Assignment
from iota_dagster.core.store.database import Database


@dataclass(frozen=True, slots=True)
class Fetched:
    """One batch's objects on this machine, `bytes` in all, and those that could not be had."""

    batch: Batch
    redo: bool
    spooled: Mapping[int, Path]
    bytes: int = 0
    failed: tuple[tuple[LogObject, ObjectError], ...] = ()
    waiting: tuple[tuple[LogObject, Outage], ...] = ()


class _Outages:
    """Which integrations do not answer: after a few calls in vain the rest of their objects is not even tried.

    One object that always fails must not keep its neighbours from being read, a role that cannot be assumed must not
    cost a call for each of a thousand objects.
    """

    IN_A_ROW = 3

    def __init__(self) -> None:
        self._in_vain: dict[str, list[Outage]] = {}
        self._lock = threading.Lock()

    def of(self, integration: str) -> Outage | None:
        """What is wrong with an integration, once it is clear that something is."""
        with self._lock:
            found = self._in_vain.get(integration, [])
            return found[-1] if len(found) >= self.IN_A_ROW else None

    def note(self, integration: str, outage: Outage | None) -> None:
        """The outcome of one call."""
        with self._lock:
            if outage is None:
                self._in_vain[integration] = []
            else:
                self._in_vain.setdefault(integration, []).append(outage)


@dataclass(frozen=True, slots=True)
class _Copy:
    """A fetched object: its file may be gone at any time, when a twin has committed the batch."""

    path: Path
    bytes: int


@dataclass(frozen=True, slots=True)
class Spool:
    """Local copies of the objects in work; a file is there whole or not at all, so that a resumed run finds it.

    Only files of this host since its last boot are found again: what a power cut leaves of a file that was never synced
    may be anything, and to sync each of a thousand small ones costs more than to fetch them once more.
    """

    database: Database
    objects: ObjectReader
    scratch: Path
    workers: int
    clock: Callable[[], datetime]

    def fetch(self, assignment: Assignment) -> Fetched:
        """Bring a batch's objects to this machine; one that cannot be read leaves an open batch, with its reason.

        So does one whose bucket or role does not answer: it is pending again and waits, the others go on. A batch that
        is done again is kept whole: there an outage is raised.
        """
        batch = assignment.batch
        folder = self._folder(batch)
        folder.mkdir(parents=True, exist_ok=True)
        outages = _Outages()
        with ThreadPoolExecutor(self.workers) as pool:
            results = list(pool.map(lambda item: self._fetch_one(item, folder, outages), batch.objects))
        found = list(zip(batch.objects, results, strict=True))
        copies = {item.id: result for item, result in found if isinstance(result, _Copy)}
        failed = tuple((item, result) for item, result in found if isinstance(result, ObjectError))
        waiting = tuple((item, result) for item, result in found if isinstance(result, Outage))
        if batch.status is BatchStatus.OPEN:
            if failed or waiting:
                batch = self._release(batch, failed, waiting)
        elif waiting:
            raise waiting[0][1]
        spooled = {key: copy.path for key, copy in copies.items()}
        size = sum(copy.bytes for copy in copies.values())
        return Fetched(batch, assignment.redo, spooled, size, failed, waiting)

    def _fetch_one(self, item: LogObject, folder: Path, outages: _Outages) -> _Copy | ObjectError | Outage:
        target = folder / str(item.id)
        if item.size and _size(target) == item.size:  # 0 may mean that it is not known
            return _Copy(target, item.size)
        if (outage := outages.of(item.integration)) is not None:
            return outage
        part = folder / f"{item.id}.{uuid.uuid4().hex[:8]}"
        try:
            self.objects.fetch(item, part)
        except ObjectError as error:
            part.unlink(missing_ok=True)
            outages.note(item.integration, None)
            return error
        except Outage as error:
            part.unlink(missing_ok=True)
            outages.note(item.integration, error)
            return error
        outages.note(item.integration, None)
        copy = _Copy(target, part.stat().st_size)
        os.replace(part, target)
        return copy

    def _release(
        self,
        batch: Batch,
        failed: Sequence[tuple[LogObject, ObjectError]],
        waiting: Sequence[tuple[LogObject, Outage]],
    ) -> Batch:
        overwritten = [item for item, error in failed if isinstance(error, ObjectSuperseded)]
        successors = [(item, ref) for item in overwritten if (ref := self._successor(item))]
        with self.database.begin() as connection:
            members = attempts.open_members(connection, batch.id)  # none when a twin has committed it, with these
            for item, outage in waiting:
                if item.id in members:
                    ledger.wait_out(connection, item, str(outage), self.clock())
            for item, error in failed:
                if item.id in members:
                    attempts.release(connection, item, _status_after(error), error, self.clock())
            for item, successor in successors if members else ():
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
        except (ObjectError, Outage):
            return None  # `iota scan` finds it

    def forget(self, batch: Batch) -> None:
        """The batch is committed: its objects are not needed here any more."""
        shutil.rmtree(self._folder(batch).parent, ignore_errors=True)

    def _folder(self, batch: Batch) -> Path:
        return self.scratch / "spool" / f"{batch.id}-{batch.revision}" / this_boot()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _status_after(error: ObjectError) -> ObjectStatus:
    if isinstance(error, ObjectRefused):
        return ObjectStatus.REFUSED
    if isinstance(error, ObjectTooLarge):
        return ObjectStatus.QUARANTINED
    return ObjectStatus.SUPERSEDED if isinstance(error, ObjectSuperseded) else ObjectStatus.MISSING
