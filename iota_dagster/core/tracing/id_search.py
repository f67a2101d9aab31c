"""Which batch admitted an event: by filters and id files, hour by hour from the newest on, not by reading the lake.

Only hours whose id files are kept are searched. Older ones would have to be read from the lake whole, so that is done
for hours that somebody names. Nothing is written: a lost filter or id file is somebody else's to make again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from iota_dagster.core.dedup import bloom_files, id_files
from iota_dagster.core.dedup.id_files import IdFileLost, make_ids
from iota_dagster.core.dedup.identity import digest
from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.alert_matches import TABLE
from iota_dagster.core.lake.lookup import present
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import lineage, retention
from iota_dagster.core.store.commit import EventHour
from iota_dagster.core.store.database import Database, chunked
from iota_dagster.core.store.lineage import RowFile

THREADS = 8
"""Hours looked at beside each other: on S3 each is a request or two."""
_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Located:
    """An event's admission: by which batch, to which event hour of which log type."""

    event_id: str
    log_type: str
    hour: Hour
    batch_id: str


@dataclass(frozen=True, slots=True)
class Search:
    """What a search came to; `hours` were looked at, `too_old` were not as their id files are gone."""

    found: Located | None
    hours: int
    too_old: int = 0


@dataclass(frozen=True, slots=True)
class IdSearch:
    """Looks events up over a store, a lake and the state storage."""

    database: Database
    lake: Storage
    state: Storage

    def newest(self, event_ids: Sequence[str], log_types: Sequence[str], kept_since: datetime) -> Search:
        """The newest event with one of the ids, among the hours with an admission since a moment."""
        with self.database.read() as connection:
            keys = lineage.hours_with_events(connection, None, log_types)
            old = set(retention.quiet_hours(connection, kept_since))
        young = [key for key in keys if key not in old]
        found, looked = self._in_hours(young, event_ids)
        return Search(found, looked, len(keys) - len(young))

    def within(self, event_ids: Sequence[str], log_types: Sequence[str], hours: range) -> Search:
        """The newest event with one of the ids in some event hours, however old."""
        with self.database.read() as connection:
            keys = lineage.hours_with_events(connection, hours, log_types)
        return Search(*self._in_hours(keys, event_ids))

    def among(self, event_ids: Sequence[str], keys: Sequence[EventHour]) -> Search:
        """The same in certain event hours of certain log types."""
        return Search(*self._in_hours(keys, event_ids))

    def _in_hours(self, keys: Sequence[EventHour], event_ids: Sequence[str]) -> tuple[Located | None, int]:
        looked = 0
        with ThreadPoolExecutor(THREADS, "id-search") as pool:
            for part in chunked(keys, _AT_ONCE):
                with self.database.read() as connection:
                    admitted = lineage.admissions_to(connection, part)
                for found in pool.map(lambda key, held=admitted: self._in_hour(key, held[key], event_ids), part):
                    looked += 1
                    if found is not None:
                        return found, looked
        return None, looked

    def _in_hour(self, key: EventHour, admitted: Sequence[Admission], event_ids: Sequence[str]) -> Located | None:
        """A filter that covers an id file spares reading it; what else there is, is read."""
        if not admitted:
            return None
        ids = _digests(key[0], event_ids)
        saved = bloom_files.load(self.state, *key)
        perhaps = ids if saved is None else ids[saved.filter.might_contain(ids)]
        for item in admitted:
            is_covered = saved is not None and (item.file, item.sha256) in saved.covers
            wanted = perhaps if is_covered else ids
            name = self._in_admission(item, wanted, event_ids) if len(wanted) else None
            if name is not None:
                return Located(name, *key, item.batch_id)
        return None

    def _in_admission(self, item: Admission, wanted: NDArray[np.void], event_ids: Sequence[str]) -> str | None:
        try:
            stored = id_files.read(self.state, item.file, item.sha256)
        except IdFileLost:
            return self._in_lake(item, event_ids)
        hits = wanted[id_files.find(stored, wanted) >= 0]
        return event_ids[int(hits["print"][0])] if len(hits) else None

    def _in_lake(self, item: Admission, event_ids: Sequence[str]) -> str | None:
        with self.database.read() as connection:
            files = event_files(lineage.files_of(connection, item.batch_id, item.hour), item.log_type)
        return next((name for file in files if (name := present(self.lake, file.path, event_ids))), None)


def event_files(files: Iterable[RowFile], log_type: str) -> list[RowFile]:
    """Those of some files that hold events of a log type; of a type that this process does not know, of any."""
    source = SOURCES.get(log_type)
    return [file for file in files if file.table == (source.table if source else file.table) != TABLE]


def _digests(log_type: str, event_ids: Sequence[str]) -> NDArray[np.void]:
    """What to look for; in the place of a fingerprint each has its number, so that it is known again."""
    joined = b"".join(digest(log_type, name) for name in event_ids)
    return make_ids(joined, np.arange(len(event_ids), dtype=np.uint64))


def spellings(asked: str, accounts: Sequence[str]) -> Sequence[str]:
    """What an event may be called that somebody knows by its vendor's id alone: that of each account."""
    if any(asked.startswith(f"{account}:") for account in accounts):
        return [asked]
    return [asked, *(f"{account}:{asked}" for account in accounts)]
