"""Log objects: S3 (moto's server on loopback, unmodified boto3) and local folders."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import random
import zlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.s3_objects import S3Objects, _in_our_words
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
from iota_dagster.core.model import LogObject, ObjectRef, ObjectStatus
from iota_dagster.core.objects import Objects
from tests.aws import Answer, Asked, Aws, own_session, s3_error

LARGEST = 1_000_000


class Place:
    """One bucket with its reader and a way to put objects into it."""

    def __init__(self, bucket: str, put: Callable[[str, bytes], object], clients: ClientFactory) -> None:
        self.bucket, self.put = bucket, put
        self.objects = Objects(lambda bucket, key: "ours" if bucket == self.bucket else None, self.client, LARGEST)
        self.clients = clients

    def client(self, integration: str):  # type: ignore[no-untyped-def]
        assert integration == "ours"
        return self.clients.s3()

    def registered(self, key: str) -> LogObject:
        ref = self.objects.head(self.bucket, key)
        assert ref.etag is not None
        assert ref.size is not None
        return LogObject(1, ref.bucket, ref.key, ref.etag, ref.size, "ours", None, None, 1, ObjectStatus.PENDING, "log")


def in_folder(root: Path) -> Callable[[str, bytes], object]:
    def put(key: str, data: bytes) -> None:
        (root / key).parent.mkdir(parents=True, exist_ok=True)
        (root / key).write_bytes(data)

    return put


@pytest.fixture
def folder(tmp_path: Path) -> Place:
    (tmp_path / "logs").mkdir()
    return Place(f"file://{tmp_path}/logs", in_folder(tmp_path / "logs"), ClientFactory())


@pytest.fixture
def s3(aws: Aws) -> Place:
    bucket, client = aws.bucket("logs"), aws.clients.s3()
    return Place(bucket, lambda key, data: client.put_object(Bucket=bucket, Key=key, Body=data), aws.clients)


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("key", ["AWSLogs/1/x.json.gz", "a b+c=d%20&é.gz", "..a/b..gz"])
def test_an_object_is_fetched_as_it_was_registered(place: Place, tmp_path: Path, key: str) -> None:
    place.put(key, b"content")
    object = place.registered(key)
    assert object.size == 7
    place.objects.fetch(object, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == b"content"


def test_head_tells_when_the_object_was_written(place: Place) -> None:
    place.put("key", b"x")
    written = place.objects.head(place.bucket, "key").last_modified
    assert written is not None
    assert abs(written - datetime.now(UTC)) < timedelta(minutes=1)


def test_the_etag_of_a_local_file_is_a_hash_of_its_bytes(folder: Place) -> None:
    folder.put("key", b"content")
    etag = hashlib.blake2b(b"content", digest_size=16).hexdigest()
    assert folder.objects.head(folder.bucket, "key").etag == etag


def test_an_overwritten_object_is_superseded(place: Place, tmp_path: Path) -> None:
    place.put("key", b"first")
    object = place.registered("key")
    place.put("key", b"later")
    with pytest.raises(ObjectSuperseded, match="key"):
        place.objects.fetch(object, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


def test_a_missing_object_is_told_by_its_key(place: Place, tmp_path: Path) -> None:
    place.put("key", b"x")
    object = place.registered("key")
    with pytest.raises(ObjectMissing, match="nothing"):
        place.objects.head(place.bucket, "nothing")
    with pytest.raises(ObjectMissing, match="nothing"):
        place.objects.fetch(replace(object, key="nothing"), tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


def test_an_object_over_the_limit_is_too_large_whatever_the_ledger_says(place: Place, tmp_path: Path) -> None:
    place.put("key", b"x" * (LARGEST + 1))
    object = place.registered("key")
    for size in (object.size, 1):
        with pytest.raises(ObjectTooLarge, match=r"1,000,000"):
            place.objects.fetch(replace(object, size=size), tmp_path / "spool")
        assert not (tmp_path / "spool").exists()


def test_a_bucket_that_is_not_configured_is_never_touched(place: Place, tmp_path: Path) -> None:
    place.put("key", b"x")
    object = replace(place.registered("key"), bucket="file:///etc", key="passwd")
    with pytest.raises(ObjectRefused, match="no integration"):
        place.objects.fetch(object, tmp_path / "spool")
    with pytest.raises(ObjectRefused, match="no integration"):
        place.objects.head("other-bucket", "key")
    with pytest.raises(ObjectRefused, match="no integration"):
        place.objects.list("other-bucket", "")


def test_a_listing_finds_the_keys_of_a_prefix_in_order(place: Place) -> None:
    for key in ("a/2", "a/1", "a-b", "ab/c/d", "b"):
        place.put(key, b"x")
    assert [ref.key for ref in place.objects.list(place.bucket, "")] == ["a-b", "a/1", "a/2", "ab/c/d", "b"]
    assert [ref.key for ref in place.objects.list(place.bucket, "a/")] == ["a/1", "a/2"]
    assert [ref.key for ref in place.objects.list(place.bucket, "ab/c/")] == ["ab/c/d"]
    (ref,) = place.objects.list(place.bucket, "b")
    head = place.objects.head(place.bucket, "b")
    assert (ref.etag, ref.size) == (head.etag, 1)
    assert ref.last_modified is not None


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/etc/passwd", "link", "linked/secret", "loop", "\0"])
def test_a_key_that_leaves_its_folder_is_refused(folder: Place, tmp_path: Path, key: str) -> None:
    folder.put("a/b", b"x")
    object = folder.registered("a/b")
    (tmp_path / "secret").write_bytes(b"secret")
    logs = tmp_path / "logs"
    (logs / "link").symlink_to(tmp_path / "secret")
    (logs / "linked").symlink_to(tmp_path)
    (logs / "loop").symlink_to(logs / "loop")
    with pytest.raises(ObjectRefused, match="leaves its folder"):
        folder.objects.head(folder.bucket, key)
    with pytest.raises(ObjectRefused, match="leaves its folder"):
        folder.objects.fetch(replace(object, key=key), tmp_path / "spool")
    assert [ref.key for ref in folder.objects.list(folder.bucket, "")] == ["a/b"]


def test_a_local_listing_skips_what_is_hidden_or_no_file(folder: Place, tmp_path: Path) -> None:
    for key in ("seen", ".hidden", ".git/config", "a/.DS_Store", "a/b"):
        folder.put(key, b"x")
    logs = tmp_path / "logs"
    (logs / "inside").symlink_to(logs / "seen")
    (logs / "again").symlink_to(logs / "a")
    os.mkfifo(logs / "pipe")
    (logs / os.fsdecode(b"not-utf8-\xff")).write_bytes(b"x")
    assert [ref.key for ref in folder.objects.list(folder.bucket, "")] == ["a/b", "inside", "seen"]
    with pytest.raises(ObjectMissing, match="regular"):
        folder.objects.head(folder.bucket, "pipe")


def test_a_file_that_may_not_be_read_is_listed_without_an_etag(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("key", b"x")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)  # root, who runs the tests in CI, may read everything
    assert list(folder.objects.list(folder.bucket, "")) == [ObjectRef(folder.bucket, "key")]
    with pytest.raises(ObjectRefused, match="may not be read"):
        folder.objects.head(folder.bucket, "key")


def test_a_folder_that_is_gone_is_an_outage(folder: Place, tmp_path: Path) -> None:
    (tmp_path / "logs").rmdir()
    with pytest.raises(Outage, match="mounted"):
        folder.objects.head(folder.bucket, "key")
    with pytest.raises(Outage, match="mounted"):
        list(folder.objects.list(folder.bucket, ""))


def test_a_relative_folder_is_no_bucket() -> None:
    place = Place("file://logs", lambda key, data: None, ClientFactory())
    with pytest.raises(ObjectRefused, match="absolute"):
        place.objects.head(place.bucket, "key")


def test_folder_markers_of_s3_are_no_objects(s3: Place) -> None:
    s3.put("a/", b"")
    s3.put("a/b", b"x")
    assert [ref.key for ref in s3.objects.list(s3.bucket, "a/")] == ["a/b"]


def test_a_bucket_that_does_not_exist_is_refused(s3: Place, tmp_path: Path) -> None:
    s3.put("key", b"x")
    object = s3.registered("key")
    s3.bucket = "no-such-bucket-anywhere"
    with pytest.raises(ObjectRefused, match="does not exist"):
        s3.objects.fetch(replace(object, bucket=s3.bucket), tmp_path / "spool")
    with pytest.raises(ObjectRefused, match="does not exist"):
        list(s3.objects.list(s3.bucket, ""))


def test_an_empty_key_is_refused_and_not_asked_for_again_and_again(s3: Place) -> None:
    with pytest.raises(ObjectRefused, match="no such name"):
        s3.objects.head(s3.bucket, "")


def test_a_service_that_does_not_answer_is_an_outage(s3: Place, tmp_path: Path) -> None:
    s3.put("key", b"x")
    object = s3.registered("key")
    s3.clients = ClientFactory(ClientOptions(endpoint_url="http://127.0.0.1:1", attempts=1), own_session)
    with pytest.raises(Outage, match="key"):
        s3.objects.fetch(object, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize(
    ("operation", "status", "code", "expected"),
    [
        ("GetObject", 403, "AccessDenied", ObjectRefused),
        ("HeadObject", 403, "403", ObjectRefused),
        ("GetObject", 403, "InvalidObjectState", ObjectArchived),
        ("GetObject", 400, "KMS.DisabledException", ObjectRefused),
        ("GetObject", 400, "KMS.ThrottlingException", Outage),
        ("HeadObject", 404, "404", ObjectMissing),
        ("GetObject", 412, "PreconditionFailed", ObjectSuperseded),
        ("GetObject", 403, "RequestTimeTooSkewed", Outage),
        ("GetObject", 400, "ExpiredToken", Outage),
        ("GetObject", 500, "InternalError", Outage),
        ("GetObject", 503, "SlowDown", Outage),
        ("GetObject", 429, "", Outage),
        ("AssumeRole", 403, "AccessDenied", Outage),
        ("GetSecretValue", 400, "ResourceNotFoundException", Outage),
    ],
)
def test_an_error_answer_blames_the_object_only_where_it_is_the_objects(
    operation: str, status: int, code: str, expected: type[IotaError]
) -> None:
    answer = {"Error": {"Code": code, "Message": "words"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = _in_our_words(ClientError(answer, operation), "bucket", "key")  # type: ignore[arg-type]
    assert type(error) is expected
    assert "bucket/key" in str(error)


class Answers:
    """Bodies of 7 bytes, of which the first `broken` end after 3, as when a connection is cut."""

    def __init__(self, broken: int) -> None:
        self.broken, self.asked = broken, 0

    def __call__(self) -> StreamingBody:
        self.asked += 1
        return StreamingBody(io.BytesIO(b"con" if self.asked <= self.broken else b"content"), 7)


def test_a_body_that_breaks_off_is_asked_for_again_from_its_start() -> None:
    answers, target = Answers(broken=2), io.BytesIO()
    assert copy_stream(answers, target)
    assert (target.getvalue(), answers.asked) == (b"content", 3)


def test_a_body_that_always_breaks_off_is_given_up() -> None:
    answers = Answers(broken=9)
    with pytest.raises(IncompleteReadError):
        copy_stream(answers, io.BytesIO())
    assert answers.asked == 3


@pytest.mark.parametrize("broken", [0, 2])
def test_a_part_that_breaks_off_is_asked_for_again_and_lands_in_its_place(tmp_path: Path, broken: int) -> None:
    answers = Answers(broken)
    with (tmp_path / "file").open("w+b") as file:
        file.write(b"....")
        file.flush()
        assert copy_part(answers, file.fileno(), 4) == 7
        assert os.pread(file.fileno(), 99, 0) == b"....content"
    assert answers.asked == broken + 1


PARTS = {"large": 1000, "part": 300}


@pytest.mark.parametrize("size", [1001, 1199, 1200, 1201, 10_000])
def test_a_large_object_is_read_in_parts_of_the_registered_content(
    s3: Place, aws: Aws, tmp_path: Path, size: int
) -> None:
    content = random.Random(size).randbytes(size)
    s3.put("large", content)
    object = s3.registered("large")
    with aws.recording() as asked:
        S3Objects(aws.clients.s3(), LARGEST, **PARTS).fetch(object, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == content
    assert len([request for request in asked if "range" in request.headers]) == -(-size // 300)
    assert {request.headers["if-match"] for request in asked} == {f'"{object.etag}"'}


def test_an_object_that_is_not_large_is_read_by_one_request(s3: Place, aws: Aws, tmp_path: Path) -> None:
    s3.put("key", b"x" * 1000)
    object = s3.registered("key")
    with aws.recording() as asked:
        S3Objects(aws.clients.s3(), LARGEST, **PARTS).fetch(object, tmp_path / "spool")
    assert [(request.method, request.headers.get("range")) for request in asked] == [("GET", None)]


def test_a_large_object_that_is_overwritten_between_two_parts_is_superseded(
    s3: Place, aws: Aws, tmp_path: Path
) -> None:
    def overwritten(request: Asked) -> Answer | None:
        return s3_error(412, "PreconditionFailed") if request.headers.get("range") == "bytes=900-1199" else None

    s3.put("large", b"x" * 2000)
    object = s3.registered("large")
    with aws.disturbed_by(overwritten), pytest.raises(ObjectSuperseded, match="large"):
        S3Objects(aws.clients.s3(), LARGEST, **PARTS).fetch(object, tmp_path / "spool")
    s3.put("large", b"y" * 2000)
    with pytest.raises(ObjectSuperseded, match="large"):
        S3Objects(aws.clients.s3(), LARGEST, **PARTS).fetch(object, tmp_path / "spool")


def test_a_part_that_is_too_short_is_noticed(s3: Place, aws: Aws, tmp_path: Path) -> None:
    s3.put("large", b"x" * 2000)
    object = s3.registered("large")
    short = Answer(206, b"x" * 299, (("Content-Range", "bytes 0-299/2000"),))
    with (
        aws.disturbed_by(lambda request: short if "range" in request.headers else None),
        pytest.raises(Outage, match="large: 299 bytes came instead of 300"),
    ):
        S3Objects(aws.clients.s3(), LARGEST, **PARTS).fetch(object, tmp_path / "spool")


def test_a_large_object_over_the_limit_is_not_even_begun(s3: Place, aws: Aws, tmp_path: Path) -> None:
    s3.put("large", b"x" * 2000)
    object = replace(s3.registered("large"), size=1001)
    with aws.recording() as asked, pytest.raises(ObjectTooLarge, match=r"1,999"):
        S3Objects(aws.clients.s3(), 1999, **PARTS).fetch(object, tmp_path / "spool")
    assert [request.method for request in asked] == ["HEAD"]


class Corrupted:
    """Answers the first `times` GETs with seven bytes that are not those of their checksum."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, request: Asked) -> Answer | None:
        self.times -= 1
        if self.times < 0:
            return None
        assert request.headers["x-amz-checksum-mode"] == "ENABLED"
        checksum = base64.b64encode(zlib.crc32(b"content").to_bytes(4, "big")).decode()
        return Answer(200, b"c0ntent", (("x-amz-checksum-crc32", checksum),))


def test_a_corrupted_body_is_noticed_by_its_checksum_and_asked_for_again(s3: Place, aws: Aws, tmp_path: Path) -> None:
    s3.put("key", b"content")
    object = s3.registered("key")
    with aws.disturbed_by(Corrupted(times=2)):
        s3.objects.fetch(object, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == b"content"
    with aws.disturbed_by(Corrupted(times=99)), pytest.raises(Outage, match=r"key: .*checksum"):
        s3.objects.fetch(object, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_an_object_encrypted_by_kms_is_read_like_any_other(s3: Place, aws: Aws, tmp_path: Path) -> None:
    client = aws.clients.s3()
    client.put_object(
        Bucket=s3.bucket, Key="key", Body=b"content", ServerSideEncryption="aws:kms", SSEKMSKeyId="alias/x"
    )
    s3.objects.fetch(s3.registered("key"), tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == b"content"


def test_a_key_that_the_role_may_not_use_is_told_with_what_is_needed(s3: Place, aws: Aws, tmp_path: Path) -> None:
    s3.put("key", b"content")
    object = s3.registered("key")
    message = "User: arn:aws:sts::1:assumed-role/x is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:y"
    with (
        aws.disturbed_by(lambda _: s3_error(403, "AccessDenied", message)),
        pytest.raises(ObjectRefused, match=r"key: the role needs kms:Decrypt .*arn:aws:kms:y"),
    ):
        s3.objects.fetch(object, tmp_path / "spool")


@pytest.mark.parametrize("tier", ["GLACIER", "DEEP_ARCHIVE"])
def test_an_archived_object_says_that_it_must_be_restored(s3: Place, aws: Aws, tmp_path: Path, tier: str) -> None:
    aws.clients.s3().put_object(Bucket=s3.bucket, Key="key", Body=b"x", StorageClass=tier)  # type: ignore[arg-type]
    with pytest.raises(ObjectArchived, match=rf"key: archived \({tier}\): restore it first"):
        s3.objects.fetch(s3.registered("key"), tmp_path / "spool")


def test_a_folder_that_may_not_be_listed_is_refused_by_its_name(folder: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.put("a/b", b"x")

    def denied(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", denied)
    with pytest.raises(ObjectRefused, match="may not be read"):
        list(folder.objects.list(folder.bucket, ""))
