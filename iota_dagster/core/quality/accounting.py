"""Invariant 1, held against the ledger and against the lake itself, by delivery hour.

Of every done object `records = rows + duplicates + quarantined`; and the lake has as many rows of its key, in the files
of its batch, as the ledger says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

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
    """A delivery hour's done objects: sums, those out of balance, those with other rows in the lake, unread files."""

    hour: Hour
    totals: Mapping[str, int]
    unbalanced: tuple[ObjectCount, ...] = ()
    astray: tuple[Astray, ...] = ()
    unread: tuple[str, ...] = ()

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
            ids = store.published_batches(connection, hour)
            expired = store.has_expired(connection, ids, self.tables)
        astray, unread = self._astray([batch_id for batch_id in ids if batch_id not in expired])
        with self.database.read() as connection:
            if astray and not store.is_settled(connection, hour):  # changed under our eyes
                return None
        return HourAccount(hour, totals, wrong, tuple(astray[:MOST]), tuple(unread[:MOST]))

    def _astray(self, batch_ids: Sequence[str]) -> tuple[list[Astray], list[str]]:
        astray, unread = list[Astray](), dict[str, None]()
        for group in self._groups(batch_ids):
            ledger = Counter({(item.batch_id, *place): n for item in group for place, n in item.rows.items()})
            lake, broken = self._count(group)
            unread |= dict.fromkeys(broken)
            for place in sorted(ledger.keys() | lake.keys()):
                if ledger[place] != lake[place]:
                    astray.append(Astray(place[1], place[2], ledger[place], lake[place]))
        return astray, list(unread)

    def _groups(self, batch_ids: Sequence[str]) -> Iterable[list[BatchRows]]:
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

    def _at_once(self, batch_ids: Sequence[str]) -> list[BatchRows]:
        """Some batches as one moment knows them: beside a compaction, rows of two moments are in two files."""
        with self.database.read() as connection:
            return [store.batch_rows(connection, batch_id) for batch_id in batch_ids]

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
