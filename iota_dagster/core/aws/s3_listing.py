"""Listing the folders of an S3 bucket, page by page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iota_dagster.core.arrival.listing import Page
from iota_dagster.core.aws.s3_objects import bare_etag, read_faults
from iota_dagster.core.model import ObjectRef

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef


class S3Folders:
    """The folders of one bucket, listed with one S3 client; see `Folders`."""

    def __init__(self, client: S3Client, bucket: str, page_size: int = 1000) -> None:
        """`page_size` is the most that one answer holds; S3 gives no more than 1,000."""
        self._client, self._bucket, self._page_size = client, bucket, page_size

    def page(self, folder: str, token: str | None, after: str | None) -> Page:
        """See `Folders.page`. Empty folder markers are left out; `Outage`, `ObjectRefused` when it is not allowed."""
        place: dict[str, Any] = {"ContinuationToken": token} if token else {"StartAfter": after} if after else {}
        with read_faults(self._bucket, folder):
            answer = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=folder, Delimiter="/", MaxKeys=self._page_size, **place
            )
        return Page(
            tuple(self._ref(item) for item in answer.get("Contents", []) if not _is_marker(item)),
            tuple(item["Prefix"] for item in answer.get("CommonPrefixes", [])),
            answer.get("NextContinuationToken"),
        )

    def _ref(self, item: ObjectTypeDef) -> ObjectRef:
        return ObjectRef(self._bucket, item["Key"], bare_etag(item["ETag"]), item["Size"], None, item["LastModified"])


def _is_marker(item: ObjectTypeDef) -> bool:
    return item["Key"].endswith("/") and item["Size"] == 0
