"""CloudTrail's digest files: what the service says that it has delivered, with the hash of every file.

A digest lists the log files of about an hour of one account and region, names the digest before it with its hash, and
is signed. All hashes are those of the uncompressed content, as the ledger keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from iota_dagster.core.errors import IotaError
from iota_dagster.core.hours import Hour, hour_key, hour_start
from iota_dagster.core.reading.content import Content, DecodeLimits

MOST_BYTES = 64 << 20
"""The largest digest that is read, uncompressed: some 150,000 files in an hour of one account and region."""
BACKFILL = "_backfill"
"""In the name of a digest that adds files which the regular ones have missed."""

_LONGEST_NAME = 2_048
"""Bytes of a bucket and a key together: S3 has none half as long, and PostgreSQL's indexes take little more."""
_NEAR = timedelta(days=1)
_LIMITS = DecodeLimits(compressed_bytes=MOST_BYTES, decompressed_bytes=MOST_BYTES)
_FOLDER = re.compile(r"(.*(?:^|/)[0-9]{12}/CloudTrail)(?:-Digest)?(/[^/]+/)")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class DigestUnreadable(IotaError):
    """What lies where a digest should be is none, or is damaged; the text says how."""


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file as a digest names it; `sha256` is of its uncompressed content."""

    bucket: str
    key: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Digest:
    """One digest file. `bucket` and `key` are where it was delivered to, `end_text` is `end` as it is signed."""

    account: str
    bucket: str
    key: str
    start: datetime
    end: datetime
    end_text: str
    fingerprint: str
    sha256: str
    files: tuple[ListedFile, ...]
    previous: ListedFile | None
    previous_signature: str | None

    def signed_text(self) -> bytes:
        """What the signature of this digest signs."""
        place = f"{self.bucket}/{self.key}"
        return "\n".join([self.end_text, place, self.sha256, self.previous_signature or "null"]).encode()

    def require_near(self, hour: Hour) -> None:
        """`DigestUnreadable` unless it begins and ends near a delivery hour: a digest is named after its end.

        Anybody who may write into the bucket can write any time into a digest, and be looked for nowhere.
        """
        if any(abs(moment - hour_start(hour)) > _NEAR for moment in (self.start, self.end)):
            raise DigestUnreadable(f"it is of {self.start} to {self.end}, under a name of {hour_key(hour)}")

    def listed_from(self, bucket: str, key: str) -> tuple[ListedFile, ...]:
        """The listed files, and the previous digest, where they lie if this digest was found in a bucket at a key.

        A copy of the whole bucket (a replica, a folder) keeps the order of things, so that a prefix may be added or
        left out. `DigestUnreadable` for a digest under a name that is not its own: somebody put it there. So did who
        lists names that no object can have.
        """
        shift = _shift(self.key, key)
        if shift is None:
            raise DigestUnreadable(f"it was delivered as {self.bucket}/{self.key}, and lies elsewhere")
        left_out, added = shift
        items = self.files if self.previous is None else (*self.files, self.previous)
        found = tuple(
            ListedFile(bucket, added + item.key.removeprefix(left_out), item.sha256)
            if item.bucket == self.bucket
            else item
            for item in items
        )
        if any(len(f"{item.bucket}/{item.key}".encode()) > _LONGEST_NAME for item in found):
            raise DigestUnreadable("it lists a file under a longer name than any object has")
        return found


class _File(msgspec.Struct):
    s3Bucket: str
    s3Object: str
    hashValue: str
    hashAlgorithm: str


class _Text(msgspec.Struct):
    """The fields of a digest file as they are spelled there."""

    awsAccountId: str
    digestStartTime: datetime
    digestEndTime: str
    digestS3Bucket: str
    digestS3Object: str
    digestPublicKeyFingerprint: str
    logFiles: list[_File]
    previousDigestS3Bucket: str | None = None
    previousDigestS3Object: str | None = None
    previousDigestHashValue: str | None = None
    previousDigestHashAlgorithm: str | None = None
    previousDigestSignature: str | None = None


def read_digest(path: Path) -> Digest:
    """The digest in a file, gzipped or not; `DigestUnreadable`."""
    with path.open("rb") as stream:
        content = Content(stream, _LIMITS)
        data = b"".join(content)
    if content.fault is not None:
        raise DigestUnreadable(f"{content.fault.reason}: {content.fault.detail}")
    return parse_digest(data, content.sha256)


def parse_digest(data: bytes, sha256: str) -> Digest:
    """The digest of an uncompressed content whose hash is `sha256`; `DigestUnreadable`."""
    try:
        text = msgspec.json.decode(data, type=_Text)
        start, end = _utc(text.digestStartTime), _utc(datetime.fromisoformat(text.digestEndTime))
    except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
        raise DigestUnreadable(f"it is no digest file: {error}") from error
    return Digest(
        account=text.awsAccountId,
        bucket=text.digestS3Bucket,
        key=text.digestS3Object,
        start=start,
        end=end,
        end_text=text.digestEndTime,
        fingerprint=text.digestPublicKeyFingerprint,
        sha256=sha256,
        files=tuple(_files(text)),
        previous=_previous(text),
        previous_signature=text.previousDigestSignature,
    )


def log_folder(key: str) -> str | None:
    """The folder of the logs that a digest at this key lists, or that a log at this key lies in; None for others.

    It ends with the region, so that it stands for one trail's account and region.
    """
    found = _FOLDER.match(key)
    return found[1] + found[2] if found else None


def _files(text: _Text) -> Iterator[ListedFile]:
    for item in text.logFiles:
        yield _listed(item.s3Bucket, item.s3Object, item.hashValue, item.hashAlgorithm)


def _previous(text: _Text) -> ListedFile | None:
    bucket, key, value = text.previousDigestS3Bucket, text.previousDigestS3Object, text.previousDigestHashValue
    if bucket is None or key is None or value is None:
        return None
    return _listed(bucket, key, value, text.previousDigestHashAlgorithm or "")


def _listed(bucket: str, key: str, value: str, algorithm: str) -> ListedFile:
    if algorithm != "SHA-256" or not _SHA256.fullmatch(value.lower()):
        raise DigestUnreadable(f"it has no SHA-256 of {key}, but {algorithm!r} {value[:80]!r}")
    return ListedFile(bucket, key, value.lower())


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shift(own: str, found: str) -> tuple[str, str] | None:
    """Which prefix is left out and which is added where the key `own` has become `found`; None for another file."""
    if found == own or own.endswith(f"/{found}"):
        return own.removesuffix(found), ""
    return ("", found.removesuffix(own)) if found.endswith(f"/{own}") else None
