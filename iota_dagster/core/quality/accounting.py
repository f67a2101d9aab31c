"""Invariant 1, held against the ledger and against the lake itself, by delivery hour.

Of every done object `records = rows + duplicates + quarantined`; and the lake has as many rows of its key, in the files
of its batch, as the ledger says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from iota_dagster.core.errors import LakeFileDamaged
from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.quality.checks import AccountCheck
from iota_dagster.core.quality.files import FileReader
from iota_dagster.core.store import accounting as store
from iota_dagster.core.store.accounting import BatchRows, ObjectCount
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.lake_catalog import LakeFile

MOST = 100
"""Objects of one hour that are named; all are counted in the totals."""
OBJECTS_AT_ONCE = 20_000
"""Objects whose rows are counted in one reading of the files: a compacted file holds many batches."""
_COLUMNS = ("p_batch", "p_source_bucket", "p_source_key")
_Place = tuple[str, str, str]
"""(batch, bucket, key)."""


@dataclass(frozen=True, slots=True)
class Astray:
    """A log object whose rows in the lake are not as many as the ledger says."""

    bucket: str
    key: str
    ledger: int
    lake: int


@dataclass(frozen=True, slots=True)
class HourAccount:
    """A delivery hour's done objects: sums, those out of balance, those with other rows in the lake, unread files.

    Batches that were wanted back in vain after retention took their rows are left out of the comparison with the lake.
    """

    hour: Hour
    totals: Mapping[str, int]
    unbalanced: tuple[ObjectCount, ...] = ()
    astray: tuple[Astray, ...] = ()
    unread: tuple[str, ...] = ()
    not_brought_back: int = 0

    @property
    def name(self) -> str:
        """The hour, for people."""
        return hour_key(self.hour)

    @property
    def failed(self) -> frozenset[AccountCheck]:
        """The checks that found something wrong."""
        wrong = {AccountCheck.RECORDS: self.unbalanced, AccountCheck.ROWS: self.astray or self.unread}
        return frozenset(check for check, found in wrong.items() if found)

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.failed


@dataclass(frozen=True, slots=True)
class _Group:
    """Batches whose rows have to be in the lake, and those that have none there with good reason."""

    rows: Sequence[BatchRows]
    not_brought_back: frozenset[str]


@dataclass(slots=True)
class _Lake:
    """What the lake was found to hold, so far; the keys of `unread` are files."""

    astray: list[Astray] = field(default_factory=list)
    unread: dict[str, None] = field(default_factory=dict)
    not_brought_back: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Accountant:
    """Compares the ledger with the lake; `tables` are the lake's event tables by log type."""

    database: Database
    files: FileReader
    tables: Mapping[str, str]

    def account(self, hour: Hour) -> HourAccount | None:
        """A delivery hour's account; None while a batch of it is about to change something. Raises `Outage`."""
        with self.database.read() as connection:
            if not store.is_settled(connection, hour):
                return None
            totals = store.totals(connection, hour)
            wrong = tuple(store.unbalanced(connection, hour, MOST))
            revisions = store.published_batches(connection, hour)
        lake = self._compared(sorted(revisions))
        if lake.astray and not self._is_still(hour, revisions):
            return None
        return HourAccount(
            hour, totals, wrong, tuple(lake.astray[:MOST]), tuple(lake.unread)[:MOST], len(lake.not_brought_back)
        )

    def _is_still(self, hour: Hour, revisions: Mapping[str, int]) -> bool:
        """Whether nothing was done again under our eyes: new counts stand beside old files until it is published."""
        with self.database.read() as connection:
            now = store.published_batches(connection, hour)
            return store.is_settled(connection, hour) and revisions.items() <= now.items()

    def _compared(self, batch_ids: Sequence[str]) -> _Lake:
        found = _Lake()
        for group in self._groups(batch_ids):
            found.not_brought_back |= group.not_brought_back
            ledger = Counter({(item.batch_id, *place): n for item in group.rows for place, n in item.rows.items()})
            lake, broken = self._count(group.rows)
            found.unread |= dict.fromkeys(broken)
            for place in sorted(ledger.keys() | lake.keys()):
                if ledger[place] != lake[place]:
                    found.astray.append(Astray(place[1], place[2], ledger[place], lake[place]))
        return found

    def _groups(self, batch_ids: Sequence[str]) -> Iterable[_Group]:
        with self.database.read() as connection:
            sizes = store.object_counts(connection, batch_ids)
        group, objects = list[str](), 0
        for batch_id in batch_ids:
            group.append(batch_id)
            objects += sizes.get(batch_id, 0)
            if objects >= OBJECTS_AT_ONCE:
                yield self._at_once(group)
                group, objects = [], 0
        if group:
            yield self._at_once(group)

    def _at_once(self, batch_ids: Sequence[str]) -> _Group:
        """Some batches as one moment knows them: beside a compaction, rows of two moments are in two files."""
        with self.database.read() as connection:
            gone = store.rows_gone(connection, batch_ids, self.tables)
            there = [name for name in batch_ids if name not in gone.expired | gone.not_brought_back]
            return _Group([store.batch_rows(connection, name) for name in there], gone.not_brought_back)

    def _count(self, group: Iterable[BatchRows]) -> tuple[Counter[_Place], list[str]]:
        """The rows of some batches in the lake, by batch and object; and the files that could not be read."""
        files = {file.path: file for item in group for file in item.files}
        ids = pa.array(sorted({item.batch_id for item in group}))
        found, broken = Counter[_Place](), list[str]()
        for path, file in sorted(files.items()):
            try:
                found.update(self._in_file(file, ids))
            except LakeFileDamaged as why:
                broken.append(f"{path}: {why.what}")
        return found, broken

    def _in_file(self, file: LakeFile, ids: pa.Array) -> Counter[_Place]:
        found: Counter[_Place] = Counter()
        for rows in self.files.batches(file, _COLUMNS):
            counted = pa.table(rows).group_by(list(_COLUMNS)).aggregate([([], "count_all")])
            mine = pa.compute.is_in(counted["p_batch"], value_set=ids)
            for row in counted.filter(mine).to_pylist():
                found[row["p_batch"], row["p_source_bucket"], row["p_source_key"]] += row["count_all"]
        return found
