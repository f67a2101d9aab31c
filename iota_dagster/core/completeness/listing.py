"""What lies in an integration's place, beside what the ledger has of it: the check for sources without digests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from iota_dagster.core.arrival.register import Origin, is_log, register_objects
from iota_dagster.core.model import ObjectRef, ObjectStatus
from iota_dagster.core.store import completeness as store
from iota_dagster.core.store.database import Database, chunked

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Listing:
    """One integration's listed objects: how many the ledger lacks, and how many are not done, by their status.

    `examples` names the first of both; `registered` were entered because the caller asked for it.
    """

    integration: str
    listed: int = 0
    lacking: int = 0
    not_done: Mapping[str, int] = field(default_factory=dict)
    examples: tuple[tuple[str, str], ...] = ()
    registered: int = 0
    error: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything that was listed is done."""
        return not (self.lacking or self.not_done or self.error)


def reconcile(database: Database, refs: Iterable[ObjectRef], origin: Origin, listing: Tally, *, fetch: bool) -> None:
    """Compare a listing of one place with the ledger, part by part; `fetch` registers what the ledger lacks."""
    for part in chunked(filter(is_log, refs), 500):
        with database.read() as connection:
            known = store.states_of(connection, part[0].bucket, [ref.key for ref in part])
        lacking = [ref for ref in part if not listing.add(ref, known.get((ref.key, ref.etag or "")))]
        if fetch:
            found = register_objects(database, lacking, origin.integration, origin.account, origin.region)
            listing.registered += found.new


class Tally:
    """A `Listing` in the making: what is counted stays, if the listing breaks off."""

    def __init__(self, integration: str) -> None:
        self.integration = integration
        self.registered = self._listed = self._lacking = 0
        self._not_done: Counter[str] = Counter()
        self._examples: list[tuple[str, str]] = []

    def add(self, ref: ObjectRef, status: str | None) -> bool:
        """Count an object with its status; whether the ledger has it. A superseded one that is listed has come back."""
        self._listed += 1
        if status is None:
            self._lacking += 1
        elif status != ObjectStatus.DONE:
            self._not_done[status] += 1
        if status != ObjectStatus.DONE and len(self._examples) < SHOWN:
            self._examples.append((f"{ref.bucket}/{ref.key}", status or "not registered"))
        return status is not None and status != ObjectStatus.SUPERSEDED

    def result(self, error: str | None = None) -> Listing:
        """The counts so far."""
        counts = (self._listed, self._lacking, dict(self._not_done), tuple(self._examples), self.registered)
        return Listing(self.integration, *counts, error)
