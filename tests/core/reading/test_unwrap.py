"""Vendors' wrappers: what is inside them, and what only looks like one."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.reading.reader import read

WINDOWS = (1, 64, 1 << 20)
DETAIL = b'{"eventVersion": "1.11",  "eventName":"GetObject"}'
EVENT = (
    b'{"version":"0","id":"e-1","detail-type":"AWS API Call via CloudTrail","source":"aws.s3","account":"111122223333",'
    b'"time":"2026-11-22T09:58:00Z","region":"eu-west-1","resources":[],"detail":' + DETAIL + b"}"
)


def dump(thing: Any) -> bytes:
    return json.dumps(thing).encode()


def notification(message: bytes) -> bytes:
    return dump({"Type": "Notification", "MessageId": "m-1", "Message": message.decode()})


def subscription(*messages: Any, kind: str = "DATA_MESSAGE") -> bytes:
    events = [{"id": str(n), "timestamp": 1763805480000 + n, "message": text} for n, text in enumerate(messages)]
    return dump({"messageType": kind, "owner": "111122223333", "logGroup": "flows", "logEvents": events})


# Each wrapper.


@pytest.mark.parametrize("window", WINDOWS)
def test_the_detail_of_an_eventbridge_event_comes_byte_for_byte(window: int) -> None:
    for content in (EVENT, b"[" + EVENT + b"]", b'{"Records":[' + EVENT + b"]}", gzip.compress(EVENT + b"\n")):
        whole = read(content, window)
        assert (whole.records, whole.damages) == ([DETAIL], [])


@pytest.mark.parametrize("window", WINDOWS)
def test_messages_of_a_subscription_are_records_of_json_or_text(window: int) -> None:
    flow = "2 111122223333 eni-1 203.0.113.7 ACCEPT"
    content = subscription('{"auditID":"a"}', flow, "", "two\nlines\n") + subscription("x", kind="CONTROL_MESSAGE")
    whole = read(content + b'{"b":1}', window, header=b"version account-id")
    assert whole.records == [b'{"auditID":"a"}', flow.encode(), b"two\nlines", b'{"b":1}']
    assert set(whole.headers) == {b"version account-id"}
    assert whole.offsets == [0, 0, 0, len(content)]


def test_a_log_event_alone_is_its_message() -> None:
    event = {"id": "3195310660696698337" * 2 + "0" * 18, "timestamp": 1763805480000, "message": '{"a":1}'}
    content = b"\n".join(map(dump, [event, event | {"extractedFields": {"a": "1"}}]))
    assert read(content).records == [b'{"a":1}', b'{"a":1}']


@pytest.mark.parametrize(
    "event",
    [
        {"id": "1" * 56, "timestamp": 1, "message": "text", "level": "info"},
        {"id": "1" * 56, "timestamp": "2026-11-22T09:58:00Z", "message": "text"},
        {"id": 1, "timestamp": 1, "message": "text"},
        {"id": "1" * 56, "timestamp": 1, "message": {"a": 1}},
        {"id": "abc", "timestamp": 1700000000, "message": "somebody's own record"},
        {"id": "1" * 55, "timestamp": 1700000000, "message": "somebody's own record"},
    ],
)
def test_a_record_that_only_resembles_a_log_event_stays(event: dict[str, Any]) -> None:
    assert read(dump(event)).records == [dump(event)]


def test_the_message_of_a_notification_is_read_where_it_is_an_object() -> None:
    assert read(notification(b' {"a":1} ')).records == [b'{"a":1}']
    plain = notification(b"CloudTrail validation message.")
    assert read(plain).records == [plain]
    other = dump({"Type": "SubscriptionConfirmation", "Message": '{"a":1}'})
    assert read(other).records == [other]


@pytest.mark.parametrize(
    "page",
    [
        b'{"items":[%s]}',
        b'{"kind":"admin#reports#activities","etag":"e","nextPageToken":"t","items":[%s]}',
        b'{"cursor":"c","has_more":true,"items":[%s]}',
        b'{"entries":[%s],"response_metadata":{"next_cursor":""},"ok":true}',
        b'{ "entries" : [ %s ] }',
        b'{"records":[%s]}',
        b'{"findings":[%s]}',
        b'{"actionName":"n","actionDescription":"d","findings":[%s]}',
    ],
)
@pytest.mark.parametrize("window", WINDOWS)
def test_a_page_is_its_objects_byte_for_byte(page: bytes, window: int) -> None:
    whole = read(page % b'{"a": 1} , {"b":2}' + b"\n" + page % b'{"c":3}', window)
    assert (whole.records, whole.damages) == ([b'{"a": 1}', b'{"b":2}', b'{"c":3}'], [])


@pytest.mark.parametrize(
    "record",
    [
        b'{"items":[{"a":1}],"buyer":"x"}',
        b'{"total":1,"items":[{"a":1},2]}',
        b'{"items":{"a":1}}',
        b'{"items":[],"entries":[]}',
        b'{"records":[{"a":1}],"kind":"k"}',
        b'{"findings":[{"a":1}],"account":"x"}',
        b'{"event":{"items":[{"a":1}]}}',
        b'{"detail-type":"x","source":"y","detail":"text"}',
        b'{"detail-type":"x","detail":{"a":1}}',
        b'{"messageType":"OTHER","logEvents":[]}',
        b'{"messageType":"DATA_MESSAGE","logEvents":{}}',
    ],
)
def test_what_lacks_a_mark_stays_whole(record: bytes) -> None:
    assert read(record).records == [record]


def test_an_empty_page_has_no_records() -> None:
    whole = read(b'{"kind":"k","items":[]}\n{"a":1}')
    assert (whole.records, whole.count) == ([b'{"a":1}'], 1)


# Wrappers in wrappers, among others, and broken ones.


@pytest.mark.parametrize("window", WINDOWS)
def test_wrappers_in_wrappers_are_seen_through(window: int) -> None:
    assert read(notification(EVENT), window).records == [DETAIL]
    assert read(subscription(notification(EVENT).decode(), "text"), window).records == [DETAIL, b"text"]
    assert read(notification(b'{"Records":[{"a":1},2]}'), window).records == [b'{"a":1}']


def test_at_the_fifth_wrapper_it_ends() -> None:
    content = b'{"a":1}'
    for _ in range(4):
        content = b'{"items":[' + content + b"]}"
    assert read(content).records == [b'{"a":1}']
    assert read(b'{"items":[' + content + b"]}").records == [b'{"items":[{"a":1}]}']


@pytest.mark.parametrize("window", WINDOWS)
def test_ordinals_are_given_anew_and_places_stay(window: int) -> None:
    before, after = b'{"n":0}', b'{"n":9}'
    content = b"\n".join([before, EVENT, b'{"broken":}', subscription("a", "b"), after])
    whole = read(content, window)
    assert whole.records == [before, DETAIL, b"a", b"b", after]
    assert [(bad.ordinal, content[bad.byte_offset :][:10]) for bad in whole.damages] == [(2, b'{"broken":')]


def test_a_line_of_text_is_followed_by_a_wrapper() -> None:
    assert read(b"text\n" + EVENT + b'\n{broken "detail-type"\n').records == [b"text", DETAIL, b'{broken "detail-type"']


def test_broken_contents_are_damages_in_their_place() -> None:
    deep = b'{"a":' * 200 + b"1" + b"}" * 200
    content = [notification(b'{"a":'), notification(deep), subscription("ok", "nul\0", deep.decode(), 7), EVENT]
    whole = read(b"\n".join(content))
    assert whole.records == [b"ok", DETAIL]
    assert whole.reasons == ["invalid_json", "too_deep", "not_text", "too_deep", "not_text"]
    assert [bad.ordinal for bad in whole.damages] == [0, 1, 3, 4, 5]


@pytest.mark.parametrize("window", [64, 1 << 20])
def test_a_wrapper_too_large_for_a_record_is_entered(window: int) -> None:
    objects = b",".join(b'{"n":%d,"pad":"%s"}' % (n, b"x" * 90) for n in range(100))
    for page in (b'{"cursor":"c","items":[%s]}', b'{"entries":[%s],"ok":true}'):
        whole = read(page % objects + b'{"b":1}', window, record_bytes=1000)
        assert len(whole.records) == 101
        assert whole.damages == []
    logs = subscription(*[f"text {n} " + "x" * 50 for n in range(100)])
    assert len(read(logs + b"\n" + logs, window, record_bytes=1000).records) == 200


@pytest.mark.parametrize("window", [64, 1 << 20])
def test_a_record_too_large_that_is_no_wrapper_is_passed_over(window: int) -> None:
    for start in (b'{"buyer":"x","items":[', b'{"note":"' + b"x" * 2000 + b'","items":['):
        large = start + b",".join([b'{"a":1}'] * 1000) + b"]}"
        whole = read(b'{"b":1}\n' + large + b'\n{"b":2}', window, record_bytes=1000)
        assert whole.records == [b'{"b":1}', b'{"b":2}']
        assert [(bad.reason, bad.size) for bad in whole.damages] == [("record_too_large", len(large))]


leaves = st.sampled_from([b'{"a":1}', b'{"a":', b"text", b'{"Records":[{"x":1},2]}', b'{"items":[3]}', b""])
contents = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: subscription(*(part.decode() for part in parts)))
        | inner.map(notification)
        | st.lists(inner, max_size=3).map(lambda parts: b'{"kind":"k","items":[' + b",".join(parts) + b"]}")
        | inner.map(lambda part: b'{"detail-type":"t","source":"s","detail":' + part + b"}")
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(st.lists(contents, max_size=4).map(b"\n".join), st.integers(1, 300), st.integers(20, 200))
def test_what_is_inside_does_not_depend_on_the_window(content: bytes, window: int, limit: int) -> None:
    assert read(content, window).found == read(content).found
    read(content, window, record_bytes=limit)


@settings(max_examples=60)
@given(contents, st.data(), st.integers(1, 100))
def test_damaged_wrappers_are_accounted_for(content: bytes, data: st.DataObject, window: int) -> None:
    stored = bytearray(content)
    for place in data.draw(st.lists(st.integers(0, max(0, len(stored) - 1)), max_size=3)) if stored else []:
        stored[place] = data.draw(st.integers(0, 255))
    read(bytes(stored), window)


def test_a_cloudtrail_digest_lists_files_and_holds_no_records() -> None:
    digest = {"awsAccountId": "111122223333", "digestS3Object": "AWSLogs/x", "logFiles": [{"s3Object": "y"}]}
    assert read(dump(digest) + b'\n{"a":1}').records == [b'{"a":1}']
    other = dump({"awsAccountId": "111122223333", "logFiles": []})
    assert read(other).records == [other]
