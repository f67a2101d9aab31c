"""A queue message -> the log objects and events it names.

Forms: S3's own notification, directly or through SNS (wrapped or raw); EventBridge, directly or through SNS;
CloudTrail's own notice. S3 encodes keys as HTML forms do; EventBridge and CloudTrail write them as they are. Nothing
raises: what cannot be used is told in `problems`, beside whatever can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import unquote_plus

import msgspec

from iota_dagster.core.model import ObjectRef

QUEUE = "queue"
"""The integration of the events that messages bring themselves; see `spooling`."""
_SNS_DEPTH = 3
_CLOUDTRAIL_VALIDATION = "CloudTrail validation message."
_LONGEST = {"bucket": 255, "key": 1_024, "etag": 512, "version": 1_024}
"""Bytes of UTF-8: more than S3 gives; and bucket, key and etag together are what an index of the store can hold."""
_SIZES = range(1 << 63)
_YEARS = range(1970, 9999)
_raw_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MessageKind(StrEnum):
    """The form of a message's innermost envelope, or the noise it is."""

    S3 = "s3"  # objects were created
    EVENTBRIDGE_OBJECT = "eventbridge_object"  # the same, by EventBridge
    CLOUDTRAIL_NOTICE = "cloudtrail_notice"  # the same, by CloudTrail
    EVENTBRIDGE_EVENT = "eventbridge_event"  # carries the event itself
    S3_TEST = "s3_test"  # sent whenever a bucket's notifications are configured
    S3_OTHER = "s3_other"  # objects were removed, restored, tagged …
    SNS_SUBSCRIPTION = "sns_subscription"  # its URL is for the topic's owner; never followed
    CLOUDTRAIL_VALIDATION = "cloudtrail_validation"
    UNREADABLE = "unreadable"  # see `problems`; belongs into quarantine

    @property
    def is_noise(self) -> bool:
        """Whether such messages say nothing that we need."""
        return self in _NOISE


_NOISE = frozenset(
    {MessageKind.S3_TEST, MessageKind.S3_OTHER, MessageKind.SNS_SUBSCRIPTION, MessageKind.CLOUDTRAIL_VALIDATION}
)


@dataclass(frozen=True, slots=True)
class CarriedEvent:
    """An event that a message brings itself: EventBridge's envelope and the event in it, both as they were written.

    `id` is EventBridge's own: one per event, the same however often it is delivered. None where there is none.
    """

    envelope: bytes
    detail: bytes
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What a message says. `objects` are in order and without doubles.

    A message with `problems` may still have objects: both count. Keep its body before deleting it.
    """

    kind: MessageKind
    objects: tuple[ObjectRef, ...] = ()
    events: tuple[CarriedEvent, ...] = ()
    problems: tuple[str, ...] = ()


def read_message(body: str | bytes) -> Message:
    """What a message's body says; never raises, whatever the body is."""
    return _read(body, _SNS_DEPTH)


def _read(body: str | bytes, depth: int) -> Message:
    try:
        text = body.encode() if isinstance(body, str) else body
        text = text.removeprefix(b"\xef\xbb\xbf")
        content = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        return _text_message(body, str(error))
    if not isinstance(content, dict):
        return _unreadable(f"a JSON {type(content).__name__} instead of an object")
    return _read_fields(content, text, depth)


def _read_fields(content: dict[str, Any], text: bytes, depth: int) -> Message:
    if "Records" in content:
        return _s3(content["Records"])
    if content.get("Event") == "s3:TestEvent":
        return Message(MessageKind.S3_TEST)
    if "s3Bucket" in content or "s3ObjectKey" in content:
        return _cloudtrail_notice(content)
    if "detail-type" in content and "detail" in content:
        return _eventbridge(content, text)
    if content.get("Type") in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        return Message(MessageKind.SNS_SUBSCRIPTION)
    if content.get("Type") == "Notification":
        return _sns(content.get("Message"), depth)
    return _unreadable(f"none of the known forms; its fields are {', '.join(sorted(content)[:10]) or 'none'}")


def _text_message(body: str | bytes, why: str) -> Message:
    text = body if isinstance(body, str) else body.decode(errors="replace")
    if text.strip() == _CLOUDTRAIL_VALIDATION:
        return Message(MessageKind.CLOUDTRAIL_VALIDATION)
    return _unreadable(f"not JSON: {why}")


def _sns(message: object, depth: int) -> Message:
    if not isinstance(message, str):
        return _unreadable("an SNS notification without a Message")
    if depth == 0:
        return _unreadable(f"SNS notifications more than {_SNS_DEPTH} deep")
    return _read(message, depth - 1)


def _s3(records: object) -> Message:
    if not isinstance(records, list) or not records:
        return _unreadable("Records is empty or no list")
    objects: list[ObjectRef] = []
    problems: list[str] = []
    for number, record in enumerate(records):
        try:
            if _tells_of_a_new_object(record):
                objects.append(_s3_object(record))
        except ValueError as error:
            problems.append(f"Records[{number}]: {error}")
    return _message(MessageKind.S3, objects, problems, otherwise=MessageKind.S3_OTHER)


def _tells_of_a_new_object(record: object) -> bool:
    # A record that does not say what happened is taken for a new object: reading one too many harms nobody.
    name = record.get("eventName") if isinstance(record, dict) else None
    return not isinstance(name, str) or name.removeprefix("s3:").startswith("ObjectCreated:")


def _s3_object(record: object) -> ObjectRef:
    thing = _field(_field(record, "s3"), "object")
    bucket = _text(_field(_field(record, "s3"), "bucket"), "name")
    try:
        key = unquote_plus(_text(thing, "key"), errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"the key {_text(thing, 'key')!r} is not percent-encoded UTF-8") from None
    return replace(_object(bucket, key, thing, "eTag", "versionId"), last_modified=_moment(record, "eventTime"))


def _eventbridge(content: dict[str, Any], text: bytes) -> Message:
    detail_type, source = content["detail-type"], content.get("source")
    if source != "aws.s3" or not isinstance(detail_type, str) or not detail_type.startswith("Object "):
        return _event(content, text)
    if detail_type != "Object Created":
        return Message(MessageKind.S3_OTHER)
    try:
        thing = _field(content["detail"], "object")
        bucket = _text(_field(content["detail"], "bucket"), "name")
        found = _object(bucket, _text(thing, "key"), thing, "etag", "version-id")
        found = replace(found, last_modified=_moment(content, "time"))
    except ValueError as error:
        return _unreadable(f"detail: {error}")
    return Message(MessageKind.EVENTBRIDGE_OBJECT, (found,))


def _event(content: dict[str, Any], text: bytes) -> Message:
    if not isinstance(content["detail"], dict):
        return _unreadable("an EventBridge event whose detail is no object")
    name = content.get("id")
    event = CarriedEvent(text, bytes(_raw_fields.decode(text)["detail"]), name if isinstance(name, str) else None)
    return Message(MessageKind.EVENTBRIDGE_EVENT, events=(event,))


def _cloudtrail_notice(content: dict[str, Any]) -> Message:
    keys = content.get("s3ObjectKey")
    objects: list[ObjectRef] = []
    problems: list[str] = []
    for key in keys if isinstance(keys, list) and keys else [keys]:
        try:
            objects.append(_object(_text(content, "s3Bucket"), _text({"s3ObjectKey": key}, "s3ObjectKey")))
        except ValueError as error:
            problems.append(str(error))
    return _message(MessageKind.CLOUDTRAIL_NOTICE, objects, problems, otherwise=MessageKind.UNREADABLE)


def _message(kind: MessageKind, objects: list[ObjectRef], problems: list[str], *, otherwise: MessageKind) -> Message:
    if not objects:
        kind = MessageKind.UNREADABLE if problems else otherwise
    once: dict[tuple[str, str, str | None], ObjectRef] = {}
    for found in objects:
        once.setdefault((found.bucket, found.key, found.etag), found)
    return Message(kind, tuple(once.values()), problems=tuple(problems))


def _object(bucket: str, key: str, thing: object = None, etag: str = "", version: str = "") -> ObjectRef:
    fields: dict[str, Any] = thing if isinstance(thing, dict) else {}
    size, tag, version_id = fields.get("size"), fields.get(etag), fields.get(version)
    return ObjectRef(
        _possible("bucket", bucket),
        _possible("key", key),
        etag=_possible("etag", tag.strip('"')) or None if isinstance(tag, str) else None,
        size=size if type(size) is int and size in _SIZES else None,
        version_id=_possible("version", version_id) or None if isinstance(version_id, str) else None,
    )


def _possible(name: str, text: str) -> str:
    """A part of an object's name, if S3 may have given it: the store can hold no other."""
    if "\0" in text:
        raise ValueError(f"the {name} {text[:1_024]!r} holds a NUL, which S3 does not allow")
    if len(text.encode()) > _LONGEST[name]:
        raise ValueError(f"the {name} {text[:80]!r}… has more than {_LONGEST[name]:,} bytes, which S3 does not allow")
    return text


def _moment(thing: object, name: str) -> datetime | None:
    """When the object was created, as the message says; None when it does not, or names a time that cannot be."""
    value = thing.get(name) if isinstance(thing, dict) else None
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
        moment = moment.astimezone(UTC) if moment and moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
    return moment if moment and moment.year in _YEARS else None


def _field(thing: object, name: str) -> object:
    if not isinstance(thing, dict) or name not in thing:
        raise ValueError(f"no {name}")
    return thing[name]


def _text(thing: object, name: str) -> str:
    value = _field(thing, name)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{name} is empty or no text")
    return value


def _unreadable(problem: str) -> Message:
    return Message(MessageKind.UNREADABLE, problems=(problem,))
