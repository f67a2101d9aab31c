"""Id files: what is written is read, whatever else is lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from iota_dagster.core.aws.clients import ClientFactory
from iota_dagster.core.dedup import id_files
from iota_dagster.core.dedup.id_files import ID, IdFileLost, find, make_ids, sorted_ids
from iota_dagster.core.errors import Outage
from iota_dagster.core.storage import Storage, open_storage
from tests.core.dedup.memory_storage import MemoryStorage

# Few values in each half, so that halves collide.
WORDS = st.sampled_from([0, 1, 2, 2**63, 2**64 - 1])
DIGESTS = st.lists(st.tuples(WORDS, WORDS), unique=True, max_size=25)


def ids_of(digests: list[tuple[int, int]], print: int = 7) -> NDArray[np.void]:
    return np.array([(hi, lo, print) for hi, lo in digests], dtype=ID)


@pytest.fixture(params=["mapped", "read"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "read":
        return MemoryStorage()  # type: ignore[return-value]
    return open_storage(str(tmp_path / "state"), ClientFactory())


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_ids_are_read_as_they_were_written(storage: Storage, count: int) -> None:
    ids = ids_of([(n, 2 * n) for n in range(count)])
    sha256 = id_files.write(storage, "ids/a.ids", ids)
    assert id_files.read(storage, "ids/a.ids", sha256).tolist() == ids.tolist()


def test_the_order_of_ids_is_the_order_of_their_digests_bytes() -> None:
    digests = [bytes([n]) * 16 for n in (255, 0, 128, 1)]
    ids = make_ids(b"".join(digests), np.arange(4, dtype=np.uint64))
    assert sorted_ids(ids)["print"].tolist() == [1, 3, 2, 0]
    assert ids["hi"][2] == int.from_bytes(digests[2][:8], "big")


def test_the_file_is_laid_out_as_documented() -> None:
    content = id_files.encode(ids_of([(1, 2)], print=3))
    header = b"iotaids\n" + bytes([1, 0, 0, 0, 24, 0, 0, 0, 1]) + bytes(15)
    assert content == header + b"".join(n.to_bytes(8, "little") for n in (1, 2, 3))


@pytest.mark.parametrize("digests", [[(2, 0), (1, 0)], [(1, 1), (1, 0)], [(1, 1), (1, 1)]])
def test_unsorted_or_repeated_ids_are_not_written(storage: Storage, digests: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="sorted"):
        id_files.write(storage, "a", ids_of(digests))
    assert not storage.exists("a")


def test_a_missing_file_is_lost_and_named(storage: Storage) -> None:
    with pytest.raises(IdFileLost, match=r"ids/a\.ids: there is no such file"):
        id_files.read(storage, "ids/a.ids", "0" * 64)


@given(at=st.integers(0, 127), flip=st.integers(1, 255), keep=st.integers(0, 128))
def test_a_damaged_file_is_lost_wherever_the_damage_is(at: int, flip: int, keep: int) -> None:
    storage: Storage = MemoryStorage()  # type: ignore[assignment]
    sha256 = id_files.write(storage, "a", ids_of([(1, 1), (2, 2), (3, 3), (4, 4)]))
    content = bytearray(storage.read("a"))
    for changed in (content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :], content[:keep], content + b"x"):
        if changed != content:
            storage.write("a", bytes(changed))
            with pytest.raises(IdFileLost):
                id_files.read(storage, "a", sha256)


@pytest.mark.parametrize("content", [b"iotaids\n", b"iotaids\n" + bytes(24), bytes(56)])
def test_a_file_of_another_version_is_lost_even_with_the_right_checksum(storage: Storage, content: bytes) -> None:
    storage.write("a", content)
    with pytest.raises(IdFileLost):
        id_files.read(storage, "a", id_files.checksum(content))


def test_a_file_whose_count_is_wrong_is_lost(storage: Storage) -> None:
    content = id_files.encode(ids_of([(1, 1), (2, 2)]))[:-24]
    storage.write("a", content)
    with pytest.raises(IdFileLost, match="do not hold 2 ids"):
        id_files.read(storage, "a", id_files.checksum(content))


def test_an_unmounted_disk_loses_no_id_file(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "state"), ClientFactory())
    sha256 = id_files.write(storage, "a", ids_of([]))
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    with pytest.raises(Outage):
        id_files.read(storage, "a", sha256)


@given(DIGESTS, DIGESTS)
def test_finding_ids_agrees_with_a_plain_dictionary(
    stored: list[tuple[int, int]], wanted: list[tuple[int, int]]
) -> None:
    ordered = sorted(stored)
    assert sorted_ids(ids_of(stored)).tolist() == ids_of(ordered).tolist()
    expected = [ordered.index(digest) if digest in ordered else -1 for digest in wanted]
    assert find(ids_of(ordered), ids_of(wanted)).tolist() == expected
