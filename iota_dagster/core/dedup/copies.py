"""Which record of a batch is the first copy of its event, which are duplicates, which contradict the first.

Vectorised over all rows of a batch. An id is (group, 128-bit digest), a group is one (log type, event hour); the
fingerprint tells whether two copies say the same (`identity.fingerprint`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from iota_dagster.core.batch.work import WorkFolder
from iota_dagster.core.dedup.id_files import ID, make_ids
from iota_dagster.core.store.commit import EventHour

KEPT, DUPLICATE, CONFLICT = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Every decoded row of a batch in batch order: arrays of one length, and the groups they index."""

    hi: NDArray[np.uint64]
    lo: NDArray[np.uint64]
    prints: NDArray[np.uint64]
    group: NDArray[np.int64]
    position: NDArray[np.int32]
    groups: tuple[EventHour, ...]


@dataclass(frozen=True, slots=True)
class Uniques:
    """The distinct ids of a batch, sorted by (group, digest): `of_row` maps each row to its id's index."""

    ids: NDArray[np.void]  # dtype ID; `print` is the first copy's
    group: NDArray[np.int64]
    first_row: NDArray[np.int64]
    of_row: NDArray[np.int64]

    def span(self, group: int) -> slice:
        """The ids of one group."""
        start, stop = np.searchsorted(self.group, [group, group + 1])
        return slice(int(start), int(stop))


def load_rows(work: WorkFolder) -> Rows:
    """Read the identity columns of a work folder's parts."""
    log_types = sorted({part.log_type for part in work.parts})
    ids, keys, positions = [np.empty(0, ID)], [np.empty(0, np.int64)], [np.empty(0, np.int32)]
    for part in work.parts:
        for rows in work.all_batches(part, ["_digest", "_fingerprint", "_hour", "_position"]):
            ids.append(as_ids(rows.column("_digest"), rows.column("_fingerprint")))
            keys.append((log_types.index(part.log_type) << 32) | rows.column("_hour").to_numpy().astype(np.int64))
            positions.append(rows.column("_position").to_numpy())
    joined = np.concatenate(ids)
    distinct, group = np.unique(np.concatenate(keys), return_inverse=True)
    return Rows(
        hi=joined["hi"],
        lo=joined["lo"],
        prints=joined["print"],
        group=group.astype(np.int64),
        position=np.concatenate(positions),
        groups=tuple((log_types[int(key) >> 32], int(key) & 0xFFFFFFFF) for key in distinct),
    )


def find_uniques(rows: Rows) -> Uniques:
    """The distinct ids and the first row of each; `lexsort` is stable, so first means first in the batch."""
    order = np.lexsort((rows.lo, rows.hi, rows.group))
    hi, lo, group = rows.hi[order], rows.lo[order], rows.group[order]
    starts = np.ones(len(order), dtype=np.bool_)
    starts[1:] = (hi[1:] != hi[:-1]) | (lo[1:] != lo[:-1]) | (group[1:] != group[:-1])
    first_row = order[starts]
    ids = np.empty(len(first_row), dtype=ID)
    ids["hi"], ids["lo"], ids["print"] = rows.hi[first_row], rows.lo[first_row], rows.prints[first_row]
    of_row = np.empty(len(order), dtype=np.int64)
    of_row[order] = np.cumsum(starts) - 1
    return Uniques(ids, rows.group[first_row], first_row, of_row)


def judge_rows(
    rows: Rows, uniques: Uniques, seen: NDArray[np.bool_], committed: NDArray[np.uint64]
) -> NDArray[np.int8]:
    """Each row's fate. `seen` says which ids are committed already, `committed` the fingerprint of that copy."""
    reference = np.where(seen, committed, uniques.ids["print"])
    fate = np.where(rows.prints == reference[uniques.of_row], DUPLICATE, CONFLICT).astype(np.int8)
    fate[uniques.first_row[~seen]] = KEPT
    return fate


def as_ids(digests: pa.Array[Any], prints: pa.Array[Any]) -> NDArray[np.void]:
    """Ids of the Arrow columns `_digest` (16 bytes each) and `_fingerprint`."""
    data = digests.buffers()[1]
    content = memoryview(data)[digests.offset * 16 : (digests.offset + len(digests)) * 16] if data else b""
    return make_ids(content, prints.to_numpy())
