"""Log objects in S3, read with one integration's client."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from iota_dagster.core.aws.requests import THROTTLED
from iota_dagster.core.aws.streams import copy_part, copy_stream
from iota_dagster.core.errors import (
    IotaError,
    ObjectArchived,
    ObjectMissing,
    ObjectRefused,
    ObjectSuperseded,
    ObjectTooLarge,
    Outage,
)
from iota_dagster.core.model import LogObject, ObjectRef
from iota_dagster.core.storage import local_disk

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

MIB = 1 << 20
PART_THREADS = 4
"""How many parts of one object are read at once: with five downloads fewer than a client has connections."""

_READS = {"HeadObject", "GetObject", "ListObjectsV2"}
# Answers below 500 that say nothing of the object: throttling, our clock, our credentials.
_OUTAGES = THROTTLED | {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "OperationAborted",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
}


class S3Objects:
    """Reads objects with one S3 client; see `ObjectReader`."""

    def __init__(self, client: S3Client, largest: int, large: int = 64 * MIB, part: int = 16 * MIB) -> None:
        """`largest` bounds one object's bytes; an object over `large` bytes is read in parts, several at once."""
        self._client, self._largest = client, largest
        self._large, self._part = large, part

    def head(self, bucket: str, key: str) -> ObjectRef:
        """See `ObjectReader.head`."""
        with read_faults(bucket, key):
            head = self._client.head_object(Bucket=bucket, Key=key)
        version = head.get("VersionId")
        return ObjectRef(bucket, key, bare_etag(head["ETag"]), head["ContentLength"], version, head["LastModified"])

    def fetch(self, object: LogObject, target: Path) -> None:
        """See `ObjectReader.fetch`.

        The etag alone guards the content (If-Match): asking for a version would need one more permission. botocore
        verifies S3's checksum of what is read whole; S3 sends none with a part, there the length is verified.
        """
        bucket, key = object.bucket, object.key
        with read_faults(bucket, key), local_disk(target), target.open("wb") as file:
            if object.size > self._large:
                whole = self._fetch_parts(object, file.fileno())
            else:
                whole = copy_stream(lambda: self._body(object), file, self._largest)
        if not whole:
            raise ObjectTooLarge(bucket, key, f"more than the limit of {self._largest:,} bytes")

    def _fetch_parts(self, object: LogObject, file: int) -> bool:
        """Read an object in parts; False when it is too large, whatever the ledger says of its size."""
        head = self._client.head_object(Bucket=object.bucket, Key=object.key, IfMatch=_quoted(object))
        size = head["ContentLength"]
        if size > self._largest:
            return False

        def fetch(start: int) -> None:
            end = min(start + self._part, size)
            copied = copy_part(lambda: self._body(object, f"bytes={start}-{end - 1}"), file, start)
            if copied != end - start:
                raise Outage(f"{object.bucket}/{object.key}: {copied:,} bytes came instead of {end - start:,}")

        os.ftruncate(file, size)
        with ThreadPoolExecutor(PART_THREADS) as pool:
            for _ in pool.map(fetch, range(0, size, self._part)):
                pass  # the first error cancels the parts that have not begun
        return True

    def _body(self, object: LogObject, part: str | None = None) -> StreamingBody:
        bucket, key, etag = object.bucket, object.key, _quoted(object)
        if part is None:
            return self._client.get_object(Bucket=bucket, Key=key, IfMatch=etag)["Body"]
        return self._client.get_object(Bucket=bucket, Key=key, IfMatch=etag, Range=part)["Body"]

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        """See `ObjectReader.list`: a page of 1,000 is held at a time. Empty folder markers are left out."""
        with read_faults(bucket, prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    if not (item["Key"].endswith("/") and item["Size"] == 0):
                        etag, size, modified = bare_etag(item["ETag"]), item["Size"], item["LastModified"]
                        yield ObjectRef(bucket, item["Key"], etag, size, None, modified)


def bare_etag(etag: str) -> str:
    """An etag as notifications spell it: without its quotes."""
    return etag.strip('"')


def _quoted(object: LogObject) -> str:
    return f'"{object.etag}"'


@contextmanager
def read_faults(bucket: str, key: str) -> Iterator[None]:
    """The errors of reading calls in our own words; see `ObjectReader`."""
    try:
        yield
    except ClientError as error:
        raise _in_our_words(error, bucket, key) from error
    except ParamValidationError as error:
        raise ObjectRefused(bucket, key, f"S3 takes no such name: {error}") from error
    except BotoCoreError as error:
        raise Outage(f"{bucket}/{key}: {error}") from error


def _in_our_words(error: ClientError, bucket: str, key: str) -> IotaError:
    """What an error answer means: for the object, or for nobody (`Outage`)."""
    code = error.response.get("Error", {}).get("Code", "")  # one of KMS's is passed on as KMS.<code>
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if error.operation_name == "AssumeRole":
        return Outage(f"{bucket}/{key}: its role cannot be assumed: {error}")
    # What else fails inside a call (a secret that is asked for) is not the object's error either.
    nobodys = error.operation_name not in _READS or code.removeprefix("KMS.") in _OUTAGES
    if nobodys or status >= 500 or status == 429:
        return Outage(f"{bucket}/{key}: {error}")
    if code == "NoSuchBucket":
        return ObjectRefused(bucket, key, "the bucket does not exist")
    if status == 404:
        return ObjectMissing(bucket, key, "it is not in its bucket")
    if status == 412:
        return ObjectSuperseded(bucket, key, "it was overwritten since it was registered")
    return _refusal(error, code, bucket, key)


def _refusal(error: ClientError, code: str, bucket: str, key: str) -> ObjectRefused:
    """Why an object that may well be there is not given to us, and what would help."""
    if code == "InvalidObjectState":
        tier = error.response.get("StorageClass") or error.response["Error"].get("StorageClass", "archive")
        return ObjectArchived(bucket, key, f"archived ({tier}): restore it first")
    if code.startswith("KMS."):
        return ObjectRefused(bucket, key, f"the KMS key that encrypts it cannot be used: {error}")
    if "kms:" in str(error).lower():
        return ObjectRefused(bucket, key, f"the role needs kms:Decrypt on the key that encrypts it: {error}")
    return ObjectRefused(bucket, key, f"S3 refuses it: {error}")
