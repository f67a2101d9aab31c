"""CloudTrail records into columns: typed where AWS keeps its types, never lost where it does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources import SOURCES, source_of
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.cloudtrail import CloudTrail
from tests.core.sources.cases import text_of

SOURCE = CloudTrail()
ROLE = "arn:aws:iam::111122223333:role/ops"
RECORD: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:ann@example.com",
        "arn": "arn:aws:sts::111122223333:assumed-role/ops/ann@example.com",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAEXAMPLE",
                "arn": ROLE,
                "accountId": "444455556666",
                "userName": "ops",
            },
            "attributes": {"creationDate": "2026-11-22T09:00:00Z", "mfaAuthenticated": "true"},
            "sourceIdentity": "ann",
        },
    },
    "eventTime": "2026-11-22T10:02:03Z",
    "eventSource": "ec2.amazonaws.com",
    "eventName": "StopInstances",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "aws-cli/2.0 (Linux, x86)",
    "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}},
    "responseElements": None,
    "requestID": "req-1",
    "eventID": "11111111-2222-3333-4444-555555555555",
    "readOnly": False,
    "resources": [{"ARN": "arn:aws:kms:eu-west-1:777788889999:key/k", "accountId": "777788889999"}],
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
    "tlsDetails": {"tlsVersion": "TLSv1.3", "clientProvidedHostHeader": "EC2.eu-west-1.amazonaws.com:443"},
}


def read(*records: bytes) -> list[dict[str, Any]]:
    return rows_of(SOURCE.read_many(records))


def rows_of(readings: Readings) -> list[dict[str, Any]]:
    columns = dict(zip(SOURCE.columns.names, readings.columns, strict=True))
    rows: list[dict[str, Any]] = pa.table({**columns, **readings.indicators}).to_pylist()
    return rows


def test_a_record_fills_the_columns_of_its_fields() -> None:
    (row,) = read(text_of(RECORD))
    plain: dict[str, Any] = {name: value for name, value in RECORD.items() if isinstance(value, str | bool)}
    plain["eventTime"] = datetime(2026, 11, 22, 10, 2, 3, tzinfo=UTC)
    assert {name: row[name] for name in plain} == plain
    assert row["responseElements"] is None
    assert row["errorCode"] is None


def test_json_columns_hold_the_vendors_own_text() -> None:
    record = (
        b'{"eventVersion":"1.11","userIdentity":{},"requestParameters":{ "b" : 1.50,"a":"\\u00e9" },"addendum":null}'
    )
    (row,) = read(record)
    assert row["requestParameters"] == '{ "b" : 1.50,"a":"\\u00e9" }'
    assert row["userIdentity"] == "{}"
    assert row["addendum"] is None


def test_user_identity_is_flattened() -> None:
    (row,) = read(text_of(RECORD))
    assert {name.partition("_")[2]: row[name] for name in row if name.startswith("userIdentity_")} == {
        "type": "AssumedRole",
        "principalId": "AROAEXAMPLE:ann@example.com",
        "arn": "arn:aws:sts::111122223333:assumed-role/ops/ann@example.com",
        "accountId": "111122223333",
        "accessKeyId": "ASIAEXAMPLE",
        "userName": None,
        "invokedBy": None,
        "identityProvider": None,
        "sourceIdentity": "ann",
        "mfaAuthenticated": "true",
        "creationDate": "2026-11-22T09:00:00Z",
        "sessionIssuer_type": "Role",
        "sessionIssuer_principalId": "AROAEXAMPLE",
        "sessionIssuer_arn": ROLE,
        "sessionIssuer_accountId": "444455556666",
        "sessionIssuer_userName": "ops",
    }


def test_indicators_name_what_the_record_names() -> None:
    (row,) = read(text_of(RECORD, sharedEventID="shared-1"))
    assert {name: value for name, value in row.items() if name.startswith("p_any_")} == {
        "p_any_ip_addresses": ["192.0.2.7"],
        "p_any_domain_names": ["ec2.eu-west-1.amazonaws.com"],
        "p_any_emails": ["ann@example.com"],
        "p_any_usernames": ["ops"],
        "p_any_aws_arns": [
            "arn:aws:sts::111122223333:assumed-role/ops/ann@example.com",
            ROLE,
            "arn:aws:kms:eu-west-1:777788889999:key/k",
        ],
        "p_any_aws_account_ids": ["111122223333", "444455556666", "777788889999"],
        "p_any_aws_instance_ids": ["i-0123456789abcdef0"],
        "p_any_trace_ids": ["req-1", "shared-1"],
    }


@pytest.mark.parametrize(
    ("source", "addresses", "domains"),
    [
        ("2001:DB8::0:1", ["2001:db8::1"], None),
        ("::ffff:102:304", ["1.2.3.4"], None),
        ("S3.amazonaws.com.", None, ["s3.amazonaws.com"]),
        ("s3.amazonaws.com", None, ["s3.amazonaws.com"]),
        ("AWS Internal", None, None),
        ("999.1.1.1", None, None),
        ("", None, None),
    ],
)
def test_a_source_is_an_address_or_a_domain_name_only_if_it_is_one(
    source: str, addresses: list[str] | None, domains: list[str] | None
) -> None:
    (row,) = read(text_of(RECORD, sourceIPAddress=source, tlsDetails=None))
    assert (row["p_any_ip_addresses"], row["p_any_domain_names"]) == (addresses, domains)


def test_a_row_without_words_has_null_beside_one_that_has_some() -> None:
    bare, full = read(b'{"eventVersion":"1.11","userIdentity":{}}', text_of(RECORD))
    assert {value for name, value in bare.items() if name.startswith("p_any_")} == {None}
    assert full["p_any_trace_ids"] == ["req-1"]


def test_an_anonymous_caller_is_no_account() -> None:
    (row,) = read(text_of(RECORD, userIdentity={"accountId": "ANONYMOUS_PRINCIPAL"}, resources=None))
    assert row["p_any_aws_account_ids"] == ["111122223333"]


def test_an_email_is_spelled_as_in_every_other_log_type() -> None:
    who = {"userName": "Ann.Lee@Example.com", "principalId": "AROAEXAMPLE:ann.lee@example.com"}
    (row,) = read(text_of(RECORD, userIdentity=who))
    assert (row["p_any_emails"], row["p_any_usernames"]) == (["ann.lee@example.com"], ["Ann.Lee@Example.com"])


def test_the_instance_behind_a_session_is_an_indicator() -> None:
    who = {"type": "AssumedRole", "principalId": "AROAEXAMPLE:i-0123456789abcdef1"}
    answer = {"instanceId": "i-01234567", "imageId": "i-01234567x", "again": "i-01234567"}
    (row,) = read(text_of(RECORD, userIdentity=who, requestParameters=None, responseElements=answer))
    assert row["p_any_aws_instance_ids"] == ["i-0123456789abcdef1", "i-01234567"]


@pytest.mark.parametrize("name", [*RECORD, "errorCode", "sharedEventID", "addendum", "eventContext"])
@pytest.mark.parametrize("value", [7, True, "text", ["list"], {"a": {"b": [1]}}, None])
def test_a_field_of_any_type_never_loses_the_record(name: str, value: Any) -> None:
    strange, good = text_of(RECORD, **{name: value}), text_of(RECORD)
    readings = SOURCE.read_many([good, strange, good])
    before, row, after = rows_of(readings)
    assert readings.rejected == {}
    assert before == after
    if row[name] is not None and not isinstance(row[name], bool | datetime | str):
        raise AssertionError(f"{row[name]!r} is not of the column's type")
    others = {key for key in RECORD if key not in (name, "userIdentity")}
    assert {key: row[key] for key in others} == {key: before[key] for key in others}


def test_a_value_of_another_type_is_its_json_text_in_a_text_column_and_null_elsewhere() -> None:
    (row,) = read(text_of(RECORD, recipientAccountId=111122223333, readOnly="false", eventTime=5, userAgent=["a", 1]))
    assert (row["recipientAccountId"], row["readOnly"], row["userAgent"]) == ("111122223333", None, '["a",1]')
    assert row["eventTime"] is None


def test_surprises_inside_user_identity_cost_one_field() -> None:
    who = {
        "type": "IAMUser",
        "userName": {"x": 1},
        "sessionContext": {"sessionIssuer": "?", "attributes": {"mfaAuthenticated": True}},
    }
    row, text = read(text_of(RECORD, userIdentity=who), text_of(RECORD, userIdentity="someone"))
    assert (row["userIdentity_type"], row["userIdentity_userName"]) == ("IAMUser", '{"x":1}')
    assert row["userIdentity_mfaAuthenticated"] == "true"
    assert (text["userIdentity"], text["userIdentity_type"]) == ('"someone"', None)


def test_request_parameters_may_be_a_string() -> None:
    (row,) = read(text_of(RECORD, requestParameters="a=1"))
    assert row["requestParameters"] == '"a=1"'


def test_a_record_that_cannot_be_read_is_rejected_alone() -> None:
    readings = SOURCE.read_many([text_of(RECORD), b'{"eventName":"\\ud800"}', b"7", text_of(RECORD, eventName="Other")])
    assert {row: error.reason for row, error in readings.rejected.items()} == {1: "unreadable", 2: "unreadable"}
    assert [row["eventName"] for row in rows_of(readings)] == ["StopInstances", "Other"]
    assert len(readings.event_id) == 2


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:02:03.25Z", datetime(2026, 11, 22, 10, 2, 3, 250_000, UTC)),
        ("2026-11-22T10:02:03.123456789Z", datetime(2026, 11, 22, 10, 2, 3, 123_456, UTC)),
        ("2026-11-22T10:02:03+02:00", datetime(2026, 11, 22, 8, 2, 3, tzinfo=UTC)),
        ("2026-11-22T10:02:03", None),
        ("0000-01-01T00:00:00Z", None),
        ("9999-12-31T23:59:59-10:00", None),
        ("2026-13-40T10:02:03Z", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_time_is_utc_or_null(text: str, moment: datetime | None) -> None:
    strange, good = text_of(RECORD, eventTime=text), text_of(RECORD)
    assert SOURCE.read_many([strange]).event_time.to_pylist() == [moment]
    assert SOURCE.read_many([good, strange]).event_time.to_pylist() == [
        datetime(2026, 11, 22, 10, 2, 3, tzinfo=UTC),
        moment,
    ]


odd = st.sampled_from(
    [None, True, 3, "", "x", "2026-11-22T10:02:03Z", ["é"], {"accountId": "111122223333"}, "i-01234567"]
)
odd_records = st.dictionaries(st.sampled_from([*RECORD, "sharedEventID", "new"]), odd).map(
    lambda changes: text_of(RECORD, **changes)
)


@given(st.lists(odd_records, min_size=1, max_size=6))
def test_a_reading_does_not_depend_on_its_neighbours(records: list[bytes]) -> None:
    names = set(SOURCE.read_many(records).indicators)
    alone = [read(record)[0] for record in records]
    assert read(*records) == [{**dict.fromkeys(names), **row} for row in alone]


def accepted(record: dict[str, Any]) -> set[bool]:
    in_order = {key: record[key] for key in sorted(record)}
    texts = [text_of(record), text_of(in_order), json.dumps(record, indent=2).encode()]
    return {SOURCE.accepts(text) for text in texts}


def test_cloudtrail_is_known_however_it_is_written() -> None:
    insight = {"eventVersion": "1.07", "eventTime": "…", "eventType": "AwsCloudTrailInsight", "insightDetails": {}}
    old = {"eventVersion": "1.0", "userIdentity": {"type": "Root"}, "eventName": "ConsoleLogin"}
    assert [accepted(record) for record in (RECORD, insight, old)] == [{True}] * 3


def test_an_insight_has_no_caller_and_yet_time_identity_and_details() -> None:
    insight = {
        "eventVersion": "1.07",
        "eventTime": "2026-11-22T10:02:00Z",
        "awsRegion": "eu-west-1",
        "eventID": "22222222-2222-3333-4444-555555555555",
        "eventType": "AwsCloudTrailInsight",
        "recipientAccountId": "111122223333",
        "sharedEventID": "shared-1",
        "insightDetails": {"state": "Start", "eventName": "StopInstances", "insightType": "ApiCallRateInsight"},
        "eventCategory": "Insight",
    }
    readings = SOURCE.read_many([text_of(insight), text_of(RECORD)])
    assert readings.event_time[0].as_py() == datetime(2026, 11, 22, 10, 2, tzinfo=UTC)
    assert (readings.event_id[0], readings.account[0], readings.region[0]) == (
        "22222222-2222-3333-4444-555555555555",
        "111122223333",
        "eu-west-1",
    )
    row = rows_of(readings)[0]
    assert row["insightDetails"].startswith('{"state":"Start"')
    assert (row["userIdentity"], row["p_any_trace_ids"]) == (None, ["shared-1"])


def test_what_resembles_cloudtrail_is_not_taken_for_it() -> None:
    notice = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventTime": "2026-11-22T10:02:03Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "A"},
    }
    bedrock = {"schemaType": "ModelInvocationLog", "requestId": "r", "timestamp": "2026-11-22T10:02:03Z"}
    digest = {"awsAccountId": "111122223333", "digestStartTime": "2026-11-22T10:00:00Z", "logFiles": []}
    envelope = {"version": "0", "detail-type": "AWS API Call via CloudTrail", "detail": RECORD}
    assert [accepted(record) for record in (notice, bedrock, digest, envelope, {})] == [{False}] * 5


@pytest.mark.parametrize("record", [b"", b"{", b"[1]", b"null", b'"eventVersion"', b"\xff"])
def test_what_is_no_object_is_refused_quietly(record: bytes) -> None:
    assert not SOURCE.accepts(record)


def test_keys_are_known_by_their_file_name() -> None:
    name = "111122223333_CloudTrail{}_eu-west-1_20261122T1005Z_AbCdEfGhIjKlMnOp.json.gz"
    assert SOURCE.expects("p/AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/22/" + name.format(""))
    assert SOURCE.expects("AWSLogs/111122223333/CloudTrail-Insight/eu-west-1/2026/11/22/" + name.format("-Insight"))
    assert not SOURCE.expects("AWSLogs/111122223333/elasticloadbalancing/eu-west-1/2026/11/22/x.log.gz")


def test_every_column_is_described() -> None:
    assert all((field.metadata or {}).get(b"description") for field in SOURCE.columns)


def test_a_source_is_found_by_its_log_type() -> None:
    assert source_of("AWS.CloudTrail") is SOURCES["AWS.CloudTrail"]
    with pytest.raises(SettingsError, match=r"unknown log type 'AWS.Cloudtrail'; known are: AWS\.CloudTrail"):
        source_of("AWS.Cloudtrail")


def test_the_time_that_logstash_has_moved_is_the_event_s() -> None:
    moved = b'{"eventVersion":"1.05","userIdentity":{},"@timestamp":"2026-03-01T00:44:23.000Z"}'
    own = moved[:-1] + b',"eventTime":"2026-03-01T10:00:00Z"}'
    neither = b'{"eventVersion":"1.05","userIdentity":{},"@timestamp":7}'
    found = CloudTrail().read_many([moved, b"no record", own, neither]).event_time.to_pylist()
    assert found == [datetime(2026, 3, 1, 0, 44, 23, tzinfo=UTC), datetime(2026, 3, 1, 10, tzinfo=UTC), None]
