"""One batch's attempts: fetch, decode and commit, counted so that an object that kills processes is found.

Only a process that dies leaves its attempt counted. A batch with too many of them is halved (`store.attempts`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from iota_dagster.core.batch.fetching import Spool
from iota_dagster.core.batch.prepare import CannotDoAgain, Committed, Preparer
from iota_dagster.core.errors import Outage
from iota_dagster.core.model import Batch, BatchStatus
from iota_dagster.core.store import attempts as attempt_store
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import commit as commits
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.claims import Assignment
from iota_dagster.core.store.database import Database

MOST_DECODINGS = 4
"""How often a batch is decoded in one attempt when a twin takes objects out of it meanwhile."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempts:
    """What attempts at batches need; `forgive_waits` as in `Road`."""

    database: Database
    spool: Spool
    preparer: Preparer
    forgive_waits: Sequence[float]
    clock: Callable[[], datetime]

    def prepare(self, run: RunIdentity, assignment: Assignment) -> list[Committed | CannotDoAgain]:
        """Prepare and commit one claimed batch (or its halves, after too many deaths); nothing if that is done."""
        if assignment.redo:
            return self._do_again(run, assignment) if assignment.batch.status is BatchStatus.DONE else []
        return self._prepare_open(run, assignment.batch)

    def decode_and_commit(self, assignment: Assignment) -> list[Committed | CannotDoAgain]:
        """Fetch, decode and commit; again for what is left, when a twin has taken objects out meanwhile."""
        for _ in range(MOST_DECODINGS - 1):
            with suppress(commits.MembersChanged):
                return self._decode_once(assignment)
            batch = self._reloaded(assignment.batch)
            if batch.status is not assignment.batch.status:  # the twin has ended it
                return []
            assignment = replace(assignment, batch=batch)
        return self._decode_once(assignment)

    def _prepare_open(self, run: RunIdentity, batch: Batch) -> list[Committed | CannotDoAgain]:
        if batch.status is not BatchStatus.OPEN:
            return []
        with self.database.begin() as connection:
            ready = attempt_store.begin_attempt(connection, batch, run, self.clock())
        if [item.id for item in ready] != [batch.id]:
            return [result for half in ready for result in self._prepare_open(run, half)]
        return self._attempt(Assignment(ready[0], redo=False)) if ready[0].status is BatchStatus.OPEN else []

    def _attempt(self, assignment: Assignment) -> list[Committed | CannotDoAgain]:
        """One counted attempt; only a dead process leaves it counted, not an error nor a run that is cancelled."""
        try:
            return self.decode_and_commit(assignment)
        except BaseException as error:
            self._forgive(assignment.batch, self.forgive_waits if isinstance(error, Exception) else ())
            raise

    def _forgive(self, batch: Batch, waits: Sequence[float]) -> None:
        """Take a batch's attempt back; a store that is away is waited for, and never hides what ended the attempt."""
        for wait in (*waits, None):
            try:
                with self.database.begin() as connection:
                    attempt_store.forgive_attempt(connection, batch.id)
                return
            except Outage as error:
                if wait is None:
                    _log.warning("an attempt at batch %s stays counted as a death: %r", batch.id, error)
                else:
                    time.sleep(wait)

    def _do_again(self, run: RunIdentity, assignment: Assignment) -> list[Committed | CannotDoAgain]:
        with self.database.begin() as connection:
            ready = attempt_store.begin_redo(connection, assignment.batch, run)
        results = self._attempt(assignment) if ready else []
        for result in results:
            if isinstance(result, CannotDoAgain):
                why = "missing: " + ", ".join(result.missing)
                with self.database.begin() as connection:
                    attempt_store.give_up_redo(connection, run, assignment.batch.id, why)
        return results

    def _decode_once(self, assignment: Assignment) -> list[Committed | CannotDoAgain]:
        started = time.perf_counter()
        fetched = self.spool.fetch(assignment)
        prepared = self.preparer.decode(fetched.batch, fetched.spooled)
        try:
            result = self.preparer.commit(fetched.batch, prepared, redo=assignment.redo, started=started)
        except commits.AlreadyCommitted:
            self.preparer.work.discard(prepared.work.name)
            return []
        except commits.MembersChanged:
            self.preparer.work.discard(prepared.work.name)
            raise
        if isinstance(result, CannotDoAgain):
            self.preparer.work.discard(prepared.work.name)
        self.spool.forget(fetched.batch)
        return [result]

    def _reloaded(self, batch: Batch) -> Batch:
        with self.database.read() as connection:
            return batch_store.load(connection, batch.id)
