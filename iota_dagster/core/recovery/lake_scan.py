"""Files of the lake, read for a lost store: whose their rows are, which events those are, and which of them count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from iota_dagster.core.arrival.object_key import parse_object_key
from iota_dagster.core.dedup.id_files import ID, make_ids, sorted_ids
from iota_dagster.core.dedup.identity import digest, fingerprint
from iota_dagster.core.hours import hour_of
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.store.rebuilt import ObjectKey, RebuiltObject

_PLACE = ("p_batch", "p_source_bucket", "p_source_key", "p_integration", "p_parse_time")
_MATCH_PLACE = ("p_batch", "p_source_bucket", "p_source_key")
_ROWS_AT_ONCE = 4_096

Place = tuple[str, str, str, str, datetime]
"""Batch, bucket, key, integration and parse time: of a log object in a batch; of a match the first three."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """A file's rows in their order: each one's event as an id, and the index of its place in `places`."""

    path: str
    base: bool
    file: NewFile
    ids: NDArray[np.void]
    place: NDArray[np.int32]
    places: tuple[Place, ...]

    @property
    def batches(self) -> set[str]:
        """The batches that rows of this file belong to."""
        return {place[0] for place in self.places}

    def batches_of(self, wanted: NDArray[np.bool_]) -> set[str]:
        """The batches of some of the rows."""
        return {self.places[index][0] for index in np.unique(self.place[wanted])}

    def ids_of(self, batch_id: str, wanted: NDArray[np.bool_]) -> NDArray[np.void]:
        """The ids of one batch's rows among some."""
        its = np.array([place[0] == batch_id for place in self.places], np.bool_)
        return self.ids[wanted & its[self.place]]

    def objects(self, wanted: NDArray[np.bool_]) -> Iterator[RebuiltObject]:
        """The log objects of some of the rows, with their number."""
        counts = np.bincount(self.place[wanted], minlength=len(self.places))
        for (batch_id, bucket, key, integration, parsed_at), rows in zip(self.places, counts.tolist(), strict=True):
            if rows:
                facts = parse_object_key(key)
                hour = facts.delivery_hour
                yield RebuiltObject(
                    batch_id=batch_id,
                    bucket=bucket,
                    key=key,
                    integration=integration,
                    account=facts.account,
                    region=facts.region,
                    delivery_hour=hour if hour is not None else hour_of(parsed_at),
                    parsed_at=parsed_at,
                    rows=rows,
                )


@dataclass(frozen=True, slots=True)
class Part:
    """A file and which of its rows are wanted; `adopted`: it stays as it is."""

    scanned: Scanned
    wanted: NDArray[np.bool_]
    adopted: bool


def choose(scanned: Sequence[Scanned]) -> list[Part]:
    """Of each file of an hour the rows whose event no row before them has."""
    ids = np.concatenate([item.ids for item in scanned])
    _, first = np.unique(ids[["hi", "lo"]], return_index=True)
    wanted = np.zeros(len(ids), np.bool_)
    wanted[first] = True
    ends = np.cumsum([len(item.ids) for item in scanned])[:-1]
    parts = zip(scanned, np.split(wanted, ends), strict=True)
    return [Part(item, mask, item.base and bool(mask.all())) for item, mask in parts]


def objects_of(parts: Sequence[Part]) -> list[RebuiltObject]:
    """The log objects of the rows that are wanted, with their number."""
    found: dict[tuple[str, str, str], RebuiltObject] = {}
    for part in parts:
        for item in part.scanned.objects(part.wanted):
            key = (item.batch_id, item.bucket, item.key)
            rows = item.rows + (found[key].rows if key in found else 0)
            found[key] = replace(item, rows=rows)
    return [item for _, item in sorted(found.items())]


def judged_objects(parts: Sequence[Part]) -> set[ObjectKey]:
    """The log objects of matches, wanted or not."""
    return {place[:3] for part in parts for place in part.scanned.places}


def ids_by_batch(parts: Sequence[Part]) -> dict[str, NDArray[np.void]]:
    """The ids of the rows that are wanted, sorted, by the batch that admitted them."""
    found: dict[str, list[NDArray[np.void]]] = {}
    for part in parts:
        for batch_id in part.scanned.batches_of(part.wanted):
            found.setdefault(batch_id, []).append(part.scanned.ids_of(batch_id, part.wanted))
    return {batch_id: sorted_ids(np.concatenate(pieces)) for batch_id, pieces in found.items()}


def scan_file(local: Path, path: str, table: str, base: bool) -> Scanned:
    """Read a file of a table; `path` is its name in the lake. Raises Arrow's errors."""
    matches = table == alert_matches.TABLE
    columns = (*_MATCH_PLACE, "match_id") if matches else (*_PLACE, "p_log_type", "p_event_id", "p_raw")
    found, indexes = [np.empty(0, dtype=ID)], [np.empty(0, np.int32)]
    places: dict[Place, int] = {}
    with pq.ParquetFile(local, memory_map=False, page_checksum_verification=True) as parquet:
        for rows in parquet.iter_batches(_ROWS_AT_ONCE, columns=list(columns)):
            texts = {name: rows.column(name).to_pylist() for name in columns if name in rows.schema.names}
            found.append(_match_ids(texts) if matches else _event_ids(texts))
            indexes.append(_places(texts, places))
        count = parquet.metadata.num_rows
    new = NewFile.of(local, count)
    return Scanned(path, base, new, np.concatenate(found), np.concatenate(indexes), tuple(places))


def _event_ids(rows: dict[str, list[Any]]) -> NDArray[np.void]:
    digests = b"".join(map(digest, rows["p_log_type"], rows["p_event_id"]))
    prints = [fingerprint(raw.encode()) for raw in rows["p_raw"]]
    return make_ids(digests, np.array(prints, dtype=np.uint64))


def _match_ids(rows: dict[str, list[Any]]) -> NDArray[np.void]:
    digests = b"".join(digest(alert_matches.TABLE, name) for name in rows["match_id"])
    return make_ids(digests, np.zeros(len(rows["match_id"]), dtype=np.uint64))


def _places(rows: dict[str, list[Any]], known: dict[Place, int]) -> NDArray[np.int32]:
    names = [rows[name] if name in rows else [None] * len(rows["p_batch"]) for name in _PLACE]
    found = zip(*names, strict=True)
    return np.array([known.setdefault(place, len(known)) for place in found], np.int32)
