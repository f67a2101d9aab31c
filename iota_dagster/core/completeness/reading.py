"""Digests that are done → what they list, in the store: each is fetched once more, verified and kept."""

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
from iota_dagster.core.errors import ObjectError, Outage
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
"""So many digests of an integration in vain, and the others are not tried."""
LONGEST = 1_000
"""Characters of a reason that are kept."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a look has read: digests and the files that they list; `waiting` says why some were left for later."""

    digests: int = 0
    files: int = 0
    waiting: tuple[str, ...] = ()
    is_complete: bool = True


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

        Of each integration `limit` at most. One that cannot be had now (an outage, a refusal) is told and tried again
        by the next call, after three in a row the rest of its integration's too; one that is no digest is kept as
        unreadable.
        """
        with self.database.read() as connection:
            found = store.unread_digests(connection, hours, limit)
        rows, waiting = list[DigestRow](), list[str]()
        for items in found.values():
            self._read_some(items, rows, waiting)
        is_complete = all(len(items) < limit for items in found.values())
        return Reading(len(rows), sum(row.files for row in rows), tuple(waiting), is_complete)

    def _read_some(self, items: Sequence[LogObject], rows: list[DigestRow], waiting: list[str]) -> None:
        in_vain = 0
        for item in items:
            try:
                rows.append(self._read(item))
            except (ObjectError, Outage) as error:
                waiting.append(str(error))
                in_vain += 1
            else:
                in_vain = 0
            if in_vain == IN_A_ROW:
                return

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
