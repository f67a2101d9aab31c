"""Every form of queue message, and what is no message at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.cli.message import command as message
from iota_dagster.core.arrival.notification import CarriedEvent, Message, MessageKind, read_message
from iota_dagster.core.model import ObjectRef


def s3_record(key: str = "a.gz", name: str = "ObjectCreated:Put", **more: Any) -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": name,
        "s3": {"bucket": {"name": "logs"}, "object": {"key": key, **more}},
    }


def s3(*records: Any) -> dict[str, Any]:
    return {"Records": list(records)}


def sns(inner: Any) -> dict[str, Any]:
    text = inner if isinstance(inner, str) else json.dumps(inner)
    return {"Type": "Notification", "MessageId": "1", "TopicArn": "arn:aws:sns:us-east-1:1:t", "Message": text}


def eventbridge(detail_type: str, detail: Any, source: str = "aws.s3") -> dict[str, Any]:
    return {"version": "0", "detail-type": detail_type, "source": source, "detail": detail}


def created(key: str, **more: Any) -> dict[str, Any]:
    return eventbridge("Object Created", {"bucket": {"name": "logs"}, "object": {"key": key, **more}})


def read(content: Any) -> Message:
    """The message, which must be the same as text, as bytes and behind a byte order mark."""
    body = json.dumps(content, ensure_ascii=False)
    found = read_message(body)
    assert read_message(body.encode()) == found
    assert read_message(b"\xef\xbb\xbf" + body.encode()) == found
    return found


def keys(content: Any) -> list[str]:
    return [found.key for found in read(content).objects]


# Messages that name objects.


@pytest.mark.parametrize("name", ["Put", "Post", "Copy", "CompleteMultipartUpload"])
@pytest.mark.parametrize("version", ["2.0", "2.1", "2.5"])
def test_every_way_to_create_an_object_is_read(name: str, version: str) -> None:
    found = read(s3(s3_record("a.gz", f"ObjectCreated:{name}") | {"eventVersion": version}))
    assert found == Message(MessageKind.S3, (ObjectRef("logs", "a.gz"),))


def test_etag_size_and_version_are_taken_where_given() -> None:
    found = read(s3(s3_record("a", eTag='"e1"', size=7, versionId="v1"), s3_record("b", eTag="", size="7")))
    assert found.objects == (ObjectRef("logs", "a", "e1", 7, "v1"), ObjectRef("logs", "b"))
    assert read(created("a", **{"etag": "e1", "size": 7, "version-id": "v1"})).objects == found.objects[:1]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a+b.gz", "a b.gz"),
        ("a%2Bb.gz", "a+b.gz"),
        ("a%20b", "a b"),
        ("Z%C3%BCrich/%E2%98%83", "Zürich/☃"),
        ("50%2525", "50%25"),
    ],
)
def test_only_s3_itself_encodes_its_keys(written: str, key: str) -> None:
    assert keys(s3(s3_record(written))) == keys(sns(s3(s3_record(written)))) == [key]
    assert keys(created(written)) == keys(sns(created(written))) == [written]
    assert keys({"s3Bucket": "logs", "s3ObjectKey": [written]}) == [written]


def test_an_object_named_twice_counts_once_and_the_order_stays() -> None:
    assert keys(s3(s3_record("b"), s3_record("a"), s3_record("b"))) == ["b", "a"]
    assert keys({"s3Bucket": "logs", "s3ObjectKey": ["b", "a", "b"]}) == ["b", "a"]


def test_a_key_written_anew_is_another_object() -> None:
    assert len(read(s3(s3_record("a", eTag="1"), s3_record("a", eTag="2"))).objects) == 2


def test_sns_wrapping_changes_nothing() -> None:
    for content in (s3(s3_record()), created("a.gz"), {"s3Bucket": "logs", "s3ObjectKey": ["a.gz"]}):
        assert read(sns(content)) == read(content)
        assert read(sns(sns(content))) == read(content)


def test_cloudtrails_own_notice_may_name_one_key_or_many() -> None:
    assert keys({"s3Bucket": "logs", "s3ObjectKey": "a"}) == ["a"]
    assert read({"s3Bucket": "logs", "s3ObjectKey": ["a", "b"]}).kind is MessageKind.CLOUDTRAIL_NOTICE


def test_a_record_that_does_not_say_what_happened_is_taken_for_a_new_object() -> None:
    record = s3_record("a")
    del record["eventName"]
    assert keys(s3(record)) == ["a"]


# Messages that carry events.


@pytest.mark.parametrize(
    ("detail_type", "source"),
    [
        ("AWS API Call via CloudTrail", "aws.s3"),
        ("AWS Service Event via CloudTrail", "aws.ec2"),
        ("AWS Console Sign In via CloudTrail", "aws.signin"),
        ("SystemLog", "aws.partner/okta.com/example/logs"),
        ("GuardDuty Finding", "aws.guardduty"),
    ],
)
def test_an_event_in_an_envelope_comes_out_as_it_was_written(detail_type: str, source: str) -> None:
    event = '{ "eventID":"1",  "n":1.50, "text":"é\\u00e9" }'
    body = json.dumps(eventbridge(detail_type, "HERE", source)).replace('"HERE"', event)
    carried = CarriedEvent(body.encode(), event.encode())
    assert read_message(body) == Message(MessageKind.EVENTBRIDGE_EVENT, events=(carried,))
    assert read_message(json.dumps(sns(body))).events == (carried,)


@pytest.mark.parametrize(("written", "read"), [({"id": "6f87-a"}, "6f87-a"), ({}, None), ({"id": 7}, None)])
def test_an_event_is_known_by_the_id_of_its_envelope(written: dict[str, Any], read: str | None) -> None:
    envelope = eventbridge("SystemLog", {"uuid": "1"}, "aws.partner/okta.com/x") | written
    (event,) = read_message(json.dumps(envelope)).events
    assert event.id == read


# Noise.


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "logs"}, "s3_test"),
        (
            {"Type": "SubscriptionConfirmation", "Message": "x", "SubscribeURL": "https://example.com"},
            "sns_subscription",
        ),
        ({"Type": "UnsubscribeConfirmation", "Message": "x"}, "sns_subscription"),
        (sns("CloudTrail validation message."), "cloudtrail_validation"),
        (s3(s3_record("a", "ObjectRemoved:Delete"), s3_record("b", "LifecycleExpiration:Delete")), "s3_other"),
        (eventbridge("Object Deleted", {"bucket": {"name": "logs"}, "object": {"key": "a"}}), "s3_other"),
        (eventbridge("Object Restore Completed", {}), "s3_other"),
    ],
)
def test_noise_is_known_as_noise(content: Any, kind: str) -> None:
    for body in (content, sns(content)) if content.get("Type") is None else (content,):
        found = read(body)
        assert found == Message(MessageKind(kind))
        assert found.kind.is_noise


def test_cloudtrails_validation_message_is_known_without_sns() -> None:
    assert read_message("CloudTrail validation message.\n").kind is MessageKind.CLOUDTRAIL_VALIDATION


def test_removals_beside_creations_are_left_out() -> None:
    assert keys(s3(s3_record("a", "ObjectRemoved:Delete"), s3_record("b"))) == ["b"]


# What cannot be used.


@pytest.mark.parametrize(
    ("bad", "problem"),
    [
        (7, "Records[0]: no s3"),
        ({"eventName": "ObjectCreated:Put"}, "Records[0]: no s3"),
        ({"s3": {"bucket": {"name": "logs"}}}, "Records[0]: no object"),
        ({"s3": {"bucket": {}, "object": {"key": "a"}}}, "Records[0]: no name"),
        (s3_record(""), "Records[0]: key is empty or no text"),
        (s3_record("%ff"), "Records[0]: the key '%ff' is not percent-encoded UTF-8"),
        (s3_record("a%00"), "Records[0]: the key 'a\\x00' holds a NUL, which S3 does not allow"),
        (s3_record("b", eTag="e\0"), "Records[0]: the etag 'e\\x00' holds a NUL, which S3 does not allow"),
        (s3_record("b", versionId="v\0"), "Records[0]: the version 'v\\x00' holds a NUL, which S3 does not allow"),
        (
            s3_record("k" * 1025),
            f"Records[0]: the key '{'k' * 80}'… has more than 1,024 bytes, which S3 does not allow",
        ),
    ],
)
def test_a_bad_record_is_told_and_the_good_one_beside_it_is_used(bad: Any, problem: str) -> None:
    assert read(s3(bad, s3_record("a"))) == Message(MessageKind.S3, (ObjectRef("logs", "a"),), problems=(problem,))
    assert read(s3(bad)) == Message(MessageKind.UNREADABLE, problems=(problem,))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, "none of the known forms; its fields are none"),
        ({"b": 1, "a": 2}, "none of the known forms; its fields are a, b"),
        ([1, 2], "a JSON list instead of an object"),
        ("text", "a JSON str instead of an object"),
        ({"Records": []}, "Records is empty or no list"),
        ({"Records": {}}, "Records is empty or no list"),
        ({"Type": "Notification"}, "an SNS notification without a Message"),
        (sns(sns(sns(sns(sns("x"))))), "SNS notifications more than 3 deep"),
        (eventbridge("Object Created", {"object": {"key": "a"}}), "detail: no bucket"),
        (eventbridge("SystemLog", "text", "aws.partner/x"), "an EventBridge event whose detail is no object"),
        ({"s3Bucket": "logs"}, "s3ObjectKey is empty or no text"),
        ({"s3Bucket": "logs", "s3ObjectKey": []}, "s3ObjectKey is empty or no text"),
        ({"s3ObjectKey": ["a"]}, "no s3Bucket"),
    ],
)
def test_an_unreadable_message_says_why(content: Any, problem: str) -> None:
    assert read(content) == Message(MessageKind.UNREADABLE, problems=(problem,))


def test_a_key_is_as_long_as_s3_allows_in_bytes() -> None:
    assert keys(s3(s3_record("ü" * 512))) == ["ü" * 512]
    assert read(s3(s3_record("ü" * 513))).kind is MessageKind.UNREADABLE


@pytest.mark.parametrize("size", [-1, 1 << 63, 10**30, 1.5, True, None])
def test_a_size_that_cannot_be_is_none(size: Any) -> None:
    (found,) = read(s3(s3_record("a", size=size))).objects
    assert found.size is None


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "1234-05-06T00:00:00Z", "2026-13-01", 7, None]
)
def test_a_time_that_cannot_be_is_none(time: Any) -> None:
    (found,) = read(s3(s3_record("a") | {"eventTime": time})).objects
    assert found.last_modified is None
    assert read(created("a") | {"time": time}).objects == (found,)


@pytest.mark.parametrize("body", ["", "no JSON {", '{"Records": [{"s3"', b"\xff\xfe", "\ud800", '{"a":"\ud800"}'])
def test_what_is_no_json_is_unreadable(body: str | bytes) -> None:
    found = read_message(body)
    assert found.kind is MessageKind.UNREADABLE
    assert found.problems[0].startswith("not JSON: ")


scalars = st.none() | st.booleans() | st.integers() | st.text(max_size=5)
names = st.sampled_from(
    [
        "Records",
        "s3",
        "bucket",
        "object",
        "name",
        "key",
        "Type",
        "Message",
        "detail",
        "detail-type",
        "source",
        "s3Bucket",
        "s3ObjectKey",
        "eventTime",
        "time",
        "size",
        "eTag",
        "versionId",
    ]
)
nasty = st.sampled_from(
    ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", 1 << 63, -(1 << 63), 10**30, "\0", "k" * 3_000]
)
nearly = st.recursive(
    scalars | nasty | st.sampled_from(["Notification", "Object Created", "aws.s3", "%ff"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.just("a\0b"), inner, max_size=5),
)
odd_records = st.lists(
    st.builds(
        lambda time, key, fields: s3_record(key, **fields) | {"eventTime": time},
        nearly,
        st.text(min_size=1, max_size=5) | nasty.filter(lambda value: isinstance(value, str)),
        st.dictionaries(st.sampled_from(["size", "eTag", "versionId"]), scalars | nasty),
    ),
    min_size=1,
    max_size=3,
)


@given(odd_records)
def test_what_is_read_of_an_object_can_be_stored(records: list[Any]) -> None:
    for ref in read(s3(*records)).objects:
        texts = (ref.bucket, ref.key, ref.etag or "", ref.version_id or "")
        assert "\0" not in "".join(texts)
        assert sum(len(text.encode()) for text in texts[:3]) < 2_000
        assert ref.size is None or 0 <= ref.size < 1 << 63
        assert ref.last_modified is None or 1970 <= ref.last_modified.year < 9999


@given(st.text() | st.binary() | nearly.map(json.dumps) | nearly.map(sns).map(json.dumps))
def test_no_body_raises_and_none_is_dropped_in_silence(body: str | bytes) -> None:
    found = read_message(body)
    assert found.kind.is_noise or found.objects or found.events or found.problems


# The command.


def test_the_command_prints_one_json_object(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_text(json.dumps(s3(7, s3_record("a%2Bb"))))
    result = CliRunner().invoke(message, [str(tmp_path / "m.json"), "--json"])
    assert json.loads(result.output) == {
        "kind": "s3",
        "objects": [{"bucket": "logs", "key": "a+b"}],
        "events": 0,
        "problems": ["Records[0]: no s3"],
    }


def test_the_command_reads_standard_input_and_speaks_plainly() -> None:
    body = json.dumps(eventbridge("SystemLog", {"uuid": "1"}, "aws.partner/okta.com/x"))
    result = CliRunner().invoke(message, ["-"], input=body)
    assert result.exit_code == 0
    assert result.output == (
        "eventbridge_event: EventBridge brings the event itself: the sensor would spool it\n  event   13 bytes\n"
    )


def test_the_command_tells_an_unreadable_message_without_failing() -> None:
    result = CliRunner().invoke(message, ["-", "--json"], input="{}")
    assert (result.exit_code, json.loads(result.output)["kind"]) == (0, "unreadable")


def test_the_command_has_words_for_every_kind() -> None:
    for body in (s3(s3_record()), created("a"), {"Event": "s3:TestEvent"}, {"s3Bucket": "b", "s3ObjectKey": "k"}, {}):
        result = CliRunner().invoke(message, ["-"], input=json.dumps(body))
        assert result.output.startswith(f"{read(body).kind}: ")


def test_a_missing_file_is_a_usage_error() -> None:
    assert CliRunner().invoke(message, ["nowhere.json"]).exit_code == 2
