"""Looking ids up among committed admissions: exact, whatever becomes of filters and id files."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from iota_dagster.core.aws.clients import ClientFactory
from iota_dagster.core.dedup import bloom_files, id_files
from iota_dagster.core.dedup.bloom import IdFilter
from iota_dagster.core.dedup.bloom_files import HourFilter, filter_path
from iota_dagster.core.dedup.id_files import ID, sorted_ids
from iota_dagster.core.dedup.seen import Admission, BloomOptions, SeenEvents
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import parse_hour_key
from iota_dagster.core.storage import Storage, open_storage
from tests.core.dedup.memory_storage import MemoryStorage

TYPE, HOUR = "AWS.CloudTrail", parse_hour_key("2026-11-22-10:00")
FILTER = "bloom/AWS.CloudTrail/year=2026/month=11/day=22/hour=10.bloom"


def ids_of(numbers: Sequence[int], print: int = 0) -> NDArray[np.void]:
    """Ids spread like digests; the same number is the same id."""
    ids = np.empty(len(numbers), dtype=ID)
    ids["hi"] = np.array(numbers, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    ids["lo"] = np.array(numbers, dtype=np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    ids["print"] = print
    return ids


@dataclass
class Hour:
    """One event hour with its admissions, and a lake from which lost id files are rebuilt."""

    storage: Storage
    options: BloomOptions = field(default_factory=BloomOptions)
    admissions: list[Admission] = field(default_factory=list)
    lake: dict[str, NDArray[np.void]] = field(default_factory=dict)
    rebuilt: list[str] = field(default_factory=list)

    def admit(self, numbers: Sequence[int]) -> Admission:
        batch = f"batch-{len(self.lake)}"
        ids = sorted_ids(ids_of(numbers, print=len(self.lake) + 1))
        file = f"ids/{batch}.ids"
        self.lake[file] = ids
        admission = Admission(batch, TYPE, HOUR, file, id_files.write(self.storage, file, ids), len(ids))
        self.admissions.append(admission)
        return admission

    def rebuild(self, admission: Admission) -> NDArray[np.void]:
        self.rebuilt.append(admission.file)
        return self.lake[admission.file]

    @property
    def seen(self) -> SeenEvents:
        return SeenEvents(self.storage, self.rebuild, self.options)

    def check(self, numbers: Sequence[int]) -> None:
        """A look-up agrees with a plain dictionary."""
        model = {}
        for index, admission in reversed(list(enumerate(self.admissions))):
            for hi, lo, print in self.lake[admission.file].tolist():
                model[hi, lo] = (index, print)
        wanted = ids_of(numbers)
        expected = [model.get((hi, lo), (-1, 0)) for hi, lo, _ in wanted.tolist()]
        found = self.seen.lookup(TYPE, HOUR, self.admissions, wanted)
        assert list(zip(found.admission.tolist(), found.prints.tolist(), strict=True)) == expected
        assert found.seen.tolist() == [index >= 0 for index, _ in expected]
        assert found.checks == len(numbers)
        assert found.positives - found.false_positives == found.seen.sum()

    def covered(self) -> set[str]:
        saved = bloom_files.load(self.storage, TYPE, HOUR)
        assert saved is not None
        return {file for file, _ in saved.covers}


@pytest.fixture
def hour(tmp_path: Path) -> Hour:
    return Hour(open_storage(str(tmp_path / "state"), ClientFactory()))


def test_an_hour_without_admissions_has_seen_nothing_and_keeps_no_filter(hour: Hour) -> None:
    hour.check([1, 2])
    assert list(hour.storage.list("")) == []


def test_a_committed_id_is_seen_with_its_fingerprint_and_its_admission(hour: Hour) -> None:
    hour.admit([1, 2])
    hour.admit([3])
    found = hour.seen.lookup(TYPE, HOUR, hour.admissions, ids_of([3, 9, 1]))
    assert found.seen.tolist() == [True, False, True]
    assert found.admission.tolist() == [1, -1, 0]
    assert found.prints.tolist() == [2, 0, 1]


def test_the_filter_is_kept_by_log_type_and_event_hour(hour: Hour) -> None:
    hour.admit([1])
    hour.check([1])
    assert filter_path(TYPE, HOUR) == FILTER
    assert hour.storage.exists(FILTER)


def test_a_stale_filter_lets_no_duplicate_in(hour: Hour) -> None:
    hour.admit([1])
    hour.check([1, 2])
    hour.admit([2])
    hour.check([1, 2])
    assert hour.covered() == {"ids/batch-0.ids", "ids/batch-1.ids"}


def test_a_filter_that_covers_all_admissions_is_not_written_again(hour: Hour) -> None:
    hour.admit([1])
    hour.check([1])
    (before,) = hour.storage.list("bloom/")
    hour.check([1, 2])
    (after,) = hour.storage.list("bloom/")
    assert after == before


def test_a_filter_with_ids_of_a_withdrawn_admission_is_built_anew(hour: Hour) -> None:
    hour.admit([1])
    gone = hour.admit([2])
    hour.check([1, 2])
    hour.admissions.remove(gone)
    hour.check([1, 2])
    assert hour.covered() == {"ids/batch-0.ids"}


def test_a_file_of_the_same_name_with_other_ids_is_not_covered(hour: Hour) -> None:
    hour.admit([1])
    hour.check([1])
    hour.lake.clear()
    hour.admissions.clear()
    hour.admit([2])
    hour.check([1, 2])


def test_a_filter_grows_with_its_hour_and_stops_at_the_cap(hour: Hour) -> None:
    hour.options = BloomOptions(capacity_max=10_000)
    for start, count, capacity in ((0, 2_000, 4_096), (2_000, 2_500, 10_000), (4_500, 7_500, 10_000)):
        hour.admit(range(start, start + count))
        hour.check(range(0, 20_000, 7))
        saved = bloom_files.load(hour.storage, TYPE, HOUR)
        assert saved is not None
        assert (saved.filter.capacity, len(saved.filter)) == (capacity, start + count)


def test_other_options_build_the_filter_anew(hour: Hour) -> None:
    hour.admit(range(100))
    hour.check([1])
    hour.options = BloomOptions(error_rate=0.01)
    hour.check([1])
    saved = bloom_files.load(hour.storage, TYPE, HOUR)
    assert saved is not None
    assert saved.filter.error_rate == 0.01


def test_a_lost_id_file_is_rebuilt_from_the_lake_and_written_back(hour: Hour) -> None:
    lost = hour.admit([1, 2])
    hour.storage.delete(lost.file)
    hour.check([1, 2, 3])
    assert hour.rebuilt == [lost.file]
    assert hour.seen.ids_of(lost).tolist() == hour.lake[lost.file].tolist()
    assert hour.rebuilt == [lost.file]


def test_ids_that_differ_from_the_admitted_ones_are_used_reported_and_not_kept(
    hour: Hour, caplog: pytest.LogCaptureFixture
) -> None:
    lost = hour.admit([1, 2])
    content = hour.storage.read(lost.file)
    hour.storage.delete(lost.file)
    hour.lake[lost.file] = hour.lake[lost.file][:1]
    hour.check([1, 2, 3])
    assert "the lake gives other ids (1) than were admitted (2)" in caplog.text
    assert list(hour.storage.list("")) == []
    hour.storage.write(lost.file, content)
    hour.lake[lost.file] = sorted_ids(ids_of([1, 2], print=1))
    hour.check([1, 2, 3])


def test_a_storage_that_takes_no_filter_is_no_error(
    hour: Hour, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lost = hour.admit([1])
    hour.storage.delete(lost.file)

    def full(path: str, data: bytes) -> None:
        raise Outage(f"{path}: No space left on device")

    monkeypatch.setattr(hour.storage, "write", full)
    hour.check([1, 2])
    assert "was not saved" in caplog.text
    assert "was not written back" in caplog.text


def test_an_outage_while_reading_is_nobodys_lost_file(hour: Hour, tmp_path: Path) -> None:
    hour.admit([1])
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    with pytest.raises(Outage):
        hour.seen.lookup(TYPE, HOUR, hour.admissions, ids_of([1]))
    assert hour.rebuilt == []


def test_a_filter_of_another_hour_is_not_believed(hour: Hour) -> None:
    hour.admit([1])
    bloom_files.save(hour.storage, TYPE, HOUR + 1, HourFilter(IdFilter.sized(4096, 0.001), _covers(hour)))
    hour.storage.copy(filter_path(TYPE, HOUR + 1), FILTER)
    hour.check([1])


def _covers(hour: Hour) -> set[tuple[str, str]]:
    return {(item.file, item.sha256) for item in hour.admissions}


def _all_ones(storage: Storage, hour: Hour) -> None:
    """A valid file whose filter says "perhaps" to everything."""
    saved = HourFilter(IdFilter.sized(4096, 0.001), _covers(hour))
    saved.filter.bits.bitarray.setall(True)
    bloom_files.save(storage, TYPE, HOUR, saved)


def _cleared(storage: Storage, hour: Hour) -> None:
    content = storage.read(FILTER)
    end = content.find(b"\n") + 41
    storage.write(FILTER, content[:end] + bytes(max(0, len(content) - end - 32)) + content[-32:])


def _cut(storage: Storage, hour: Hour) -> None:
    content = storage.read(FILTER)
    storage.write(FILTER, content[: len(content) // 2])


def _emptied(storage: Storage, hour: Hour) -> None:
    storage.write(FILTER, b"")


def _lost(storage: Storage, hour: Hour) -> None:
    storage.delete(FILTER)


def _id_file_lost(storage: Storage, hour: Hour) -> None:
    if hour.admissions:
        storage.delete(hour.admissions[0].file)


def _id_file_damaged(storage: Storage, hour: Hour) -> None:
    if hour.admissions:
        storage.write(hour.admissions[-1].file, b"damaged")


Damage = Callable[[Storage, Hour], None]
DAMAGES: list[Damage] = [_all_ones, _cleared, _cut, _emptied, _lost, _id_file_lost, _id_file_damaged]


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_never_changes_an_answer(hour: Hour, damage: Damage) -> None:
    hour.admit(range(0, 300, 3))
    hour.admit(range(1, 300, 3))
    hour.check(range(300))
    damage(hour.storage, hour)
    hour.check(range(300))
    hour.check(range(300))


def test_a_damaged_filter_is_reported_with_its_path(hour: Hour, caplog: pytest.LogCaptureFixture) -> None:
    hour.admit([1])
    hour.check([1])
    _cleared(hour.storage, hour)
    with caplog.at_level(logging.WARNING):
        hour.check([1])
    assert f"bloom filter {FILTER} is made again: its checksum does not match" in caplog.text


NUMBERS = st.lists(st.integers(0, 60), max_size=30)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("admit"), NUMBERS.map(set)),
        st.tuples(st.just("look up"), NUMBERS),
        st.tuples(st.just("damage"), st.sampled_from(DAMAGES)),
        st.tuples(st.just("withdraw"), st.integers(0, 5)),
    ),
    max_size=12,
)


@given(steps=STEPS, options=st.sampled_from([BloomOptions(), BloomOptions(20, 0.01), BloomOptions(1, 0.3)]))
def test_look_ups_agree_with_a_plain_model_through_any_history(
    steps: list[tuple[str, object]], options: BloomOptions
) -> None:
    hour = Hour(MemoryStorage(), options)  # type: ignore[arg-type]
    for name, argument in steps:
        match name, argument:
            case "admit", set():
                hour.admit(sorted(argument))
            case "look up", list():
                hour.check(argument)
            case "withdraw", int():
                hour.admissions = hour.admissions[argument:]
            case "damage", damage if damage in (_cleared, _cut) and not hour.storage.exists(FILTER):
                continue
            case "damage", damage:
                damage(hour.storage, hour)  # type: ignore[operator]
    hour.check(range(61))
