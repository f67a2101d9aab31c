"""Storage: the same tests on a local folder and on `s3://` (moto's server on loopback, unmodified boto3)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from botocore.utils import parse_timestamp
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions, _timestamp, session_with
from iota_dagster.core.errors import Outage, SettingsError
from iota_dagster.core.storage import Storage, checked_path, open_storage
from tests.aws import Aws, own_session


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage(str(tmp_path / "root"), ClientFactory())
    aws: Aws = request.getfixturevalue("aws")
    return open_storage(f"s3://{aws.bucket('lake')}/some/prefix", aws.clients)


def paths(storage: Storage, prefix: str = "") -> list[str]:
    return [file.path for file in storage.list(prefix)]


def test_what_is_written_is_read_and_listed(storage: Storage) -> None:
    storage.write("a/b.bin", b"one")
    storage.write("a/b.bin", b"other")
    assert storage.read("a/b.bin") == b"other"
    assert storage.exists("a/b.bin")
    (file,) = storage.list("")
    assert (file.path, file.size) == ("a/b.bin", 5)
    assert abs(file.modified - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_missing_file_is_told_by_its_name(storage: Storage, tmp_path: Path) -> None:
    storage.write("a/b/c", b"")
    for path in ("a", "a/b", "a/b/c/d", "x"):
        assert not storage.exists(path)
        with pytest.raises(FileNotFoundError, match=path):
            storage.read(path)
        with pytest.raises(FileNotFoundError, match=path):
            storage.download(path, tmp_path / "target")
        with pytest.raises(FileNotFoundError, match=path):
            storage.copy(path, "y")
        with pytest.raises(FileNotFoundError, match=path):
            storage.copy(path, path)


def test_deleting_removes_one_file_and_a_missing_one_is_fine(storage: Storage) -> None:
    storage.write("a/b/c", b"1")
    storage.write("a/d", b"2")
    for _ in range(2):
        storage.delete("a/b/c")
    storage.delete("a")
    assert paths(storage) == ["a/d"]


def test_a_listing_takes_any_prefix_and_is_in_order_of_the_path(storage: Storage) -> None:
    names = ["a-b", "a.c", "a/b", "a/b.c/d", "a/b/c", "a0", "b"]
    for name in names:
        storage.write(name if name != "a/b" else "a/bb", b"")
    assert paths(storage) == ["a-b", "a.c", "a/b.c/d", "a/b/c", "a/bb", "a0", "b"]
    assert paths(storage, "a/") == ["a/b.c/d", "a/b/c", "a/bb"]
    assert paths(storage, "a/b/") == ["a/b/c"]
    assert paths(storage, "a/bb") == ["a/bb"]
    assert paths(storage, "nothing/here") == []


def test_a_copy_is_independent_of_its_source(storage: Storage) -> None:
    storage.write("source", b"first")
    storage.write("target", b"old")
    storage.copy("source", "target")
    storage.copy("source", "target")
    storage.copy("source", "source")
    storage.write("source", b"second")
    assert (storage.read("source"), storage.read("target")) == (b"second", b"first")
    storage.delete("source")
    assert paths(storage) == ["target"]


def test_a_local_file_goes_up_and_comes_down_again(storage: Storage, tmp_path: Path) -> None:
    content = os.urandom(9 << 20)  # more than one part of a multipart upload
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(content)
    storage.upload("big/file", source)
    storage.upload("big/file", source)
    source.unlink()
    storage.download("big/file", target)
    assert target.read_bytes() == content
    target.write_bytes(b"mine")
    assert storage.read("big/file") == content


def test_a_missing_source_is_the_callers_error_and_leaves_nothing(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        storage.upload("a", tmp_path / "nothing")
    assert paths(storage) == []


def test_a_full_or_missing_local_disk_is_an_outage_and_no_lost_file(storage: Storage, tmp_path: Path) -> None:
    storage.write("a", b"1")
    with pytest.raises(Outage, match="gone"):
        storage.download("a", tmp_path / "gone" / "target")


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "./a", "a/", "a\\b", "a\0b"])
def test_a_path_outside_the_root_is_refused(storage: Storage, path: str) -> None:
    for call in (storage.read, storage.delete, storage.exists, storage.local_path):
        with pytest.raises(ValueError, match="relative"):
            call(path)
    with pytest.raises(ValueError, match="relative"):
        storage.write(path, b"")


@given(st.text("./a\\", max_size=12))
def test_a_checked_path_stays_below_its_root(path: str) -> None:
    try:
        checked = checked_path(path)
    except ValueError:
        return
    assert os.path.normpath(f"/root/{checked}") == f"/root/{checked}"


def test_parquet_is_read_through_arrow(storage: Storage, tmp_path: Path) -> None:
    table = pa.table({"n": [1, 2, 3]})
    pq.write_table(table, tmp_path / "t.parquet")
    storage.upload("table/hour=01/x.parquet", tmp_path / "t.parquet")
    filesystem, root = storage.arrow()
    read = ds.dataset(f"{root}/table/hour=01/x.parquet", filesystem=filesystem, format="parquet").to_table()
    assert read.equals(table)


def test_readers_and_deleters_never_see_a_part_of_a_write(storage: Storage) -> None:
    contents = {bytes([letter]) * 50_000 for letter in b"abc"}
    seen, failures = set[bytes](), list[Exception]()

    def work(content: bytes) -> None:
        try:
            for _ in range(8):
                storage.write("deep/down/file", content)
                try:
                    seen.add(storage.read("deep/down/file"))
                except FileNotFoundError:
                    continue
                storage.delete("deep/down/file")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert seen <= contents


def test_a_missing_root_is_an_outage_and_not_a_missing_file(storage: Storage, tmp_path: Path) -> None:
    storage.write("a", b"")
    if folder := storage.local_path("a"):
        folder.parent.rename(tmp_path / "elsewhere")
    else:
        assert storage.url.startswith("s3://")
        storage = open_storage("s3://no-such-bucket/prefix", storage._clients)  # type: ignore[attr-defined]
    for call in (storage.read, storage.exists, storage.delete, lambda path: list(storage.list(path))):
        with pytest.raises(Outage):
            call("a")
    with pytest.raises(Outage):
        storage.write("a", b"")


def test_a_service_that_does_not_answer_is_an_outage_that_names_the_file() -> None:
    options = ClientOptions(endpoint_url="http://127.0.0.1:1", attempts=1)
    storage = open_storage("s3://bucket/prefix/", ClientFactory(options, own_session))
    assert storage.url == "s3://bucket/prefix"
    with pytest.raises(Outage, match=r"s3://bucket/prefix/a/b: .*127\.0\.0\.1:1") as raised:
        storage.read("a/b")
    assert raised.value.retry_helps


@pytest.mark.parametrize("url", ["ftp://host/x", "s3://", "s3:///prefix", "s3://bucket/a/../b", "://"])
def test_a_wrong_url_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(SettingsError, match="s3://"):
        open_storage(url, ClientFactory())


def test_a_failed_write_leaves_the_old_file_and_no_trace(tmp_path: Path) -> None:
    storage = open_storage(f"file://{tmp_path}", ClientFactory())
    storage.write("a", b"old")
    with pytest.raises(Outage, match="a/b"):
        storage.write("a/b", b"new")  # a file is in the way of the folder
    assert storage.read("a") == b"old"
    assert list((tmp_path / ".tmp").iterdir()) == []


def test_leftovers_of_a_crash_are_not_listed_and_go_after_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(str(tmp_path), ClientFactory())
    (tmp_path / ".tmp" / "half").write_bytes(b"x")
    open_storage(str(tmp_path), ClientFactory())
    assert paths(storage) == []
    assert (tmp_path / ".tmp" / "half").exists()
    with pytest.raises(ValueError, match="own"):
        storage.read(".tmp/half")
    tomorrow = datetime.now().timestamp() + 25 * 3600
    monkeypatch.setattr("iota_dagster.core.local_storage.time.time", lambda: tomorrow)
    open_storage(str(tmp_path), ClientFactory())
    assert not (tmp_path / ".tmp" / "half").exists()


def test_an_upload_within_one_file_system_moves_no_bytes(tmp_path: Path) -> None:
    storage = open_storage(str(tmp_path / "root"), ClientFactory())
    (tmp_path / "source").write_bytes(b"x")
    storage.upload("a", tmp_path / "source")
    storage.copy("a", "b")
    assert (tmp_path / "source").stat().st_nlink == 3


def test_a_local_storage_never_imports_the_aws_sdk(tmp_path: Path) -> None:
    script = f"""
import sys
from iota_dagster.core.aws.clients import ClientFactory
from iota_dagster.core.objects import Objects
from iota_dagster.core.storage import open_storage
open_storage({str(tmp_path)!r}, ClientFactory()).write("a", b"")
sys.exit(any(name in sys.modules for name in ("boto3", "botocore")))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_one_client_is_made_for_each_service_with_our_time_outs_and_retries() -> None:
    clients = ClientFactory(
        ClientOptions(region="eu-west-1", connect_seconds=3, attempts=2, connections=7), own_session
    )
    assert clients.s3() is clients.s3()
    for client in (clients.s3(), clients.sqs(), clients.sts(), clients.glue()):
        config: Any = client.meta.config
        assert client.meta.region_name == "eu-west-1"
        assert (config.connect_timeout, config.read_timeout, config.max_pool_connections) == (3, 60, 7)
        assert config.retries == {"mode": "standard", "total_max_attempts": 2}


def test_every_role_shares_what_is_known_of_the_services() -> None:
    clients = [ClientFactory(ClientOptions(region="us-east-1"), lambda: session_with(None)).s3() for _ in range(2)]
    loaders = {id(client._loader) for client in clients}  # type: ignore[attr-defined]
    assert len(loaders) == 1
    assert clients[0] is not clients[1]


@given(st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_time_in_an_answer_is_read_as_botocore_reads_it(time: datetime) -> None:
    stamp = time.replace(microsecond=0)
    spellings = {
        f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z": time.replace(
            microsecond=time.microsecond // 1000 * 1000
        ),
        format_datetime(stamp, usegmt=True): stamp,
        f"{stamp:%Y-%m-%dT%H:%M:%S}+00:00": stamp,
        str(int(stamp.timestamp())): stamp,
    }
    for text, expected in spellings.items():
        assert _timestamp(text) == parse_timestamp(text) == expected
    assert _timestamp(stamp.timestamp()) == stamp


@pytest.mark.parametrize("text", ["", "nonsense", "nonsenseZ", "no date at all GMT"])
def test_what_is_no_time_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="timestamp"):
        _timestamp(text)


def test_without_credentials_arrow_looks_for_them_itself() -> None:
    class Nobody(boto3.session.Session):
        def get_credentials(self, **_: object) -> None:
            return None

    clients = ClientFactory(ClientOptions(endpoint_url="http://127.0.0.1:1"), lambda: Nobody(region_name="us-east-1"))
    assert clients.arrow_s3().region == "us-east-1"


@pytest.mark.parametrize(("number", "outage"), [(errno.EXDEV, False), (errno.ENOSPC, True)])
def test_where_no_link_can_be_made_the_bytes_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, outage: bool
) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    storage = open_storage(str(tmp_path / "root"), ClientFactory())
    (tmp_path / "source").write_bytes(b"x")
    monkeypatch.setattr(os, "link", refused)
    if outage:
        with pytest.raises(Outage, match="No space left"):
            storage.upload("a", tmp_path / "source")
    else:
        storage.upload("a", tmp_path / "source")
        storage.copy("a", "b")
        assert storage.read("b") == b"x"
        assert (tmp_path / "source").stat().st_nlink == 1


def test_a_folder_that_may_not_be_listed_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    storage = open_storage(str(tmp_path), ClientFactory())
    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(Outage, match="Permission denied"):
        list(storage.list(""))
