"""The wrappers that vendors put around records, each known by its exact marks.

| wrapper | marks | what is inside |
|---|---|---|
| EventBridge event | `detail-type`, `source` (texts), `detail` (an object) | the `detail` |
| CloudWatch Logs subscription | `messageType`: `DATA_MESSAGE`, `logEvents` (a list) | the text of each `message` |
| … its test | `messageType`: `CONTROL_MESSAGE`, `logEvents` (a list) | nothing |
| one log event of such | `id` (56 digits), `timestamp`, `message`, perhaps `extractedFields` | the text of `message` |
| SNS notification | `Type`: `Notification`, `Message`: the text of a JSON object | that object |
| page of an API | `items` or `entries` (a list of objects), else only keys of `PAGING` | the objects |
| Azure's files and event hubs | `records` (a list of objects), nothing else | the objects |
| Security Hub's detail | `findings` (a list of objects), else only keys of `BESIDE_FINDINGS` | the objects |
| CloudTrail digest | `awsAccountId`, `digestS3Object` (texts), `logFiles` (a list) | nothing: it lists files |
| `Records` inside one of these | `Records` (a list) | its values |

Objects are handed on byte for byte, texts as they are after JSON's escapes are undone. Such an object also begins with
one of the keys its vendor writes: that rules out most records by their first bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from iota_dagster.core.reading import json_text
from iota_dagster.core.reading.chunk import Chunk, Problem
from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.reading.verdict import NOT_AN_OBJECT, invalid_json, line_problem, record_problem


def _keys(names: str) -> frozenset[str]:
    return frozenset(names.split())


PAGE_LISTS = frozenset({"items", "entries"})
PAGING = _keys(
    """count cursor etag first hasMore has_more kind last limit links next nextCursor nextLink nextPageToken
    nextSyncToken next_cursor next_page next_page_token offset ok page pageSize page_size per_page prev previous
    response_metadata resultSizeEstimate self size total totalCount totalItems total_count updated"""
)
"""The keys beside the list of a page; an object with any other is a record that happens to have `items`."""
BESIDE_FINDINGS = _keys("actionName actionDescription")
"""The keys beside the list where a Security Hub action sends findings on."""
LISTS_OF_WRAPPERS = (b'"items"', b'"entries"', b'"logEvents"')
"""The lists that can be entered where a wrapper is too large to be a record."""

Inner = Iterator[tuple[bytes, Problem | None]]
"""Values in order: records, or what is none with the problem."""

_Members = dict[str, msgspec.Raw]
_members = msgspec.json.Decoder(_Members)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_text = msgspec.json.Decoder(str)
_LOG_EVENT_ID = re.compile("[0-9]{56}")
_START_BYTES = 5  # `{"` and three more, or a key of one letter
_NO_TEXT = ("not_text", "the message of a log event is no text")


@dataclass(frozen=True, slots=True)
class Wrapper:
    """One kind: `mark` stands in every such object, `open` gives what is inside, or None where it is no such object."""

    keys: frozenset[str]
    mark: bytes
    open: Callable[[_Members, DecodeLimits], Inner | None]


def candidates(chunk: Chunk) -> tuple[Wrapper, ...]:
    """The kinds of wrapper that some record of a chunk may be: almost always none, and that costs almost nothing."""
    if not chunk.objects:
        return ()
    return tuple(kind for kind in _by_start(chunk.records) if chunk.may_hold(kind.mark))


def open_wrapper(record: bytes, kinds: Iterable[Wrapper], limits: DecodeLimits) -> Inner | None:
    """What is inside a record that is a wrapper of one of these kinds; None if it is none."""
    kinds = [kind for kind in kinds if kind.mark in record]
    if not kinds or not record.startswith(b"{"):
        return None
    try:
        members = _members.decode(record)
    except (msgspec.MsgspecError, RecursionError):
        return None  # a line of text that only begins like an object
    opened = (kind.open(members, limits) for kind in kinds)
    return next((inner for inner in opened if inner is not None), None)


def inner_candidates(record: bytes) -> tuple[Wrapper, ...]:
    """The kinds of wrapper that what was inside another one may be."""
    return (*_by_start([record]), _RECORDS)


def is_wrapper_until_its_list(beginning: bytes) -> bool:
    """Whether an object that is a page, or a CloudWatch Logs subscription, may begin so: up to its list's `[`."""
    try:
        members = _members.decode(beginning + b"]}")
    except (msgspec.MsgspecError, RecursionError):
        return False
    *others, last = members
    if last == "logEvents":
        return _string(members, "messageType") == "DATA_MESSAGE"
    return last in PAGE_LISTS and PAGING.issuperset(others)


def _by_start(records: list[bytes]) -> tuple[Wrapper, ...]:
    starts = {record[:_START_BYTES] for record in records}
    found: set[int] = set()
    for start in starts:
        # White space may stand before the first key: then it could be any.
        found.update(_STARTS.get(start, ()) if start.startswith(b'{"') else range(len(_WRAPPERS)))
    return tuple(_WRAPPERS[index] for index in sorted(found))


def _event(members: _Members, _limits: DecodeLimits) -> Inner | None:
    detail = bytes(members.get("detail", b""))
    if detail.startswith(b"{") and None not in (_string(members, "detail-type"), _string(members, "source")):
        return iter([(detail, None)])
    return None


def _subscription(members: _Members, limits: DecodeLimits) -> Inner | None:
    kind, events = _string(members, "messageType"), _values(members, "logEvents")
    if events is None or kind not in ("DATA_MESSAGE", "CONTROL_MESSAGE"):
        return None
    return _messages(events if kind == "DATA_MESSAGE" else [], limits)


def _messages(events: list[bytes], limits: DecodeLimits) -> Inner:
    for event in events:
        try:
            message = _string(_members.decode(event), "message")
        except msgspec.MsgspecError:
            message = None
        if message is None:
            yield event, _NO_TEXT
        else:
            yield from _lines(message, limits)


def _log_event(members: _Members, limits: DecodeLimits) -> Inner | None:
    message = _string(members, "message")
    named = members.keys() - {"extractedFields"} == {"id", "timestamp", "message"}
    if not named or message is None or not bytes(members["timestamp"]).isdigit():
        return None
    return _lines(message, limits) if _LOG_EVENT_ID.fullmatch(_string(members, "id") or "") else None


def _lines(message: str, limits: DecodeLimits) -> Inner:
    """A log event's message: one record, whatever it is, if it is not blank."""
    line = message.encode().rstrip(b"\r\n")
    if line and not line.isspace():
        yield line, line_problem(line, limits)


def _notification(members: _Members, limits: DecodeLimits) -> Inner | None:
    message = _string(members, "Message")
    if message is None or _string(members, "Type") != "Notification":
        return None
    value = message.strip(" \t\r\n").encode()
    if not value.startswith(b"{"):
        return None
    return iter([(value, invalid_json(value) if json_text.error(value) else record_problem(value, limits))])


def _page(members: _Members, _limits: DecodeLimits) -> Inner | None:
    key = next((key for key in PAGE_LISTS if key in members), "")
    return _objects(members, key, PAGING)


def _azure(members: _Members, _limits: DecodeLimits) -> Inner | None:
    return _objects(members, "records", frozenset())


def _findings(members: _Members, _limits: DecodeLimits) -> Inner | None:
    return _objects(members, "findings", BESIDE_FINDINGS)


def _digest(members: _Members, _limits: DecodeLimits) -> Inner | None:
    listed = _string(members, "digestS3Object") is not None and _values(members, "logFiles") is not None
    return iter(()) if listed and _string(members, "awsAccountId") is not None else None


def _objects(members: _Members, key: str, beside: frozenset[str]) -> Inner | None:
    """The objects of a list; None unless it is one, and all other keys are of those that may stand beside it."""
    values = _values(members, key)
    if values is None or not beside.issuperset(members.keys() - {key}):
        return None
    return ((value, None) for value in values) if all(value.startswith(b"{") for value in values) else None


def _records(members: _Members, _limits: DecodeLimits) -> Inner | None:
    values = _values(members, "Records")
    if values is None:
        return None
    return ((value, None if value.startswith(b"{") else NOT_AN_OBJECT) for value in values)


def _string(members: _Members, key: str) -> str | None:
    try:
        return _text.decode(members.get(key, b""))
    except msgspec.MsgspecError:
        return None


def _values(members: _Members, key: str) -> list[bytes] | None:
    value = members.get(key, b"")
    return list(map(bytes, _list.decode(value))) if bytes(value).startswith(b"[") else None


_EVENT_KEYS = _keys("version id detail-type source account time region resources detail replay-name")
_SUBSCRIPTION_KEYS = _keys("messageType owner logGroup logStream subscriptionFilters logEvents policyLevel")
_NOTIFICATION_KEYS = _keys(
    """Type MessageId SequenceNumber TopicArn Subject Message Timestamp SignatureVersion Signature SigningCertURL
    SigningCertUrl UnsubscribeURL UnsubscribeUrl MessageAttributes"""
)
_DIGEST_KEYS = _keys(
    """awsAccountId digestStartTime digestEndTime digestS3Bucket digestS3Object digestPublicKeyFingerprint
    digestSignatureAlgorithm newestEventTime oldestEventTime logFiles"""
)
_WRAPPERS = (
    Wrapper(_EVENT_KEYS, b'"detail-type"', _event),
    Wrapper(_SUBSCRIPTION_KEYS, b'"logEvents"', _subscription),
    Wrapper(_keys("id timestamp message extractedFields"), b'"message"', _log_event),
    Wrapper(_NOTIFICATION_KEYS, b'"Message"', _notification),
    Wrapper(PAGING | {"items"}, b'"items"', _page),
    Wrapper(PAGING | {"entries"}, b'"entries"', _page),
    Wrapper(_keys("records"), b'"records"', _azure),
    Wrapper(_DIGEST_KEYS, b'"digestS3Object"', _digest),
    Wrapper(BESIDE_FINDINGS | {"findings"}, b'"findings"', _findings),
)
_RECORDS = Wrapper(_keys("Records"), b'"Records"', _records)
_STARTS: dict[bytes, tuple[int, ...]] = {
    start: tuple(
        index
        for index, wrapper in enumerate(_WRAPPERS)
        if any(f'{{"{key}"'.encode()[:_START_BYTES] == start for key in wrapper.keys)
    )
    for start in {f'{{"{key}"'.encode()[:_START_BYTES] for wrapper in _WRAPPERS for key in wrapper.keys}
}
