"""Making a lost id file again: from the lake's own rows, or from work files when they are not in the lake yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.dedup.copies import as_ids
from iota_dagster.core.dedup.id_files import ID, make_ids, sorted_ids
from iota_dagster.core.dedup.identity import digest, fingerprint
from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.lake.parquet import open_reader
from iota_dagster.core.sources import source_of
from iota_dagster.core.storage import Storage
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.database import Database

_ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, slots=True)
class IdRebuilder:
    """Answers an admission's ids without its id file; call it with an `Admission`."""

    database: Database
    lake: Storage
    work: WorkArea

    def __call__(self, admission: Admission) -> NDArray[np.void]:
        """The admission's ids, sorted."""
        table = source_of(admission.log_type).table
        with self.database.read() as connection:
            batch = batch_store.load(connection, admission.batch_id)
            lake_hour = lake_catalog.read_hour(connection, table, admission.hour)
        paths = [item.path for item in lake_hour.files if admission.batch_id in item.members]
        gone = lake_hour.reopened and not paths and batch.lake_at is not None
        if lake_hour.expired or gone:  # retention took its rows: there is none that a copy could lie beside
            return np.empty(0, dtype=ID)
        # Until this revision is published, the lake holds the last one's rows.
        published = paths and batch.lake_at is not None
        ids = self._from_lake(admission, paths) if published else self._from_work(admission, batch.work or "")
        return sorted_ids(ids)

    def _from_lake(self, admission: Admission, paths: list[str]) -> NDArray[np.void]:
        found = [np.empty(0, dtype=ID)]
        for path in paths:
            with open_reader(self.lake, path) as file:
                for rows in file.batches(_ROWS_AT_ONCE, ["p_batch", "p_event_id", "p_raw"]):
                    mine = rows.filter(pc.equal(rows["p_batch"], pa.scalar(admission.batch_id)))
                    found.append(_identities(admission, mine))
        return np.concatenate(found)

    def _from_work(self, admission: Admission, name: str) -> NDArray[np.void]:
        columns = ["_digest", "_fingerprint", "_hour"]
        found = [np.empty(0, dtype=ID)]
        for rows in self.work.open(name).batches(admission.log_type, columns):
            rows = rows.filter(pc.equal(rows["_hour"], pa.scalar(admission.hour, pa.int32())))
            found.append(as_ids(rows.column("_digest"), rows.column("_fingerprint")))
        return np.concatenate(found)


def _identities(admission: Admission, rows: pa.RecordBatch) -> NDArray[np.void]:
    digests = b"".join(digest(admission.log_type, event_id) for event_id in _texts(rows, "p_event_id"))
    prints = [fingerprint(text.encode()) for text in _texts(rows, "p_raw")]
    return make_ids(digests, np.array(prints, dtype=np.uint64))


def _texts(rows: pa.RecordBatch, name: str) -> list[str]:
    return cast("list[str]", rows.column(name).to_pylist())
