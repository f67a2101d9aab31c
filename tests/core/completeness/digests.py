"""CloudTrail's digests for tests: written to the vendor's format, signed with a key made here."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.aws import Answer, Asked

ACCOUNT, REGION, TRAIL = "111122223333", "us-east-1", "example-trail"
TEN = datetime(2026, 11, 22, 10, tzinfo=UTC)
FINGERPRINT = "0123456789abcdef0123456789abcdef"


@cache
def private_key() -> RSAPrivateKey:
    """The key that signs: one for all tests, since making one takes a while."""
    return generate_private_key(65537, 2048)


def public_key() -> bytes:
    """Its public half as CloudTrail gives it."""
    return private_key().public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def answer_keys(asked: Asked) -> Answer | None:
    """CloudTrail's own answer to who asks for its keys, which moto has not."""
    if asked.action != "ListPublicKeys":
        return None
    key = {"Fingerprint": FINGERPRINT, "Value": base64.b64encode(public_key()).decode()}
    body = json.dumps({"PublicKeyList": [key]}).encode()
    return Answer(200, body, (("Content-Type", "application/x-amz-json-1.1"),))


def log_key(moment: datetime, name: str) -> str:
    """The key of a log file delivered at a moment."""
    folder = f"AWSLogs/{ACCOUNT}/CloudTrail/{REGION}/{moment:%Y/%m/%d}"
    return f"{folder}/{ACCOUNT}_CloudTrail_{REGION}_{moment:%Y%m%dT%H%M}Z_{name}.json.gz"


def digest_key(end: datetime, suffix: str = "") -> str:
    """The key of the digest that ends at a moment."""
    folder = f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/{REGION}/{end:%Y/%m/%d}"
    name = f"{ACCOUNT}_CloudTrail-Digest_{REGION}_{TRAIL}_{REGION}_{end:%Y%m%dT%H%M%S}Z{suffix}.json.gz"
    return f"{folder}/{name}"


@dataclass(frozen=True)
class Written:
    """A digest as it is delivered: key, text before it is packed, signature."""

    key: str
    text: bytes
    signature: str

    @property
    def packed(self) -> bytes:
        return gzip.compress(self.text, mtime=0)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


@dataclass
class Trail:
    """A trail that writes its digests into a bucket, one after the other."""

    bucket: str
    last: Written | None = None
    written: list[Written] = field(default_factory=list)

    def digest(self, end: datetime, files: Iterable[tuple[str, bytes]], *, suffix: str = "", **more: Any) -> Written:
        """The digest of the hour before `end`, over files given as (key, content before it is packed)."""
        key, before = digest_key(end, suffix), self.last
        listed = [
            {
                "s3Bucket": self.bucket,
                "s3Object": name,
                "hashValue": hashlib.sha256(content).hexdigest(),
                "hashAlgorithm": "SHA-256",
                "newestEventTime": stamp(end),
                "oldestEventTime": stamp(end),
            }
            for name, content in files
        ]
        values = {
            "awsAccountId": ACCOUNT,
            "digestStartTime": stamp(end - timedelta(hours=1)),
            "digestEndTime": stamp(end),
            "digestS3Bucket": self.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": FINGERPRINT,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": stamp(end),
            "oldestEventTime": stamp(end),
            "previousDigestS3Bucket": self.bucket if before else None,
            "previousDigestS3Object": before.key if before else None,
            "previousDigestHashValue": before.sha256 if before else None,
            "previousDigestHashAlgorithm": "SHA-256" if before else None,
            "previousDigestSignature": before.signature if before else None,
            "logFiles": listed,
        } | more
        text = json.dumps(values).encode()
        lines = [stamp(end), f"{self.bucket}/{key}", hashlib.sha256(text).hexdigest()]
        signed = "\n".join([*lines, before.signature if before else "null"]).encode()
        written = Written(key, text, private_key().sign(signed, PKCS1v15(), SHA256()).hex())
        self.written.append(written)
        if not suffix:
            self.last = written
        return written


def stamp(moment: datetime) -> str:
    """A time as digests spell it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def contents(names: Sequence[str], start: datetime) -> list[tuple[str, bytes]]:
    """Log files, a minute apart, each with one record of its own: keys and contents before they are packed."""
    return [
        (log_key(start + timedelta(minutes=minute), name), content(name, start)) for minute, name in enumerate(names)
    ]


def content(name: str, start: datetime = TEN) -> bytes:
    """The text of a log file with one record."""
    record = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "userName": "alice"},
        "eventTime": stamp(start),
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": REGION,
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "example",
        "eventID": hashlib.sha256(name.encode()).hexdigest()[:32],
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }
    return json.dumps({"Records": [record]}).encode()
