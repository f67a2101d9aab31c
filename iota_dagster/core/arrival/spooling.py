"""Events that come in the queue itself → log objects of our own, which take the same road as all others.

An object holds EventBridge's envelopes as they came, one a line. Three steps, in this order: the object is written,
its row in the ledger is committed together with the events' ids, the messages are deleted. Whoever dies between two of
them leaves a file that nobody reads, or messages that come again and are known; an event never comes to lie in two
objects of the ledger, since one without an id of its vendor would count as two.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b

import msgspec
import sqlalchemy as sa
from isal import igzip

from iota_dagster.core.arrival.notification import QUEUE, CarriedEvent
from iota_dagster.core.arrival.register import Origin, register_object
from iota_dagster.core.errors import ObjectError, Outage
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.objects import ObjectReader
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import retention, spooled_events
from iota_dagster.core.store.database import Database, chunked

SPOOLED = Origin(QUEUE)
"""Whose the log objects in the spool are."""
FOLDER = "events/"
"""Below the spool's root: only this is read."""
_ID_BYTES = 16
_TRIES = 5


def spooled_prefix(url: str) -> tuple[str, str]:
    """Bucket and prefix of what is spooled in the storage at a URL (`Storage.url`), as log objects carry them."""
    if url.startswith(SCHEME):
        return url, FOLDER
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    return bucket, f"{prefix}/{FOLDER}".lstrip("/")


def event_id(event: CarriedEvent, message_id: str) -> bytes:
    """What tells an event from all others, and the same however it is delivered: by EventBridge's id and its content.

    The id alone would let whoever repeats one suppress another event. An event without an id is its message's.
    """
    named, content = (event.id, event.detail) if event.id else (message_id, event.envelope)
    compact = msgspec.json.format(content, indent=-1)
    return blake2b(named.encode(errors="surrogatepass") + b"\0" + compact, digest_size=_ID_BYTES).digest()


class _SpooledMeanwhile(Exception):
    """Another process has spooled some of the events while this one wrote its object."""


class EventSpool:
    """Keeps events below `events/` of a storage; `objects` must read what lies there. Safe to share by threads."""

    def __init__(self, database: Database, storage: Storage, objects: ObjectReader) -> None:
        """Nothing is written yet."""
        self.bucket, self.prefix = spooled_prefix(storage.url)
        self._database, self._storage, self._objects = database, storage, objects

    def owns(self, bucket: str, key: str) -> bool:
        """Whether an object lies in this spool: then the spool alone registers it, whatever a message says."""
        return bucket == self.bucket and key.startswith(self.prefix)

    def keep(self, events: Mapping[bytes, bytes], now: datetime, beside: Callable[[sa.Connection], object]) -> int:
        """Make envelopes by their `event_id` durable; how many of them are new. Those known already are left out.

        `beside` writes in the same transaction. `Outage` when the storage or the store does not take them: then
        nothing is certain, and trying again is safe.
        """
        for _ in range(_TRIES):
            new = self._unknown(events)
            path = f"{FOLDER}{now:%Y/%m/%d/%H/%Y%m%dT%H%MZ}_{uuid.uuid4().hex}.jsonl.gz"
            written = self._write(path, list(new.values())) if new else None
            try:
                self._enter(written, new, now, beside)
            except _SpooledMeanwhile:
                with suppress(Outage):  # it is in no ledger, so that nobody reads it
                    self._storage.delete(path)
            else:
                return len(new)
        raise Outage(f"{self._storage.url}: others have spooled the same events {_TRIES} times while this was writing")

    def register_unknown(self, now: datetime) -> int:
        """Register what lies here and is in no ledger: of a store that was lost or is older. How many objects."""
        above, found = self.prefix.removesuffix(FOLDER), 0
        for part in chunked(self._storage.list(FOLDER)):
            keys = [above + file.path for file in part]
            with self._database.read() as connection:
                known = retention.known_keys(connection, self.bucket, keys)
            refs = [self._objects.head(self.bucket, key) for key in keys if key not in known]
            with self._database.begin() as connection:
                found += sum(register_object(connection, ref, SPOOLED, now) for ref in refs)
        return found

    def _unknown(self, events: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
        with self._database.read() as connection:
            known = spooled_events.known(connection, events)
        return {name: envelope for name, envelope in events.items() if name not in known}

    def _write(self, path: str, envelopes: list[bytes]) -> ObjectRef:
        """Write an object and look at it as its reader will.

        No two processes write the same name, even if both were given the same message: what one of them has
        registered the other could replace or delete.
        """
        self._storage.write(path, igzip.compress(b"".join(map(_line, envelopes)), mtime=0))
        try:
            return self._objects.head(self.bucket, self.prefix.removesuffix(FOLDER) + path)
        except ObjectError as error:
            raise Outage(f"what was just spooled cannot be read: {error}") from error

    def _enter(
        self,
        written: ObjectRef | None,
        events: Mapping[bytes, bytes],
        now: datetime,
        beside: Callable[[sa.Connection], object],
    ) -> None:
        with self._database.begin() as connection:
            if not spooled_events.add(connection, events.keys(), now):
                raise _SpooledMeanwhile
            if written is not None:
                register_object(connection, written, SPOOLED, now)
            beside(connection)


def _line(envelope: bytes) -> bytes:
    """An envelope on a line of its own: line ends in it stand between tokens, where a space means the same."""
    return envelope.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
