"""Which ids are committed already: bloom filters say "surely not", id files say the rest exactly (DESIGN §2, 4).

A look-up is exact for exactly the admissions it is given. The filter's "no" counts only once the filter covers the id
file of every one of them, and its "perhaps" counts for nothing: it is looked up in the id files. So a filter that is
stale, lost, damaged, over-full or of ones only makes a look-up slower, never wrong.

There is one road for small hours and large ones. Measured on a disk, an hour of 2,000 ids costs 0.3 ms through its
filter (7 KiB), 2 to 4 ms when that must be extended and saved, and 0.2 ms in one id file but 2.4 ms in twenty: a
threshold below which only id files are read would save little, and on S3 would cost one request per admission.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iota_dagster.core.dedup import bloom_files, id_files
from iota_dagster.core.dedup.bloom import IdFilter, capacity_for
from iota_dagster.core.dedup.bloom_files import HourFilter
from iota_dagster.core.dedup.id_files import IdFileLost
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour
from iota_dagster.core.storage import Storage

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Admission:
    """The ids that a batch committed to an event hour: `count` of them, in the id file `file`."""

    batch_id: str
    log_type: str
    hour: Hour
    file: str
    sha256: str
    count: int


@dataclass(frozen=True, slots=True)
class BloomOptions:
    """How filters are sized. Beyond `capacity_max` ids in one hour its filter says "perhaps" more and more often."""

    capacity_max: int = 10_000_000
    error_rate: float = 0.001


@dataclass(frozen=True, slots=True)
class Lookup:
    """The answer for each id asked for, in their order, and what it took.

    `prints` is the committed copy's fingerprint and `admission` the index of its admission, where `seen`; 0 and -1
    elsewhere. Of `checks` ids the filter took `positives` for committed, `false_positives` of them wrongly.
    """

    seen: NDArray[np.bool_]
    prints: NDArray[np.uint64]
    admission: NDArray[np.int32]
    checks: int
    positives: int
    false_positives: int


class SeenEvents:
    """Looks ids up among committed admissions. Holds no state in memory: every look-up starts from the storage.

    `rebuild(admission)` gives the sorted ids of an admission whose id file is lost, from the lake.
    """

    def __init__(
        self,
        storage: Storage,
        rebuild: Callable[[Admission], NDArray[np.void]],
        options: BloomOptions | None = None,
    ) -> None:
        """`storage` holds id files and filters."""
        self._storage, self._rebuild, self._options = storage, rebuild, options or BloomOptions()

    def lookup(self, log_type: str, hour: Hour, admissions: Sequence[Admission], ids: NDArray[np.void]) -> Lookup:
        """Which of the ids (dtype `id_files.ID`, any order) are in one of the admissions of this event hour."""
        found = Lookup(
            seen=np.zeros(len(ids), dtype=np.bool_),
            prints=np.zeros(len(ids), dtype=np.uint64),
            admission=np.full(len(ids), -1, dtype=np.int32),
            checks=len(ids),
            positives=0,
            false_positives=0,
        )
        if not len(ids) or not admissions:
            return found
        filter = self._covering(log_type, hour, admissions)
        return self._confirm(found, ids, np.flatnonzero(filter.might_contain(ids)), admissions)

    def ids_of(self, admission: Admission) -> NDArray[np.void]:
        """An admission's ids, sorted; rebuilt and written back when their file is lost."""
        return self._ids(admission)[0]

    def _covering(self, log_type: str, hour: Hour, admissions: Sequence[Admission]) -> IdFilter:
        """A filter that covers all of the admissions and nothing else."""
        current = bloom_files.load(self._storage, log_type, hour)
        if current is None or not self._fits(current, admissions):
            capacity = capacity_for(_total(admissions), self._options.capacity_max)
            current = HourFilter(IdFilter.sized(capacity, self._options.error_rate))
        missing = [item for item in admissions if (item.file, item.sha256) not in current.covers]
        if missing and self._cover(current, missing):
            bloom_files.save(self._storage, log_type, hour, current)
        return current.filter

    def _fits(self, current: HourFilter, admissions: Sequence[Admission]) -> bool:
        """Whether a saved filter can be extended to these admissions: nothing foreign in it, and room enough."""
        filter, options, total = current.filter, self._options, _total(admissions)
        if not current.covers <= {(item.file, item.sha256) for item in admissions}:
            return False
        roomy = max(total, len(filter)) <= filter.capacity or filter.capacity >= options.capacity_max
        return roomy and filter.capacity <= options.capacity_max and filter.error_rate == options.error_rate

    def _cover(self, current: HourFilter, missing: Sequence[Admission]) -> bool:
        """Add the ids of admissions; False when the filter must not be kept.

        Ids that are not those of the store's checksum hold for this look-up, but not for the next: by then the right
        file may be back, and a kept filter would say "surely not" of ids that it never saw.
        """
        all_verified = True
        for item in missing:
            ids, verified = self._ids(item)
            current.filter.add(ids)
            current.covers.add((item.file, item.sha256))
            all_verified &= verified
        return all_verified

    def _confirm(
        self, found: Lookup, ids: NDArray[np.void], rows: NDArray[np.intp], admissions: Sequence[Admission]
    ) -> Lookup:
        """Look the rows that the filter lets pass up in the id files, until all are found or all files are read."""
        positives = len(rows)
        for number, item in enumerate(admissions):
            if not len(rows):
                break
            stored = self.ids_of(item)
            index = id_files.find(stored, ids[rows])
            hits = rows[index >= 0]
            found.seen[hits] = True
            found.prints[hits] = stored["print"][index[index >= 0]]
            found.admission[hits] = number
            rows = rows[index < 0]
        return Lookup(found.seen, found.prints, found.admission, found.checks, positives, len(rows))

    def _ids(self, admission: Admission) -> tuple[NDArray[np.void], bool]:
        """An admission's ids, and whether they are those that the store's checksum stands for."""
        try:
            return id_files.read(self._storage, admission.file, admission.sha256), True
        except IdFileLost as lost:
            _log.warning("%s: rebuilt from the lake", lost)
        ids = self._rebuild(admission)
        content = id_files.encode(ids)
        if id_files.checksum(content) != admission.sha256:
            words = "id file %s: the lake gives other ids (%d) than were admitted (%d); they are used, not kept"
            _log.warning(words, admission.file, len(ids), admission.count)
            return ids, False
        self._write_back(admission.file, content)
        return ids, True

    def _write_back(self, path: str, content: bytes) -> None:
        try:
            self._storage.write(path, content)
        except Outage as error:
            _log.warning("id file %s was not written back: %s", path, error)


def _total(admissions: Sequence[Admission]) -> int:
    return sum(item.count for item in admissions)
