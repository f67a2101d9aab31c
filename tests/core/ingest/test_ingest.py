"""Objects to part files: every record ends as a row or in quarantine, whatever an object holds."""

from __future__ import annotations

import gc
import gzip
import io
import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota_dagster.core.dedup.identity import digest, fingerprint, placed_event_id
from iota_dagster.core.hours import hour_of, hour_start
from iota_dagster.core.ingest import ingest as ingest_module
from iota_dagster.core.ingest import parts as parts_module
from iota_dagster.core.ingest.classify import Place, classify
from iota_dagster.core.ingest.ingest import Ingested, IngestOptions, IngestTask, Part, ingest
from iota_dagster.core.lake.schema import PART_COLUMNS, part_schema, table_schema
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.core.reading.decode import DecodeLimits
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.cloudtrail import CloudTrail

DELIVERED = hour_of(datetime(2026, 11, 22, 10, tzinfo=UTC))
PARSED = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
OPTIONS = IngestOptions("batch-1", PARSED, DecodeLimits())
UNKNOWN = b'{"door":"north"}'


def trail(event_id: str | None = "e-1", when: str | None = "2026-11-22T09:58:00Z", **more: Any) -> bytes:
    record = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "Root", "accountId": "111122223333"},
        "eventTime": when,
        "eventName": "GetObject",
        "awsRegion": "eu-west-1",
        "eventID": event_id,
        "recipientAccountId": "111122223333",
        **more,
    }
    return json.dumps(record, separators=(",", ":")).encode()


def wrapped(*records: bytes) -> bytes:
    return b'{"Records":[' + b",".join(records) + b"]}"


class Bench:
    """A folder with objects, and what ingest made of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)

    def task(self, position: int, content: bytes, log_types: tuple[str, ...] | None = None, **facts: Any) -> IngestTask:
        path = self.folder / f"object-{position}"
        path.write_bytes(content)
        item = LogObject(
            id=100 + position,
            bucket="trails",
            key=f"AWSLogs/111122223333/CloudTrail/{position}.json.gz",
            etag="etag",
            size=len(content),
            integration="main",
            account="999988887777",
            region="us-east-1",
            delivery_hour=DELIVERED,
            status=ObjectStatus.CLAIMED,
            kind="log",
        )
        return IngestTask(position, replace(item, **facts), str(path), log_types)

    def run(self, *tasks: IngestTask, options: IngestOptions = OPTIONS) -> tuple[list[Ingested], list[Part]]:
        return ingest(tasks, self.work, "p", options)

    def rows(self, parts: Sequence[Part]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        for part in parts:
            with pa.OSFile(str(self.work / part.path)) as file:
                rows = pa.ipc.open_file(file).read_all()
            assert rows.schema.equals(part_schema(SOURCES[part.log_type]))
            assert rows.num_rows == part.rows
            rows.validate(full=True)
            found += rows.to_pylist()
        return found

    def only(self, *records: bytes, options: IngestOptions = OPTIONS, **facts: Any) -> list[dict[str, Any]]:
        ((outcome,), parts) = self.run(self.task(0, wrapped(*records), **facts), options=options)
        assert outcome.quarantine == ()
        return self.rows(parts)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_a_row_has_envelope_columns_and_the_vendors_bytes(bench: Bench) -> None:
    record = trail(sourceIPAddress="192.0.2.7")
    (row,) = bench.only(record)
    event_id = "111122223333:e-1"
    assert {name: value for name, value in row.items() if name.startswith(("p_", "_")) and value is not None} == {
        "p_log_type": "AWS.CloudTrail",
        "p_event_id": event_id,
        "p_event_time": datetime(2026, 11, 22, 9, 58, tzinfo=UTC),
        "p_parse_time": PARSED,
        "p_source_bucket": "trails",
        "p_source_key": "AWSLogs/111122223333/CloudTrail/0.json.gz",
        "p_source_line": 0,
        "p_batch": "batch-1",
        "p_integration": "main",
        "p_account_id": "111122223333",
        "p_region": "eu-west-1",
        "p_any_ip_addresses": ["192.0.2.7"],
        "p_any_aws_account_ids": ["111122223333"],
        "p_raw": record.decode(),
        "_digest": digest("AWS.CloudTrail", event_id),
        "_fingerprint": fingerprint(record),
        "_hour": DELIVERED - 1,
        "_position": 0,
    }
    assert row["eventName"] == "GetObject"


def test_the_lake_has_the_part_columns_without_the_private_ones() -> None:
    source = SOURCES["AWS.CloudTrail"]
    assert part_schema(source).names == [*table_schema(source).names, *(field.name for field in PART_COLUMNS)]
    assert all((field.metadata or {}).get(b"description") for field in part_schema(source))


def test_rows_of_many_objects_share_a_part_in_batch_order(bench: Bench) -> None:
    tasks = [
        bench.task(n, gzip.compress(wrapped(*(trail(f"{n}-{i}") for i in range(n)))), key=f"k{n}") for n in range(5)
    ]
    outcomes, parts = bench.run(*tasks)
    rows = bench.rows(parts)
    expected = [(n, i, f"k{n}", f"111122223333:{n}-{i}") for n in range(5) for i in range(n)]
    seen = [(row["_position"], row["p_source_line"], row["p_source_key"], row["p_event_id"]) for row in rows]
    assert seen == expected
    assert [part.path for part in parts] == ["p-0000.arrow"]
    assert [(item.position, item.object_id, item.records) for item in outcomes] == [(n, 100 + n, n) for n in range(5)]


def test_the_content_is_hashed_without_its_gzip(bench: Bench) -> None:
    content = wrapped(trail())
    plain, packed = bench.run(bench.task(0, content), bench.task(1, gzip.compress(content)))[0]
    assert plain.content_sha256 == packed.content_sha256
    assert plain.content_bytes == packed.content_bytes == len(content)


def test_a_digest_object_is_hashed_and_has_no_records(bench: Bench) -> None:
    content = b'{"awsAccountId":"111122223333","logFiles":[]}'
    (outcome,), parts = bench.run(bench.task(0, gzip.compress(content), kind="digest"))
    assert (outcome.records, outcome.quarantine, outcome.content_bytes, parts) == (0, (), len(content), [])


def test_what_is_no_event_goes_to_quarantine_with_its_place_and_reason(bench: Bench) -> None:
    content = wrapped(trail("a"), UNKNOWN, b"7", trail("b"))
    (outcome,), parts = bench.run(bench.task(0, content))
    assert [row["p_source_line"] for row in bench.rows(parts)] == [0, 3]
    assert outcome.records == 4
    unknown, number = outcome.quarantine
    assert (unknown.reason, unknown.ordinal, unknown.sample, unknown.size) == ("unclassified", 1, UNKNOWN, len(UNKNOWN))
    assert unknown.byte_offset == content.index(UNKNOWN)
    assert "its keys: door" in unknown.detail
    assert (number.reason, number.ordinal, number.sample) == ("not_an_object", 2, b"7")
    assert number.object_id == 100


def test_a_type_that_the_integration_does_not_declare_goes_to_quarantine(bench: Bench) -> None:
    (outcome,), parts = bench.run(bench.task(0, wrapped(trail()), log_types=("AWS.VPCFlow",)))
    assert (outcome.records, [item.reason for item in outcome.quarantine], parts) == (1, ["unclassified"], [])


def test_a_truncated_object_keeps_its_good_records(bench: Bench) -> None:
    content = wrapped(*(trail(f"e-{n}") for n in range(50)))
    (outcome,), parts = bench.run(bench.task(0, content[:-40]))
    assert [item.reason for item in outcome.quarantine] == ["truncated"]
    assert len(bench.rows(parts)) == 49 == outcome.records - 1


def test_an_empty_object_has_nothing(bench: Bench) -> None:
    assert bench.run(bench.task(0, b""))[0][0].records == 0
    assert bench.run() == ([], [])


class TestIdentity:
    """DESIGN §5."""

    def test_the_same_event_of_two_objects_has_one_identity(self, bench: Bench) -> None:
        pretty = json.dumps(json.loads(trail()), indent=2).encode()
        parts = bench.run(bench.task(0, wrapped(trail())), bench.task(1, pretty, account="444455556666"))[1]
        one, other = bench.rows(parts)
        assert [one[name] == other[name] for name in ("_digest", "_fingerprint", "_hour", "p_raw")] == [
            True,
            True,
            True,
            False,
        ]

    def test_digest_and_fingerprint_follow_from_the_lakes_columns(self, bench: Bench) -> None:
        rows = bench.only(trail(), trail(None), trail(when=None), json.dumps(json.loads(trail("x"))).encode())
        for row in rows:
            assert row["_digest"] == digest(row["p_log_type"], row["p_event_id"])
            assert row["_fingerprint"] == fingerprint(row["p_raw"].encode())

    def test_a_record_without_an_id_is_known_by_its_place(self, bench: Bench) -> None:
        record = trail(None)
        ids = [row["p_event_id"] for row in bench.only(record, record, trail(""))]
        key = "AWSLogs/111122223333/CloudTrail/0.json.gz"
        assert ids[:2] == [placed_event_id("trails", key, ordinal, record) for ordinal in (0, 1)]
        assert len(set(ids)) == 3

    @pytest.mark.parametrize("account", [None, ""])
    def test_a_record_without_an_account_has_its_objects(self, bench: Bench, account: str | None) -> None:
        record = trail(recipientAccountId=account, awsRegion=None)
        (row,) = bench.only(record)
        named = (row["p_event_id"], row["p_account_id"], row["p_region"])
        assert named == ("999988887777:e-1", "999988887777", "us-east-1")
        (row,) = bench.only(record, account=None, region=None)
        assert (row["p_event_id"], row["p_account_id"], row["p_region"]) == ("trails:e-1", None, None)


class TestTime:
    """Which hour a row belongs to, and what is no usable time."""

    @pytest.mark.parametrize("when", [None, "soon", "2026-11-22 09:58", 5])
    def test_a_record_without_a_time_lies_in_the_delivery_hour(self, bench: Bench, when: Any) -> None:
        (row,) = bench.only(trail(when=when))
        assert (row["p_event_time"], row["p_event_time_flag"]) == (hour_start(DELIVERED), "missing")
        assert row["_hour"] == DELIVERED
        assert ":" not in row["p_event_id"]

    @pytest.mark.parametrize(
        ("hours", "flag"), [(-45 * 24 - 1, "absurd"), (-45 * 24, None), (0, None), (24, None), (25, "absurd")]
    )
    def test_an_absurd_time_is_kept_but_not_believed(self, bench: Bench, hours: int, flag: str | None) -> None:
        when = hour_start(DELIVERED) + timedelta(hours=hours)
        (row,) = bench.only(trail(when=when.strftime("%Y-%m-%dT%H:%M:%SZ")))
        assert (row["p_event_time"], row["p_event_time_flag"]) == (when, flag)
        assert row["_hour"] == DELIVERED + (0 if flag else hours)
        assert (":" in row["p_event_id"]) == (flag is None)

    def test_an_object_cannot_open_any_number_of_hours(self, bench: Bench) -> None:
        days = [f"2026-11-{day:02}T09:00:00Z" for day in (20, 21, 20, 19, 21, 18)]
        options = replace(OPTIONS, max_hours_per_object=2)
        tasks = [bench.task(n, wrapped(*(trail(f"{n}-{i}", when) for i, when in enumerate(days)))) for n in range(2)]
        outcomes, parts = bench.run(*tasks, options=options)
        assert [row["p_source_line"] for row in bench.rows(parts)] == [0, 1, 2, 4] * 2
        for outcome in outcomes:
            assert outcome.records == 6
            assert [(item.reason, item.ordinal) for item in outcome.quarantine] == [
                ("too_many_hours", 3),
                ("too_many_hours", 5),
            ]


class TestBounds:
    """Memory and files do not grow with an object."""

    def test_a_full_part_is_closed_and_the_next_one_opened(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parts_module, "BLOCK_ROWS", 7)
        records = [trail(f"e-{n}") for n in range(100)]
        options = replace(OPTIONS, part_bytes=20 * len(records[0]))
        parts = bench.run(
            bench.task(0, wrapped(*records[:30])), bench.task(1, wrapped(*records[30:])), options=options
        )[1]
        assert [part.path for part in parts] == [f"p-{n:04}.arrow" for n in range(5)]
        assert [part.rows for part in parts] == [21, 21, 21, 21, 16]
        assert [row["p_raw"].encode() for row in bench.rows(parts)] == records

    def test_an_object_may_end_where_a_block_ends(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parts_module, "BLOCK_ROWS", 3)
        parts = bench.run(bench.task(0, wrapped(trail("a"), trail("b"), trail("c"))))[1]
        assert [part.rows for part in parts] == [3]

    def test_without_any_row_there_is_no_part(self, bench: Bench) -> None:
        ((outcome,), parts) = bench.run(
            bench.task(0, wrapped(trail())), options=replace(OPTIONS, max_hours_per_object=0)
        )
        assert ([item.reason for item in outcome.quarantine], parts) == (["too_many_hours"], [])
        assert list(bench.work.iterdir()) == []

    def test_samples_of_a_bad_object_are_shortened(self, bench: Bench) -> None:
        big = b'{"x":"' + b"y" * 1000 + b'"}'
        options = replace(OPTIONS, quarantine_sample_bytes=2500)
        ((outcome,), _) = bench.run(bench.task(0, wrapped(*[big] * 5)), options=options)
        assert [len(item.sample) for item in outcome.quarantine] == [1008, 1008, 256, 256, 256]
        assert {item.size for item in outcome.quarantine} == {1008}

    def test_past_the_limit_bad_records_share_one_item(self, bench: Bench) -> None:
        options = replace(OPTIONS, quarantine_records=3)
        content = wrapped(*[UNKNOWN, trail("a")] * 10)
        ((outcome,), parts) = bench.run(bench.task(0, content), options=options)
        assert len(bench.rows(parts)) == 10
        assert outcome.records == 14
        last = outcome.quarantine[-1]
        assert (last.reason, last.ordinal, last.size) == ("too_many_rejected", 6, 7 * len(UNKNOWN))
        assert last.detail.startswith("stands for 7 more records of this object; the first: unclassified: ")


class Fragile(CloudTrail):
    """A parser with a bug."""

    def read_many(self, records: Sequence[bytes]) -> Readings:
        if any(b"Crash" in record for record in records):
            raise ZeroDivisionError("a bug")
        return super().read_many(records)


def test_a_bug_in_a_parser_costs_the_record_that_meets_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "SOURCES", {"AWS.CloudTrail": Fragile()})
    records = [trail("a"), trail("b", eventName="Crash"), trail("c")]
    (outcome,), parts = bench.run(bench.task(0, wrapped(*records)))
    assert [row["p_source_line"] for row in bench.rows(parts)] == [0, 2]
    (item,) = outcome.quarantine
    assert (item.reason, item.ordinal, item.detail) == ("parser_error", 1, "AWS.CloudTrail: ZeroDivisionError: a bug")


def test_a_record_that_a_source_rejects_goes_to_quarantine(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    class Eager(CloudTrail):
        def accepts(self, record: bytes) -> bool:
            return True

        def read_many(self, records: Sequence[bytes]) -> Readings:
            return super().read_many([b"7" if record == UNKNOWN else record for record in records])

    monkeypatch.setattr(ingest_module, "SOURCES", {"AWS.CloudTrail": Eager()})
    (outcome,), parts = bench.run(bench.task(0, wrapped(trail("a"), UNKNOWN, trail("c"))))
    assert [row["p_source_line"] for row in bench.rows(parts)] == [0, 2]
    assert [(item.reason, item.ordinal, item.sample) for item in outcome.quarantine] == [("unreadable", 1, UNKNOWN)]


def test_an_unreadable_file_raises_and_leaves_no_part(bench: Bench) -> None:
    missing = replace(bench.task(1, b""), path=str(bench.folder / "missing"))
    many = bench.task(0, wrapped(*(trail(f"e-{n}") for n in range(5000))))
    with pytest.raises(FileNotFoundError, match="missing"):
        bench.run(many, missing)
    assert list(bench.work.iterdir()) == []


def test_the_collector_is_as_it_was_before(bench: Bench) -> None:
    assert gc.isenabled()
    bench.run(bench.task(0, wrapped(trail())))
    assert gc.isenabled()


def test_tasks_and_results_cross_a_process_border(bench: Bench) -> None:
    task = bench.task(0, wrapped(trail(), UNKNOWN))
    assert pickle.loads(pickle.dumps((task, OPTIONS))) == (task, OPTIONS)
    result = bench.run(task)
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_worker_starts_without_heavy_imports() -> None:
    heavy = "{'dagster', 'pandas', 'sqlalchemy', 'boto3', 'great_expectations', 'duckdb', 'pydantic'}"
    code = f"import sys, iota_dagster.core.ingest.ingest; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


pieces = st.one_of(
    st.integers(0, 5).map(lambda n: trail(f"e-{n}")),
    st.builds(trail, st.none(), st.sampled_from([None, "x", "2020-01-01T00:00:00Z", "2026-11-21T00:00:00Z"])),
    st.sampled_from(
        [UNKNOWN, b"7", b"null", b"[1]", b'"s"', b"{}", b'{"a":', b'{"a":\xff}', b"", b'{"eventVersion":1}']
    ),
)


@given(
    objects=st.lists(st.tuples(st.lists(pieces, max_size=12), st.sampled_from(["list", "lines", "gzip"])), max_size=4)
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
def test_records_are_rows_and_quarantine(tmp_path: Path, objects: list[tuple[list[bytes], str]]) -> None:
    bench = Bench(tmp_path)
    options = replace(OPTIONS, max_hours_per_object=1, quarantine_records=6, quarantine_sample_bytes=50)
    outcomes, parts = bench.run(*(bench.task(n, _content(*item)) for n, item in enumerate(objects)), options=options)
    rows = bench.rows(parts)
    places = [(row["_position"], row["p_source_line"]) for row in rows]
    assert places == sorted(set(places))
    for outcome in outcomes:
        lines = {line for position, line in places if position == outcome.position}
        assert outcome.records == len(lines) + len(outcome.quarantine)
        assert not lines & {item.ordinal for item in outcome.quarantine}
    for row in rows:
        assert row["_digest"] == digest(row["p_log_type"], row["p_event_id"])


def _content(records: list[bytes], form: str) -> bytes:
    content = b"\n".join(records) if form == "lines" else wrapped(*records)
    return gzip.compress(content) if form == "gzip" else content


FLOW_FIELDS = b"version account-id interface-id srcaddr dstaddr"
FLOW_LINE = b"2 111122223333 eni-0123456789abcdef0 203.0.113.7 198.51.100.4"


@pytest.mark.parametrize("log_types", [None, ("AWS.ALB",)])
@pytest.mark.parametrize("line", [b"start end", b"action type"])
def test_a_line_that_only_resembles_a_header_is_a_record(
    bench: Bench, line: bytes, log_types: tuple[str, ...] | None
) -> None:
    ((outcome,), _) = bench.run(bench.task(0, b"one\n" + line + b"\ntwo\n", log_types))
    assert [item.sample for item in outcome.quarantine] == [b"one", line, b"two"]
    assert outcome.records == 3


def test_a_header_of_a_type_that_is_left_out_is_a_record(bench: Bench) -> None:
    ((outcome,), _) = bench.run(bench.task(0, FLOW_FIELDS + b"\n" + FLOW_LINE, ("AWS.ALB",)))
    assert [item.sample for item in outcome.quarantine] == [FLOW_FIELDS, FLOW_LINE]


def test_headers_in_the_middle_of_an_object_are_known_with_and_without_declared_types(bench: Bench) -> None:
    content = b"\n".join([b"text", FLOW_FIELDS, FLOW_LINE, FLOW_FIELDS + b" action", FLOW_LINE + b" ACCEPT"])
    for position, log_types in enumerate([None, ("AWS.VPCFlow",)]):
        ((outcome,), parts) = bench.run(bench.task(position, content, log_types))
        assert [item.sample for item in outcome.quarantine] == [b"text"]
        assert [row["action"] for row in bench.rows(parts)] == [None, "ACCEPT"]


def test_a_declared_type_may_have_a_short_header(bench: Bench) -> None:
    ((outcome,), parts) = bench.run(bench.task(0, b"start end\n1763805480 1763805540\n", ("AWS.VPCFlow",)))
    assert (outcome.quarantine, len(bench.rows(parts))) == ((), 1)


ABSURD = "1999-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "records", [[trail(""), trail(), trail(None)], [trail(when=ABSURD), trail(when=None), UNKNOWN]]
)
def test_classify_says_what_ingest_does(bench: Bench, records: list[bytes]) -> None:
    key = "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/22/111122223333_CloudTrail_eu-west-1_20261122T1000Z_x.json"
    task = bench.task(0, wrapped(*records), key=key, account="111122223333", region="eu-west-1")
    ((outcome,), parts) = bench.run(task)
    verdicts = list(classify(io.BytesIO(wrapped(*records)), Place("trails", key), DecodeLimits()))
    rows = {row["p_source_line"]: row["p_event_id"] for row in bench.rows(parts)}
    assert {item.ordinal: item.event_id for item in verdicts if item.event_id} == rows
    refused = {item.ordinal: item.reason for item in outcome.quarantine}
    assert {item.ordinal: item.quarantined.split(": ")[0] for item in verdicts if item.quarantined} == refused


def test_classify_isolates_a_record_that_breaks_its_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = CloudTrail.read_many

    def read_many(self: CloudTrail, records: Sequence[bytes]) -> Readings:
        if any(b"boom" in record for record in records):
            raise RuntimeError("boom")
        return whole(self, records)

    monkeypatch.setattr(CloudTrail, "read_many", read_many)
    verdicts = list(
        classify(io.BytesIO(wrapped(trail("a"), trail("boom"), trail("c"))), Place("b", "k"), DecodeLimits())
    )
    assert [bool(item.quarantined) for item in verdicts] == [False, True, False]
    assert str(verdicts[1].quarantined).startswith("parser_error: AWS.CloudTrail: RuntimeError: boom")
