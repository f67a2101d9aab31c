"""AWS CloudTrail: management, data, network activity and insight events.

Columns keep the vendor's names; `userIdentity` is flattened beside its whole text. What AWS itself calls unstable
(request, response, …) stays JSON text. A field of an unexpected type never costs the record, see `lenient.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.cloudtrail_identity import IDENTITY_COLUMNS, read_identities
from iota_dagster.core.sources.cloudtrail_indicators import indicators
from iota_dagster.core.sources.columns import MOMENT, TEXT, json_texts, moments, strings
from iota_dagster.core.sources.lenient import read_leniently

_TEXTS = {
    "eventVersion": "Version of the record's format, e.g. 1.11",
    "eventTime": "When the request was completed (UTC)",
    "eventSource": "The service that was called, e.g. s3.amazonaws.com",
    "eventName": "The action that was called, e.g. GetObject",
    "awsRegion": "The region the request was made to",
    "sourceIPAddress": "Where the request came from: an address, or the DNS name of an AWS service",
    "userAgent": "The agent through which the request was made",
    "errorCode": "The service's error, when the request failed",
    "errorMessage": "The error's description",
    "requestID": "The service's id of the request",
    "eventID": "CloudTrail's id of the event",
    "eventType": "AwsApiCall, AwsServiceEvent, AwsConsoleAction, AwsConsoleSignIn, AwsVpceEvent, AwsCloudTrailInsight",
    "apiVersion": "The API version of the call",
    "eventCategory": "Management, Data, NetworkActivity or Insight",
    "recipientAccountId": "The account that received this event",
    "sharedEventID": "The same in the events that one action sent to several accounts",
    "vpcEndpointId": "The VPC endpoint through which the request came",
    "vpcEndpointAccountId": "The account that owns the VPC endpoint",
    "sessionCredentialFromConsole": "true when the session came from the console",
}
_FLAGS = {
    "readOnly": "Whether the operation only reads",
    "managementEvent": "Whether this is a management event",
}
_JSON = {
    "userIdentity": "Who made the request (JSON)",
    "requestParameters": "What was sent with the request (JSON)",
    "responseElements": "What a changing call answered (JSON)",
    "additionalEventData": "Data beside request and response (JSON)",
    "serviceEventDetails": "What triggered a service event (JSON)",
    "resources": "The resources accessed (JSON)",
    "tlsDetails": "TLS version, cipher suite and host name of the call (JSON)",
    "edgeDeviceDetails": "The edge device a request aimed at (JSON)",
    "addendum": "Why an event is late or what was corrected (JSON)",
    "insightDetails": "What an insight event found (JSON)",
    "eventContext": "Tags and conditions of an enriched event (JSON)",
}
_ROUTED = {name: name for name in ("eventName", "eventSource", "eventType", "errorCode", "userAgent")} | {
    "userIdentity.type": "userIdentity_type",
    "userIdentity.accessKeyId": "userIdentity_accessKeyId",
}
_NAMES = (*_TEXTS, *_FLAGS, *_JSON)
_ABSENT = msgspec.Raw()
_Record = msgspec.defstruct(
    "_Record",
    [
        *((name, str | None, None) for name in _TEXTS),
        *((name, bool | None, None) for name in _FLAGS),
        *((name, msgspec.Raw, _ABSENT) for name in _JSON),
    ],
    gc=False,
)


class _Marks(msgspec.Struct, gc=False):
    eventVersion: msgspec.Raw = _ABSENT
    eventSource: msgspec.Raw = _ABSENT
    eventType: msgspec.Raw = _ABSENT
    userIdentity: msgspec.Raw = _ABSENT


class _Shipped(msgspec.Struct, gc=False):
    timestamp: str | None = msgspec.field(default=None, name="@timestamp")


_decode = msgspec.json.Decoder(_Record).decode
_decode_shipped = msgspec.json.Decoder(_Shipped).decode
_decode_marks = msgspec.json.Decoder(_Marks).decode
_KEY = re.compile(r"_CloudTrail(?:-Insight)?_[^/]*$")


def _schema() -> pa.Schema:
    def fields(names: dict[str, str], kind: pa.DataType) -> Iterable[pa.Field]:
        return (
            pa.field(name, MOMENT if name == "eventTime" else kind, metadata={"description": text})
            for name, text in names.items()
        )

    flags = fields(_FLAGS, pa.bool_())
    return pa.schema([*fields(_TEXTS, TEXT), *flags, *fields(_JSON, TEXT), *fields(IDENTITY_COLUMNS, TEXT)])


class CloudTrail:
    """The source of CloudTrail records; see `sources.base.Source`.

    Identity: `eventID` in `recipientAccountId`. `sharedEventID` is no identity: each account's view is evidence.
    """

    log_type = "AWS.CloudTrail"
    table = "cloudtrail_events"
    columns = _schema()
    parser_version = 3
    description = "What was called in an AWS account, by whom, from where and with what outcome"
    shape = Shape.JSON
    exclusive = True
    specificity = 3
    marks = "eventVersion with userIdentity, or with an eventType of CloudTrail, at the top level"
    texts: Mapping[str, str] = _ROUTED

    def expects(self, key: str) -> bool:
        """Whether the file is named as CloudTrail names it."""
        return _KEY.search(key) is not None

    def accepts(self, record: bytes) -> bool:
        """Whether the record has CloudTrail's marks at its top level; S3 and SES notices resemble it and have others.

        The first test knows the beginning that AWS writes and settles nearly all; the second parses the record.
        """
        if record.startswith(b'{"eventVersion":"1.') and record.startswith(b'","userIdentity":{', 21):
            return True
        try:
            marks = _decode_marks(record)
        except msgspec.MsgspecError:
            return False
        if not len(marks.eventVersion) or bytes(marks.eventSource).startswith(b'"aws:'):
            return False
        return bytes(marks.userIdentity).startswith(b"{") or bytes(marks.eventType).startswith(b'"Aws')

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """The records' readings, by way of one struct per record and one Arrow column per field."""
        rows, rejected = _decode_all(records)
        values = _transposed(rows)
        arrays: dict[str, pa.Array] = {name: strings(values[name]) for name in _TEXTS}
        arrays |= {name: pa.array(values[name], pa.bool_()) for name in _FLAGS}
        arrays |= {name: json_texts(values[name]) for name in _JSON}
        identity, words = read_identities(arrays["userIdentity"])
        found = indicators(arrays, words)
        arrays["eventTime"] = times = moments(arrays["eventTime"])
        if times.null_count:
            read = [record for position, record in enumerate(records) if position not in rejected]
            times = pc.coalesce(times, _times_of_shippers(read, times))
        return Readings(
            event_time=times,
            event_id=values["eventID"],
            account=values["recipientAccountId"],
            region=values["awsRegion"],
            columns=[*arrays.values(), *identity],
            indicators=found,
            rejected=rejected,
        )


def _times_of_shippers(records: Sequence[bytes], known: pa.TimestampArray) -> pa.TimestampArray:
    """The event times of records without one of their own: Logstash moves `eventTime` to `@timestamp`."""
    missing = known.is_null().to_pylist()
    return moments(
        strings([_shipped_time(record) if lacks else None for record, lacks in zip(records, missing, strict=True)])
    )


def _shipped_time(record: bytes) -> str | None:
    try:
        return _decode_shipped(record).timestamp
    except msgspec.MsgspecError:
        return None


def _decode_all(records: Sequence[bytes]) -> tuple[list[Any], dict[int, RecordRejected]]:
    try:
        return list(map(_decode, records)), {}
    except msgspec.MsgspecError:
        pass
    rows = [_decode_one(record) for record in records]
    rejected = {
        position: RecordRejected("unreadable", "the record is no valid JSON object")
        for position, row in enumerate(rows)
        if row is None
    }
    return [row for row in rows if row is not None], rejected


def _decode_one(record: bytes) -> Any:
    try:
        return _decode(record)
    except msgspec.MsgspecError:
        return read_leniently(_Record, record)


def _transposed(rows: Sequence[Any]) -> dict[str, list[Any]]:
    flat = list(chain.from_iterable(map(msgspec.structs.astuple, rows)))
    return {name: flat[i :: len(_NAMES)] for i, name in enumerate(_NAMES)}
