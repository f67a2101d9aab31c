"""Log objects in S3, read with one integration's client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from iota_dagster.core.aws.streams import copy_stream
from iota_dagster.core.errors import (
    IotaError,
    ObjectMissing,
    ObjectRefused,
    ObjectSuperseded,
    ObjectTooLarge,
    Outage,
)
from iota_dagster.core.model import LogObject, ObjectRef
from iota_dagster.core.storage import local_disk

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_READS = {"HeadObject", "GetObject", "ListObjectsV2"}
# Answers below 500 that say nothing of the object: throttling, our clock, our credentials.
_OUTAGES = {
    "ExpiredToken",
    "InvalidAccessKeyId",
    "InvalidToken",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TokenRefreshRequired",
    "TooManyRequestsException",
}


class S3Objects:
    """Reads objects with one S3 client; see `ObjectReader`."""

    def __init__(self, client: S3Client, largest: int) -> None:
        """`largest` bounds one object's bytes."""
        self._client, self._largest = client, largest

    def head(self, bucket: str, key: str) -> ObjectRef:
        """See `ObjectReader.head`."""
        with _faults(bucket, key):
            head = self._client.head_object(Bucket=bucket, Key=key)
        version = head.get("VersionId")
        return ObjectRef(bucket, key, _bare(head["ETag"]), head["ContentLength"], version, head["LastModified"])

    def fetch(self, object: LogObject, target: Path) -> None:
        """See `ObjectReader.fetch`.

        The etag alone guards the content (If-Match): asking for a version would need one more permission.
        """
        bucket, key = object.bucket, object.key
        with _faults(bucket, key), local_disk(target), target.open("wb") as file:
            whole = copy_stream(
                lambda: self._client.get_object(Bucket=bucket, Key=key, IfMatch=f'"{object.etag}"')["Body"],
                file,
                self._largest,
            )
        if not whole:
            raise ObjectTooLarge(bucket, key, f"more than the limit of {self._largest:,} bytes")

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        """See `ObjectReader.list`: a page of 1,000 is held at a time. Empty folder markers are left out."""
        with _faults(bucket, prefix):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", []):
                    if not (item["Key"].endswith("/") and item["Size"] == 0):
                        etag, size, modified = _bare(item["ETag"]), item["Size"], item["LastModified"]
                        yield ObjectRef(bucket, item["Key"], etag, size, None, modified)


def _bare(etag: str) -> str:
    """An etag as notifications spell it: without its quotes."""
    return etag.strip('"')


@contextmanager
def _faults(bucket: str, key: str) -> Iterator[None]:
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
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    # An AssumeRole that fails inside a call is the role's error, not the object's.
    if error.operation_name not in _READS or code in _OUTAGES or status >= 500 or status == 429:
        return Outage(f"{bucket}/{key}: {error}")
    if code == "NoSuchBucket":
        return ObjectRefused(bucket, key, "the bucket does not exist")
    if status == 404:
        return ObjectMissing(bucket, key, "it is not in its bucket")
    if status == 412:
        return ObjectSuperseded(bucket, key, "it was overwritten since it was registered")
    return ObjectRefused(bucket, key, f"S3 refuses it: {error}")
