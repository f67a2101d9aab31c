"""A `Storage` under an `s3://bucket/prefix`: boto3 for whole files, pyarrow's own client for Parquet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.fs
from botocore.exceptions import BotoCoreError, ClientError

from iota_dagster.core.aws.streams import copy_stream
from iota_dagster.core.errors import Outage, SettingsError
from iota_dagster.core.storage import StoredFile, checked_path, checked_prefix, local_disk

if TYPE_CHECKING:
    from botocore.response import StreamingBody

    from iota_dagster.core.aws.clients import ClientFactory


class S3Storage:
    """Files under one prefix of one bucket, with our own credentials; see `Storage`."""

    def __init__(self, url: str, clients: ClientFactory) -> None:
        """Nothing is connected yet. `SettingsError` when the URL names no bucket or its prefix is no path."""
        bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
        try:
            self._prefix = checked_path(prefix) + "/" if prefix else ""
        except ValueError as error:
            raise SettingsError(f"{url!r} is no storage: {error}") from error
        if not bucket:
            raise SettingsError(f"{url!r} names no bucket: give s3://bucket/prefix")
        self._bucket, self._clients = bucket, clients
        self.url = f"s3://{bucket}/{prefix}".rstrip("/")

    def read(self, path: str) -> bytes:
        """See `Storage.read`."""
        key = self._key(path)
        with self._faults(path):
            content = io.BytesIO()
            copy_stream(lambda: self._body(key), content)
            return content.getvalue()

    def write(self, path: str, data: bytes) -> None:
        """See `Storage.write`."""
        key = self._key(path)
        with self._faults(path):
            self._clients.s3().put_object(Bucket=self._bucket, Key=key, Body=data)

    def upload(self, path: str, source: Path) -> None:
        """See `Storage.upload`: in parts when large; the object appears when the last one is there."""
        key = self._key(path)
        with source.open("rb") as file, self._faults(path):
            self._clients.s3().upload_fileobj(file, self._bucket, key)

    def download(self, path: str, target: Path) -> None:
        """See `Storage.download`."""
        key = self._key(path)
        with self._faults(path), local_disk(target), target.open("wb") as file:
            copy_stream(lambda: self._body(key), file)

    def copy(self, source: str, target: str) -> None:
        """See `Storage.copy`: one server-side call, which takes files up to 5 GiB."""
        origin, key = self._key(source), self._key(target)
        if origin == key:  # S3 refuses to copy an object onto itself
            if not self.exists(source):
                raise self._missing(source)
            return
        with self._faults(source):
            self._clients.s3().copy_object(
                Bucket=self._bucket, Key=key, CopySource={"Bucket": self._bucket, "Key": origin}
            )

    def delete(self, path: str) -> None:
        """See `Storage.delete`."""
        key = self._key(path)
        with self._faults(path):
            self._clients.s3().delete_object(Bucket=self._bucket, Key=key)

    def list(self, prefix: str) -> Iterator[StoredFile]:
        """See `Storage.list`; a page of 1,000 files is held at a time."""
        start = self._prefix + checked_prefix(prefix)
        with self._faults(prefix):
            pages = self._clients.s3().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=start)
            for page in pages:
                for item in page.get("Contents", []):
                    yield StoredFile(item["Key"].removeprefix(self._prefix), item["Size"], item["LastModified"])

    def exists(self, path: str) -> bool:
        """See `Storage.exists`. A listing, because a HEAD cannot tell a missing bucket from a missing object."""
        key = self._key(path)
        with self._faults(path):
            page = self._clients.s3().list_objects_v2(Bucket=self._bucket, Prefix=key, MaxKeys=1)
            return any(item["Key"] == key for item in page.get("Contents", []))

    def local_path(self, path: str) -> Path | None:
        """See `Storage.local_path`: never local."""
        checked_path(path)
        return None

    def arrow(self) -> tuple[pyarrow.fs.FileSystem, str]:
        """See `Storage.arrow`."""
        with self._faults(""):
            return self._clients.arrow_s3(), f"{self._bucket}/{self._prefix}".rstrip("/")

    def _body(self, key: str) -> StreamingBody:
        return self._clients.s3().get_object(Bucket=self._bucket, Key=key)["Body"]

    def _key(self, path: str) -> str:
        return self._prefix + checked_path(path)

    @contextmanager
    def _faults(self, path: str) -> Iterator[None]:
        """The service's errors in the words of `Storage`: `FileNotFoundError` or `Outage`."""
        try:
            yield
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "NoSuchKey":
                raise self._missing(path) from error
            raise Outage(f"{self.url}/{path}: {error}") from error
        except BotoCoreError as error:
            raise Outage(f"{self.url}/{path}: {error}") from error

    def _missing(self, path: str) -> FileNotFoundError:
        return FileNotFoundError(2, "no such file", f"{self.url}/{path}")
