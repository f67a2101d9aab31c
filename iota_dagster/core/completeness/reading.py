"""Digests that are done → what they list, in the store: each is fetched once more, verified and kept.

One that cannot be had is noted, so that the next look goes on beyond it: what was never tried comes first, then those
that could not be had, the one whose last try was longest ago before the others.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from iota_dagster.core.alerting.text import storable_text
from iota_dagster.core.arrival.object_key import KeyKind, parse_object_key
from iota_dagster.core.completeness.digest import (
    BACKFILL,
    Digest,
    DigestUnreadable,
    ListedFile,
    log_folder,
    read_digest,
)
from iota_dagster.core.completeness.signature import SignatureSource, check_signature
from iota_dagster.core.errors import ObjectError, ObjectMissing, Outage
from iota_dagster.core.hours import hour_start
from iota_dagster.core.model import LogObject
from iota_dagster.core.objects import ObjectReader
from iota_dagster.core.store import completeness as store
from iota_dagster.core.store.completeness import DigestRow
from iota_dagster.core.store.database import Database

UNREADABLE = "unreadable"
MOST_DIGESTS = 2_000
"""Digests of one look and integration: more of them wait for the next."""
IN_A_ROW = 3
"""So many outages of an integration one after the other, and it is left alone until the next look."""
MOST_IN_VAIN = 100
"""Digests of one look and integration that are tried again in vain."""
MOST_NAMED = 1_000
"""Digests that could not be had and are named; all are counted."""
LONGEST = 1_000
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a look has read: digests and the files that they list; `waiting` says why some could not be had.

    `is_complete` unless there are more that were not tried, and that the next look can try.
    """

    digests: int = 0
    files: int = 0
    waiting: tuple[str, ...] = ()
    is_complete: bool = True


@dataclass(slots=True)
class _Look:
    """One integration's look in the making: what was read, and how many tries were in vain."""

    rows: list[DigestRow] = field(default_factory=list)
    in_vain: int = 0
    outages: int = 0

    @property
    def is_out(self) -> bool:
        """Whether its place does not answer."""
        return self.outages >= IN_A_ROW


@dataclass(frozen=True, slots=True)
class DigestReader:
    """Reads digests through the same reader, roles and limits as any log object."""

    database: Database
    objects: ObjectReader
    signatures: SignatureSource
    scratch: Path
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def read_new(self, hours: range, limit: int = MOST_DIGESTS) -> Reading:
        """Read the digests of some delivery hours that are done and have not been read, oldest first.

        Of each integration `limit` new ones at most. One that cannot be had now (an outage, a refusal) is told and
        tried again by the next calls, `MOST_IN_VAIN` of them each time; one that is no digest is kept as unreadable.
        """
        with self.database.read() as connection:
            new = store.unread_digests(connection, hours, limit)
            again = store.digests_to_try_again(connection, hours, limit)
        looks = {name: _Look() for name in new | again}
        for name, look in looks.items():
            self._read_some(new.get(name, ()), look, in_vain=limit)
            look.in_vain = 0
            self._read_some(again.get(name, ()), look, in_vain=MOST_IN_VAIN)
        with self.database.read() as connection:
            named, total = store.digests_not_had(connection, hours, MOST_NAMED)
        waiting = (*named, *([f"and {total - len(named):,} more digests"] if total > len(named) else ()))
        rows = [row for look in looks.values() for row in look.rows]
        is_complete = all(look.is_out or len(new.get(name, ())) < limit for name, look in looks.items())
        return Reading(len(rows), sum(row.files for row in rows), waiting, is_complete)

    def _read_some(self, items: Sequence[LogObject], look: _Look, in_vain: int) -> None:
        for item in items:
            if look.is_out or look.in_vain >= in_vain:
                return
            try:
                look.rows.append(self._read(item))
                look.outages = 0
            except (ObjectError, Outage) as error:
                look.in_vain += 1
                look.outages = look.outages + 1 if isinstance(error, Outage) else 0
                self._note(item, error)

    def _note(self, item: LogObject, error: ObjectError | Outage) -> None:
        state = store.GONE if isinstance(error, ObjectMissing) else store.UNAVAILABLE
        with self.database.begin() as connection:
            store.note_not_had(connection, self._row(item, None, state, str(error)))

    def _read(self, item: LogObject) -> DigestRow:
        row, files = self._examined(item)
        with self.database.begin() as connection:
            if files and not store.has_earlier(connection, row):
                files = tuple(file for file in files if not _is_digest(file))  # the chain begins before we do
            store.add_digest(connection, row, files)
        return row

    def _examined(self, item: LogObject) -> tuple[DigestRow, tuple[ListedFile, ...]]:
        try:
            digest = self._fetched(item)
            digest.require_near(item.delivery_hour)
            files = digest.listed_from(item.bucket, item.key)
            signature = check_signature(digest, item, self.signatures)
        except DigestUnreadable as error:
            return self._row(item, None, UNREADABLE, str(error)), ()
        if signature.state not in store.TRUSTED:
            return self._row(item, None, signature.state, signature.why), ()
        return self._row(item, digest, signature.state, signature.why), files

    def _fetched(self, item: LogObject) -> Digest:
        self.scratch.mkdir(parents=True, exist_ok=True)
        path = self.scratch / f"digest-{uuid.uuid4().hex}"
        try:
            self.objects.fetch(item, path)
            return read_digest(path)
        finally:
            path.unlink(missing_ok=True)

    def _row(self, item: LogObject, digest: Digest | None, state: str, why: str) -> DigestRow:
        """What is kept. Of one that is not trusted (None) nothing counts that it says: its name says when it ends."""
        hour = hour_start(item.delivery_hour)
        return DigestRow(
            object_id=item.id,
            integration=item.integration,
            bucket=item.bucket,
            key=item.key,
            folder=log_folder(item.key) or "",
            backfill=BACKFILL in item.key,
            start_at=digest.start if digest else hour,
            end_at=digest.end if digest else hour,
            files=len(digest.files) if digest else 0,
            state=state,
            why=storable_text(why)[:LONGEST],
            read_at=self.clock(),
        )


def _is_digest(file: ListedFile) -> bool:
    return parse_object_key(file.key).kind is KeyKind.DIGEST
