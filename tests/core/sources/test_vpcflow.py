"""VPC flow logs: whatever the format, every field comes to its column, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.judging.rule_view import columns_of, raw_shaped
from iota_dagster.core.sources.base import HeadedSource
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.headers import headers_within
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.okta import SOURCE as OKTA
from iota_dagster.core.sources.vpcflow import SOURCE, VpcFlow
from iota_dagster.core.sources.vpcflow_fields import FIELDS, KINDS, header_of
from tests.core.sources.cases import columns, indicators, mutilated, read_safely, row, rows, text_of

RULES = Path(__file__).parents[3] / "rules" / "aws_vpcflow"

V2 = (
    b"version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end "
    b"action log-status"
)
FLOW = b"2 111122223333 eni-0a1b2c3d4e5f60718 203.0.113.7 10.0.3.17 43416 443 6 8 568 1795339451 1795340051 REJECT OK"
NODATA = b"2 111122223333 eni-0a1b2c3d4e5f60718 - - - - - - - 1795339451 1795340051 - NODATA"
START, END = datetime(2026, 11, 22, 9, 24, 11, tzinfo=UTC), datetime(2026, 11, 22, 9, 34, 11, tzinfo=UTC)
ROW: dict[str, Any] = {
    "version": 5,
    "account_id": "111122223333",
    "interface_id": "eni-0a1b2c3d4e5f60718",
    "srcaddr": "203.0.113.7",
    "dstaddr": "10.0.3.17",
    "srcport": 43416,
    "dstport": 443,
    "protocol": 6,
    "packets": 8,
    "bytes": 568,
    "start": 1795339451,
    "end": 1795340051,
    "action": "REJECT",
    "log_status": "OK",
    "instance_id": "-",
    "region": "eu-west-1",
    "traffic_path": None,
}


def below(header: str) -> VpcFlow:
    """The source below a header; asserts that it is one."""
    assert SOURCE.is_header(header.encode())
    return SOURCE.below(header.encode())


# What it reads


def test_a_line_of_the_default_format_is_read_field_by_field() -> None:
    (found,) = rows(SOURCE.below(V2), FLOW)
    assert columns(found) == {
        "version": 2,
        "account": "111122223333",
        "interfaceId": "eni-0a1b2c3d4e5f60718",
        "srcAddr": "203.0.113.7",
        "dstAddr": "10.0.3.17",
        "srcPort": 43416,
        "dstPort": 443,
        "protocol": 6,
        "packets": 8,
        "bytes": 568,
        "start": START,
        "end": END,
        "action": "REJECT",
        "status": "OK",
    }
    assert indicators(found) == {"ip_addresses": ["203.0.113.7", "10.0.3.17"], "aws_account_ids": ["111122223333"]}
    assert (found["time"], found["account"]) == (START, "111122223333")
    assert found.keys().isdisjoint({"id", "region"})


@pytest.mark.parametrize("status", [b"NODATA", b"SKIPDATA"])
def test_an_interval_without_data_is_a_row_with_its_times(status: bytes) -> None:
    (found,) = rows(SOURCE.below(V2), NODATA.replace(b"NODATA", status))
    assert columns(found) == {
        "version": 2,
        "account": "111122223333",
        "interfaceId": "eni-0a1b2c3d4e5f60718",
        "start": START,
        "end": END,
        "status": status.decode(),
    }
    assert indicators(found) == {"aws_account_ids": ["111122223333"]}


def test_equal_lines_are_as_many_flows() -> None:
    first, second = rows(SOURCE.below(V2), FLOW, FLOW)
    assert first == second
    assert "id" not in first


def test_a_custom_format_is_mapped_by_its_header_and_not_by_count() -> None:
    source = below("log-status dstaddr srcaddr traffic-path region bytes end")
    (found,) = rows(source, b"OK 198.51.100.9 10.0.3.17 8 us-gov-west-1 77 1795340051")
    assert columns(found) == {
        "status": "OK",
        "dstAddr": "198.51.100.9",
        "srcAddr": "10.0.3.17",
        "trafficPath": 8,
        "region": "us-gov-west-1",
        "bytes": 77,
        "end": END,
    }
    assert (found["time"], found["region"]) == (END, "us-gov-west-1")
    assert "account" not in found


def test_a_format_without_times_gives_rows_without_time() -> None:
    (found,) = rows(below("srcaddr dstaddr pkt-srcaddr pkt-dstaddr"), b"10.0.1.5 10.0.0.220 10.0.1.5 203.0.113.5")
    assert "time" not in found
    assert indicators(found) == {"ip_addresses": ["10.0.1.5", "10.0.0.220", "203.0.113.5"]}


def test_a_missing_start_leaves_the_end_as_the_time() -> None:
    first, second, third = rows(below("start end bytes"), b"- 1795340051 1", b"1795339451 1795340051 1", b"- - 1")
    assert (first["time"], second["time"]) == (END, START)
    assert "time" not in third


def test_the_tasks_of_ecs_are_found_by_their_arns_accounts_and_instances() -> None:
    arn = "arn:aws:ecs:us-east-1:111122223333:"
    source = below("srcaddr ecs-cluster-arn ecs-task-arn ecs-container-instance-id instance-id")
    line = f"2001:DB8::1 {arn}cluster/web {arn}task/web/ab12 i-0c50d5961bcb2d47b -"
    (found,) = rows(source, line.encode())
    assert indicators(found) == {
        "ip_addresses": ["2001:db8::1"],
        "aws_arns": [f"{arn}cluster/web", f"{arn}task/web/ab12"],
        "aws_account_ids": ["111122223333"],
        "aws_instance_ids": ["i-0c50d5961bcb2d47b"],
    }


def test_addresses_are_found_in_one_spelling_and_each_once() -> None:
    source = below("srcaddr dstaddr pkt-srcaddr pkt-dstaddr")
    lines = [b"2001:DB8::1 2001:db8:0::1 ::ffff:203.0.113.5 203.0.113.5", b"12.34.178.900 010.0.0.1 - 10.0.0.1."]
    first, second = rows(source, *lines)
    assert first["p_any_ip_addresses"] == ["2001:db8::1", "203.0.113.5"]
    assert first["column srcAddr"] == "2001:DB8::1"
    assert "p_any_ip_addresses" not in second
    assert second["column srcAddr"] == "12.34.178.900"


def test_an_account_that_aws_does_not_tell_is_not_the_rows_account() -> None:
    (found,) = rows(SOURCE.below(V2), FLOW.replace(b"111122223333", b"unknown"))
    assert found["column account"] == "unknown"
    assert found.keys().isdisjoint({"account", "p_any_aws_account_ids"})


@pytest.mark.parametrize("odd", [b"six", b"6.0", b"+6", b"99999999999999999999", b"\t6", b"6\xc2\xa0"])
def test_a_value_that_is_no_number_costs_that_field_only(odd: bytes) -> None:
    first, second = rows(SOURCE.below(V2), FLOW.replace(b" 6 ", b" " + odd + b" "), FLOW)
    assert "column protocol" not in first
    assert {**first, "column protocol": 6} == second


def test_a_time_in_milliseconds_is_told_by_its_size_and_a_negative_one_is_none() -> None:
    first, second = rows(below("start end bytes"), b"1795339451000 - 1", b"-5 1795340051 1")
    assert first["time"] == START
    assert second["time"] == END


def test_a_field_that_is_not_known_yet_is_no_column_but_moves_no_other() -> None:
    (found,) = rows(below("srcaddr new-field dstaddr bytes"), b"10.0.0.1 what 10.0.0.2 7")
    assert columns(found) == {"srcAddr": "10.0.0.1", "dstAddr": "10.0.0.2", "bytes": 7}


def test_every_column_is_described_and_has_the_type_of_its_field() -> None:
    assert SOURCE.columns.names == [field.column_name for field in FIELDS]
    assert all(column.metadata[b"description"] for column in SOURCE.columns)
    assert SOURCE.columns.field("dstPort").type == pa.int64()
    assert SOURCE.columns.field("nextHopAzId").type == pa.string()
    assert SOURCE.columns.field("instanceTag2").type == pa.string()


# Parquet rows


def test_a_parquet_row_reads_as_the_line_that_says_the_same() -> None:
    header = " ".join(ROW).replace("_", "-")
    line = " ".join("-" if value is None else str(value) for value in ROW.values())
    assert rows(SOURCE, text_of(ROW)) == rows(below(header), line.encode())


def test_a_parquet_row_with_numbers_of_another_type_is_read_all_the_same() -> None:
    found = row(SOURCE, ROW, dstport=8080.0, srcport="43416", protocol="-", bytes=[1], vpc_id=5)
    assert (found["column dstPort"], found["column srcPort"], found["column vpcId"]) == (8080, 43416, "5")
    assert found.keys().isdisjoint({"column protocol", "column bytes"})


def test_lines_and_parquet_rows_in_one_block_keep_their_places() -> None:
    source = SOURCE.below(V2)
    readings = source.read_many([FLOW, text_of(ROW), b"too short", b"{broken", NODATA, text_of(ROW, dstport=1)])
    assert {place: error.reason for place, error in readings.rejected.items()} == {2: "malformed", 3: "unreadable"}
    ports = readings.columns[source.columns.names.index("dstPort")]
    assert ports.to_pylist() == [443, 443, None, 1]


# Headers


def test_it_is_a_headed_source() -> None:
    assert isinstance(SOURCE, HeadedSource)


def test_below_equal_headers_it_is_the_same_source() -> None:
    assert SOURCE.below(V2) == SOURCE.below(V2.replace(b"-", b"_")) != SOURCE
    assert hash(SOURCE.below(V2)) == hash(SOURCE.below(V2.replace(b"-", b"_")))
    assert SOURCE.below(V2) != below("srcaddr dstaddr")
    assert SOURCE.below(b"no header") == SOURCE


@pytest.mark.parametrize(
    "line",
    [
        V2,
        b"srcaddr dstaddr",
        b"end start",
        b"instance-id interface-id srcaddr dstaddr pkt-srcaddr pkt-dstaddr",
        b"account_id vpc_id log_status",
        b"srcaddr dstaddr bytes quantum-state",
    ],
)
def test_a_line_of_field_names_is_a_header(line: bytes) -> None:
    assert headers_within([SOURCE], [SOURCE.log_type]).include(line)


@pytest.mark.parametrize(
    "line",
    [
        FLOW,
        NODATA,
        b"action",
        b"version 2 of the software",
        b"srcaddr quantum-state",
        b"srcaddr dstaddr bytes 2",
        b"srcaddr dstaddr bytes 10.0.0.1",
        b"srcaddr  dstaddr",
        b"srcaddr dstaddr bytes \xc3\xa4",
        b"",
    ],
)
def test_any_other_line_is_none(line: bytes) -> None:
    assert not SOURCE.is_header(line)


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ("${version} ${account-id}  ${start}\n", "version account-id start"),
        ("srcaddr dstaddr", "srcaddr dstaddr"),
        ("srcaddr dstaddr bytes ${quantum-state}", "srcaddr dstaddr bytes quantum-state"),
    ],
)
def test_a_format_as_aws_writes_it_is_a_header(fields: str, header: str) -> None:
    assert header_of(fields) == header
    assert SOURCE.is_header(header.encode())


@pytest.mark.parametrize(
    ("fields", "unknown"), [("foo bar", "foo, bar"), ("start", "too few"), ("", ""), ("srcaddr Bytes", "Bytes")]
)
def test_a_format_that_no_line_could_be_read_by_is_refused(fields: str, unknown: str) -> None:
    with pytest.raises(ValueError, match=f"unknown are: .*{unknown}"):
        header_of(fields)


def test_every_known_field_may_begin_a_header() -> None:
    headers = headers_within([SOURCE], [SOURCE.log_type])
    for name in KINDS:
        other = "bytes" if name != "bytes" else "start"
        assert headers.include(f"{name} {other}".encode())
        assert headers.include(f"{name.replace('_', '-')} {other}".encode())


# Marks


@pytest.mark.parametrize("record", [FLOW, NODATA, FLOW.replace(b"111122223333", b"unknown")])
def test_a_line_without_header_is_known_but_not_guessed(record: bytes) -> None:
    assert SOURCE.accepts(record)
    (error,) = SOURCE.read_many([record]).rejected.values()
    assert isinstance(error, RecordRejected)
    assert error.reason == "missing_header"
    assert "vpcflow_fields" in error.detail


def test_below_a_header_lines_of_as_many_fields_are_accepted() -> None:
    source = SOURCE.below(V2)
    assert all(map(source.accepts, [FLOW, NODATA, text_of(ROW)]))
    assert not source.accepts(FLOW + b" more")
    assert not source.accepts(FLOW.replace(b" OK", b""))
    assert not source.accepts(FLOW.replace(b"REJECT", b'"REJECT"'))
    assert not below("srcaddr dstaddr").accepts(b"{ }")


@pytest.mark.parametrize(
    "record",
    [
        text_of({"interface_id": "eni-0a1b2c3d", "log_status": "NODATA"}),
        text_of({"bytes": 1, "dstaddr": "10.0.0.1", "srcaddr": "10.0.0.2"}),
        text_of(dict(reversed(ROW.items()))),
        text_of(ROW).replace(b",", b",\n  "),
    ],
)
def test_a_parquet_row_is_accepted_in_any_order_and_layout(record: bytes) -> None:
    assert SOURCE.accepts(record)


@pytest.mark.parametrize(
    "record",
    [
        text_of({"version": "1.1", "account_id": "111122223333", "query_timestamp": "2026-11-22T10:00:00Z",
                 "query_name": "example.com.", "srcaddr": "10.0.0.2", "srcport": "5353", "vpc_id": "vpc-1"}),
        text_of({"srcaddr": {"ip": "10.0.0.1"}, "dstaddr": ["10.0.0.2"]}),
        text_of({"jsonPayload": {"srcaddr": "10.0.0.1", "dstaddr": "10.0.0.2"}, "logName": "vpc_flows"}),
        text_of({"uuid": "u", "published": "2026-11-22T10:00:00Z", "eventType": "x", "actor": {}}),
        b"{", b"{}", b"[]", b"", b"\xff", b"2 3 4", b'{"srcaddr": 1, "dstaddr": 2',
        b"https 2026-11-22T10:00:00.000000Z app/web/50dc6c495c0c9188 203.0.113.7:2817 10.0.0.1:80 0 0 0 200 200 34 366",
    ],
)  # fmt: skip
def test_records_of_other_types_are_not_accepted(record: bytes) -> None:
    assert not SOURCE.accepts(record)
    assert not SOURCE.below(V2).accepts(record)


def test_the_classifier_gives_lines_to_the_source_below_their_header() -> None:
    classifier = Classifier([OKTA, SOURCE], "AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/11/22/x.log.gz", None)
    assert list(classifier.runs([FLOW, NODATA, b"odd"], V2)) == [(SOURCE.below(V2), 0, 2), (None, 2, 3)]
    assert "as many fields as the header line above" in classifier.explained(b"odd")


def test_keys_of_deliveries_are_expected() -> None:
    assert SOURCE.expects("AWSLogs/111122223333/vpcflowlogs/eu-west-1/2026/11/22/111122223333_vpcflowlogs_x.log.gz")
    assert SOURCE.expects("AWSLogs/aws-account-id=111122223333/aws-service=vpcflowlogs/aws-region=eu-west-1/x.parquet")
    assert not SOURCE.expects("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/22/x.json.gz")


# What rules see


def test_rules_see_the_columns_under_the_names_that_they_use() -> None:
    source = SOURCE.below(V2)
    readings = source.read_many([FLOW])
    batch = pa.RecordBatch.from_arrays(list(readings.columns), schema=source.columns)
    (event,) = raw_shaped(batch.select(list(columns_of(source))), source)
    assert b'"dstPort":443' in event
    assert b'"start":"2026-11-22T09:24:11Z"' in event


def test_every_field_of_the_rules_own_tests_is_a_column() -> None:
    used = {
        field
        for path in RULES.glob("*.yml")
        for case in yaml.safe_load(path.read_text())["Tests"]
        for field in case["Log"]
    }
    assert set() < used <= set(SOURCE.columns.names)


# Whatever comes

_VALUES = {
    Kind.TEXT: st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8).filter(
        lambda text: text != "-" and '"' not in text and not text.startswith("{")
    ),
    Kind.INTEGER: st.integers(-(2**63), 2**63 - 1),
    Kind.TIME: st.integers(0, 4 * 10**9),
}
_LINES = st.lists(st.sampled_from(FIELDS), min_size=2, unique=True).flatmap(
    lambda fields: st.tuples(
        st.just(fields),
        st.lists(st.tuples(*(st.none() | _VALUES[field.kind] for field in fields)), min_size=1, max_size=5),
    )
)


@given(_LINES)
def test_any_fields_in_any_order_read_as_they_were_written(case: tuple[list[Any], list[tuple[Any, ...]]]) -> None:
    fields, flows = case
    source = below(" ".join(field.path.replace("_", "-") for field in fields))
    lines = [" ".join("-" if value is None else str(value) for value in flow).encode() for flow in flows]
    assert all(map(source.accepts, lines))
    wanted = [
        {field.column_name: _stored(field.kind, value) for field, value in zip(fields, flow, strict=True)}
        for flow in flows
    ]
    found = rows(source, *lines)
    assert [columns(row) for row in found] == [
        {name: value for name, value in flow.items() if value is not None} for flow in wanted
    ]
    assert found == [row for line in lines for row in rows(source, line)]


def _stored(kind: Kind, value: Any) -> Any:
    if kind is Kind.TIME and value is not None:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
    return value


@given(st.sampled_from([b"", b"srcaddr dstaddr", b"srcaddr start bytes end"]), st.data())
def test_nothing_that_comes_stops_the_reading(header: bytes, data: st.DataObject) -> None:
    pieces = st.sampled_from(
        [b" ", b"10.0.0.1", b"-", b"\n", b"\r", b'"', b"0x1F", b"\xef\xbb\xbf", b"\xff", b"9", b"{"]
    )
    odd = mutilated(ROW) | st.lists(pieces, max_size=8).map(b"".join)
    records = data.draw(st.lists(odd, max_size=6))
    source = SOURCE.below(header)
    read_safely(source, records)
    together, apart = source.read_many(records), [source.read_many([record]) for record in records]
    assert [place for place, alone in enumerate(apart) if alone.rejected] == sorted(together.rejected)
    for number, column in enumerate(together.columns):
        assert column.to_pylist() == [value for alone in apart for value in alone.columns[number].to_pylist()]


def test_a_parquet_row_without_traffic_is_a_flow_record_too() -> None:
    row = b'{"version":2,"account_id":"111122223333","start":1772359200,"end":1772359260,"log_status":"NODATA"}'
    assert SOURCE.accepts(row)
    assert not SOURCE.accepts(row.replace(b"NODATA", b"FINE"))
    assert SOURCE.read_many([row]).event_time.null_count == 0
