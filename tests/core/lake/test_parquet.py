"""Reading files of the lake: whatever is wrong with their bytes is damage, whatever is wrong elsewhere an outage."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.errors import LakeFileDamaged, Outage
from iota_dagster.core.lake.parquet import open_reader, open_writer
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.storage import Storage, open_storage
from tests.aws import Aws, s3_error

TABLE = pa.table(
    {
        "eventName": pa.array(["GetObject", "PutObject", None] * 10),
        "eventSource": pa.array(["s3"] * 30).dictionary_encode(),
        "p_event_time": pa.array([datetime(2026, 11, 22, 10, tzinfo=UTC)] * 30, pa.timestamp("us", tz="UTC")),
        "p_any_ip_addresses": pa.array([["192.0.2.1", "192.0.2.2"]] * 30),
        "p_source_line": pa.array(range(30)),
    }
)
PATH = "a.parquet"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> LocalStorage:
    return LocalStorage(tmp_path_factory.mktemp("lake"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A file of the lake, as it was published."""
    path: Path = tmp_path_factory.mktemp("written") / PATH
    with open_writer(path, TABLE.schema) as writer:
        writer.write_table(TABLE)
    return path.read_bytes()


def rows(storage: Storage) -> pa.Table:
    """All of the file's rows, by every way in which a file is read."""
    with open_reader(storage, PATH) as file:
        names = file.schema.names
        groups = pa.concat_tables(file.row_groups(names))
        assert pa.Table.from_batches(file.batches(7), groups.schema).num_rows == groups.num_rows
        assert sum(file.row_group(index).num_rows for index in range(file.parquet.num_row_groups)) == groups.num_rows
    return groups


def test_what_was_written_is_read(lake: LocalStorage, whole: bytes) -> None:
    lake.write(PATH, whole)
    assert rows(lake).equals(TABLE)


@given(data=st.data())
def test_with_any_bit_flipped_a_file_is_read_or_damaged_and_never_an_outage(
    lake: LocalStorage, whole: bytes, data: st.DataObject
) -> None:
    bit = data.draw(st.integers(0, len(whole) * 8 - 1))
    damaged = bytearray(whole)
    damaged[bit // 8] ^= 1 << bit % 8
    lake.write(PATH, bytes(damaged))
    with suppress(LakeFileDamaged):
        rows(lake)


@pytest.mark.parametrize("name", [b"eventName", b"eventSource"])
def test_a_column_whose_name_is_no_text_is_damage(lake: LocalStorage, whole: bytes, name: bytes) -> None:
    lake.write(PATH, whole.replace(name, b"\xe5" + name[1:]))
    with pytest.raises(LakeFileDamaged, match="can't decode byte"):
        rows(lake)


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_file_that_was_cut_off_is_damage(lake: LocalStorage, whole: bytes, kept: int) -> None:
    lake.write(PATH, whole[:kept])
    with pytest.raises(LakeFileDamaged, match="damaged"):
        rows(lake)


def test_a_footer_of_nonsense_is_damage(lake: LocalStorage, whole: bytes) -> None:
    size = pq.read_metadata(pa.BufferReader(whole)).serialized_size
    lake.write(PATH, whole[: -size - 8] + b"\xff" * 4 + whole[-size - 4 :])
    with pytest.raises(LakeFileDamaged, match="Couldn't deserialize thrift"):
        rows(lake)


def test_a_disk_that_is_gone_is_an_outage(tmp_path: Path, whole: bytes) -> None:
    storage = LocalStorage(tmp_path / "lake")
    storage.write(PATH, whole)
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    with pytest.raises(Outage):
        rows(storage)


def test_a_file_that_the_disk_does_not_give_is_an_outage(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path / "lake")
    loop = tmp_path / "lake" / PATH
    loop.symlink_to(loop)  # the one error of a disk that root gets too
    with pytest.raises(Outage):
        rows(storage)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (400, "ExpiredToken"), (404, "NoSuchBucket")])
def test_s3_that_does_not_give_a_file_is_an_outage(aws: Aws, whole: bytes, method: str, status: int, code: str) -> None:
    storage = open_storage(f"s3://{aws.bucket('lake')}/some", aws.clients)
    storage.write(PATH, whole)
    answer = s3_error(status, code)
    with aws.disturbed_by(lambda asked: answer if asked.method == method else None), pytest.raises(Outage):
        rows(storage)
    assert rows(storage).equals(TABLE)


def test_a_missing_file_is_named_as_missing(lake: LocalStorage) -> None:
    lake.delete(PATH)
    with pytest.raises(LakeFileDamaged, match=r"a\.parquet is missing"):
        rows(lake)
