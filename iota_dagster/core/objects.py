"""Reading log objects where they lie: in S3 buckets, each by its own integration's role, or in local folders.

A bucket is the name of an S3 bucket or `file:///absolute/folder`; a key is the object's path in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from iota_dagster.core.arrival.listing import DeliveryHours, walk
from iota_dagster.core.errors import ObjectRefused, ObjectTooLarge
from iota_dagster.core.local_objects import SCHEME, LocalObjects
from iota_dagster.core.model import LogObject, ObjectRef

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class ObjectReader(Protocol):
    """Reads log objects. Every method raises `Outage` when nobody's object is to blame."""

    def head(self, bucket: str, key: str) -> ObjectRef:
        """The object with its etag, size and last-modified time; `ObjectMissing`, `ObjectRefused`."""
        ...

    def fetch(self, object: LogObject, target: Path) -> None:
        """Stream the registered content into a file, in bounded memory.

        `ObjectSuperseded` when the object has another etag now, `ObjectMissing`, `ObjectRefused`, `ObjectTooLarge`.
        After an error there is no target.
        """
        ...

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        """All objects whose key starts with `prefix`, in order of the key; `ObjectRefused` when that is not allowed."""
        ...


class Objects:
    """The reader of all configured buckets; every other bucket is refused, whatever a message says.

    `integration_of(bucket, key)` names the integration that may read the object (or list the prefix), None without
    one; `client_for(integration)` gives the S3 client with that integration's role. `largest` bounds an object's bytes.
    """

    def __init__(
        self,
        integration_of: Callable[[str, str], str | None],
        client_for: Callable[[str], S3Client],
        largest: int,
    ) -> None:
        """Nothing is read or connected yet."""
        self._integration_of, self._client_for, self._largest = integration_of, client_for, largest

    def head(self, bucket: str, key: str) -> ObjectRef:
        """See `ObjectReader.head`."""
        return self._reader(bucket, key).head(bucket, key)

    def fetch(self, object: LogObject, target: Path) -> None:
        """See `ObjectReader.fetch`."""
        if object.size > self._largest:
            raise ObjectTooLarge(object.bucket, object.key, f"{object.size:,} bytes; the limit is {self._largest:,}")
        try:
            self._reader(object.bucket, object.key).fetch(object, target)
        except BaseException:
            target.unlink(missing_ok=True)
            raise

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        """See `ObjectReader.list`."""
        return self._reader(bucket, prefix).list(bucket, prefix)

    def delivered(self, bucket: str, prefix: str, hours: DeliveryHours) -> Iterator[ObjectRef]:
        """The objects of some delivery hours below an integration's prefix, without listing the whole bucket.

        Those below the longer prefix of another integration are left to it. Errors are those of `list`, and
        `SettingsError` when the prefix holds too many folders.
        """
        integration = self._allowed(bucket, prefix)
        for ref in self._delivered(integration, bucket, prefix, hours):
            if self._integration_of(bucket, ref.key) == integration:
                yield ref

    def _delivered(self, integration: str, bucket: str, prefix: str, hours: DeliveryHours) -> Iterator[ObjectRef]:
        if bucket.startswith(SCHEME):
            return LocalObjects(self._largest).list(bucket, prefix, hours.hold)
        from iota_dagster.core.aws.s3_listing import S3Folders

        return walk(S3Folders(self._client_for(integration), bucket), bucket, prefix, hours)

    def _allowed(self, bucket: str, key: str) -> str:
        integration = self._integration_of(bucket, key)
        if integration is None:
            raise ObjectRefused(bucket, key, "no integration is configured for this bucket and prefix")
        return integration

    def _reader(self, bucket: str, key: str) -> ObjectReader:
        integration = self._allowed(bucket, key)
        if bucket.startswith(SCHEME):
            return LocalObjects(self._largest)
        from iota_dagster.core.aws.s3_objects import S3Objects  # botocore: only where S3 is read

        return S3Objects(self._client_for(integration), self._largest)
