"""The bloom filter: pybloom's own, with bulk operations that set and read the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from iota_dagster.core.dedup.bloom import IdFilter, capacity_for
from iota_dagster.core.dedup.id_files import ID

WORDS = st.integers(0, 2**64 - 1)
KEYS = st.lists(st.tuples(WORDS, WORDS), unique=True, max_size=40)


def ids_of(keys: list[tuple[int, int]]) -> NDArray[np.void]:
    return np.array([(hi, lo, 0) for hi, lo in keys], dtype=ID)


def random_ids(count: int, seed: int) -> NDArray[np.void]:
    words = np.random.default_rng(seed).integers(0, 2**64, (3, count), dtype=np.uint64)
    ids = np.empty(count, dtype=ID)
    ids["hi"], ids["lo"], ids["print"] = words
    return ids


@given(KEYS, KEYS, st.integers(1, 100), st.sampled_from([0.001, 0.01, 0.3]))
def test_the_scalar_and_the_bulk_form_are_one_filter(
    keys: list[tuple[int, int]], others: list[tuple[int, int]], capacity: int, error_rate: float
) -> None:
    bulk, scalar = IdFilter.sized(capacity, error_rate), IdFilter.sized(capacity, error_rate)
    bulk.add(ids_of(keys))
    for key in keys:
        if len(scalar) <= capacity:  # pybloom's own `add` refuses beyond
            scalar.bits.add(key, skip_check=True)
    if len(keys) <= capacity:
        assert bulk.to_bytes() == scalar.to_bytes()
    assert bulk.might_contain(ids_of(others)).tolist() == [key in bulk.bits for key in others]
    assert bulk.might_contain(ids_of(keys)).all()


def test_large_arrays_are_worked_through_in_pieces() -> None:
    ids = random_ids(150_000, seed=1)
    whole, pieces = IdFilter.sized(200_000, 0.001), IdFilter.sized(200_000, 0.001)
    whole.add(ids)
    for start in range(0, len(ids), 37_000):
        pieces.add(ids[start : start + 37_000])
    assert whole.to_bytes() == pieces.to_bytes()
    assert whole.might_contain(ids).all()


@pytest.mark.parametrize("capacity", [4096, 50_000])
def test_a_full_filter_keeps_to_its_error_rate(capacity: int) -> None:
    filter = IdFilter.sized(capacity, 0.001)
    filter.add(random_ids(capacity, seed=1))
    share = filter.might_contain(random_ids(200_000, seed=2)).mean()
    assert 0.0005 < share < 0.002


def test_an_over_full_filter_takes_more_ids_and_forgets_none() -> None:
    filter, ids = IdFilter.sized(100, 0.001), random_ids(5_000, seed=1)
    filter.add(ids)
    assert len(filter) == 5_000
    assert filter.might_contain(ids).all()


def test_a_filter_survives_its_bytes() -> None:
    filter, ids = IdFilter.sized(1000, 0.01), random_ids(900, seed=1)
    filter.add(ids)
    again = IdFilter.from_bytes(filter.to_bytes())
    assert (again.capacity, again.error_rate, len(again)) == (1000, 0.01, 900)
    again.add(random_ids(10, seed=2))
    assert again.might_contain(ids).all()
    assert IdFilter.from_bytes(again.to_bytes()).to_bytes() == again.to_bytes()


@pytest.mark.parametrize("data", [b"", b"x" * 39, IdFilter.sized(10, 0.1).to_bytes()[:-2]])
def test_bytes_that_are_no_filter_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - pybloom's words or ours
        IdFilter.from_bytes(data)


@given(st.integers(0, 10**9), st.integers(1, 10**8))
def test_a_capacity_leaves_head_room_up_to_its_cap(count: int, largest: int) -> None:
    capacity = capacity_for(count, largest)
    assert capacity <= largest
    assert capacity == largest or capacity >= max(4096, 2 * count)
    assert capacity <= max(4096, 4 * count)
