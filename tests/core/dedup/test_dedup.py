"""Dedup as a whole: batch after batch against a plain dictionary, in the batch and against what is committed."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from iota_dagster.core.dedup import id_files
from iota_dagster.core.dedup.copies import CONFLICT, DUPLICATE, KEPT, Rows, find_uniques, judge_rows
from iota_dagster.core.dedup.seen import Admission, SeenEvents
from iota_dagster.core.storage import Storage
from tests.core.dedup.memory_storage import MemoryStorage

# Rows of one batch: (group, id, fingerprint), few of each, so that all meet.
ROW = st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 1))
BATCHES = st.lists(st.lists(ROW, max_size=20), max_size=5)
GROUPS = (("AWS.CloudTrail", 1000), ("AWS.CloudTrail", 1001), ("Okta.SystemLog", 1000))


def as_rows(batch: list[tuple[int, int, int]]) -> Rows:
    group, number, prints = np.array(batch, dtype=np.int64).reshape(-1, 3).T
    return Rows(
        hi=number.astype(np.uint64) // np.uint64(2),  # neighbours share their first half
        lo=number.astype(np.uint64),
        prints=prints.astype(np.uint64),
        group=group,
        position=np.zeros(len(batch), np.int32),
        groups=GROUPS,
    )


def never(admission: Admission) -> NDArray[np.void]:
    raise AssertionError(f"{admission.file} is not lost")


class Road:
    """What a batch goes through: its distinct ids are looked up, judged, and what is new is admitted."""

    def __init__(self) -> None:
        self.storage: Storage = MemoryStorage()  # type: ignore[assignment]
        self.seen_events = SeenEvents(self.storage, never)
        self.admissions: list[Admission] = []

    def fates(self, rows: Rows) -> list[int]:
        uniques = find_uniques(rows)
        seen, prints = np.zeros(len(uniques.ids), np.bool_), np.zeros(len(uniques.ids), np.uint64)
        for group, (log_type, hour) in enumerate(GROUPS):
            span = uniques.span(group)
            known = [item for item in self.admissions if (item.log_type, item.hour) == (log_type, hour)]
            found = self.seen_events.lookup(log_type, hour, known, uniques.ids[span])
            seen[span], prints[span] = found.seen, found.prints
            self.admit(log_type, hour, uniques.ids[span][~found.seen])
        fates: list[int] = judge_rows(rows, uniques, seen, prints).tolist()
        return fates

    def admit(self, log_type: str, hour: int, ids: NDArray[np.void]) -> None:
        number = len(self.admissions)
        file = f"ids/{number}.ids"
        sha256 = id_files.write(self.storage, file, ids)
        self.admissions.append(Admission(f"batch-{number}", log_type, hour, file, sha256, len(ids)))


@given(BATCHES)
def test_every_event_is_kept_once_and_each_copy_is_judged_against_the_kept_one(
    batches: list[list[tuple[int, int, int]]],
) -> None:
    road, model = Road(), dict[tuple[int, int], int]()
    for batch in batches:
        expected = []
        for group, number, fingerprint in batch:
            if (group, number) in model:
                expected.append(DUPLICATE if model[group, number] == fingerprint else CONFLICT)
            else:
                model[group, number] = fingerprint
                expected.append(KEPT)
        assert road.fates(as_rows(batch)) == expected
