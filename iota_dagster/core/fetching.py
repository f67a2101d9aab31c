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

from iota_dagster.core.errors import ObjectError, ObjectRefused, ObjectSuperseded, ObjectTooLarge, Outage
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
class Spool:
    """Local copies of the objects in work; a file is there whole or not at all, so that a resumed run finds it."""

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
        spooled = {item.id: result for item, result in found if isinstance(result, Path)}
        failed = tuple((item, result) for item, result in found if isinstance(result, ObjectError))
        waiting = tuple((item, result) for item, result in found if isinstance(result, Outage))
        if batch.status is BatchStatus.OPEN:
            if failed or waiting:
                batch = self._release(batch, failed, waiting)
        elif waiting:
            raise waiting[0][1]
        return Fetched(batch, assignment.redo, spooled, failed, waiting)

    def _fetch_one(self, item: LogObject, folder: Path, outages: _Outages) -> Path | ObjectError | Outage:
        target = folder / str(item.id)
        if target.exists():
            return target
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
        os.replace(part, target)
        return target

    def _release(
        self,
        batch: Batch,
        failed: Sequence[tuple[LogObject, ObjectError]],
        waiting: Sequence[tuple[LogObject, Outage]],
    ) -> Batch:
        overwritten = [item for item, error in failed if isinstance(error, ObjectSuperseded)]
        successors = [(item, ref) for item in overwritten if (ref := self._successor(item))]
        with self.database.begin() as connection:
            if not attempts.is_open(connection, batch.id):  # a twin has committed it, with these objects
                return batch_store.load(connection, batch.id)
            for item, outage in waiting:
                ledger.wait_out(connection, item, str(outage), self.clock())
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
        except (ObjectError, Outage):
            return None  # `iota scan` finds it

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
