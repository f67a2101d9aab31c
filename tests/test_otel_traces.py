"""Traces of runs: a real run's spans at a real OTLP/HTTP receiver, and what it costs a run where there is none."""

from __future__ import annotations

import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from iota_dagster import otel, traces
from iota_dagster.core.errors import Outage, SettingsError
from iota_dagster.definitions import defs
from iota_dagster.defs.steps import CLAIM_TAG
from iota_dagster.home import prepare_home
from iota_dagster.ingesting import register_path
from iota_dagster.otel import OtelTraces, trace_id
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.cli.logs import RULE, packed, record, write

HOUR = "2025-03-01-10:00"
RUN = "0b5c1f5e-6f0a-4c57-9a55-0d6f4b0f2a11"
OF_A_LOG = "example-word-of-a-log"


class Collector:
    """An OTLP/HTTP receiver on loopback, and what it was sent; it answers once `may_answer` is set."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.may_answer = threading.Event()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.may_answer.wait(60)
                collector.bodies.append(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}/v1/traces"

    @property
    def requests(self) -> list[ExportTraceServiceRequest]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]

    @property
    def spans(self) -> list[Span]:
        resources = [item for request in self.requests for item in request.resource_spans]
        return [span for item in resources for scope in item.scope_spans for span in scope.spans]


@contextmanager
def collecting(*, answering: bool = True) -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    if answering:
        collector.may_answer.set()
    try:
        yield collector
    finally:
        collector.may_answer.set()
        collector.server.shutdown()
        collector.server.server_close()
        thread.join()


@contextmanager
def nobody() -> Iterator[str]:
    """An endpoint where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}/v1/traces"


@contextmanager
def sending(endpoint: str) -> Iterator[OtelTraces]:
    """What a process opens for an endpoint, closed in the end; no test leaves a thread or a log's level behind."""
    level = logging.getLogger("opentelemetry").level
    traces.open_traces.cache_clear()
    opened = traces.open_traces(endpoint)
    assert isinstance(opened, OtelTraces)
    try:
        yield opened
    finally:
        opened.close()
        traces.open_traces.cache_clear()
        logging.getLogger("opentelemetry").setLevel(level)


def ingest(place: Path, patch: pytest.MonkeyPatch, endpoint: str) -> dg.ExecuteInProcessResult:
    """A run of one hour with one object: six records, one of them twice, one that a rule matches."""
    records = [*map(record, range(4)), record(3), record(5, "StopLogging", userAgent=OF_A_LOG)]
    write(place / "logs", 1, packed(records))
    for name, value in {"HOME": str(place / "home"), "RULES": f"[{RULE}]", "TRACES_ENDPOINT": endpoint}.items():
        patch.setenv(f"IOTA_{name}", value)
    settings = load_settings()
    register_path(open_platform(settings), place / "logs")
    job = defs.resolve_job_def("ingest")
    with dg.DagsterInstance.from_config(str(prepare_home(settings))) as instance:
        tags = {"dagster/partition": HOUR, CLAIM_TAG: ""}
        return job.execute_in_process(instance=instance, tags=tags, partition_key=HOUR)


@dataclass(frozen=True)
class Traced:
    """A run and what the collector has of it."""

    run_id: str
    collector: Collector

    def named(self, name: str) -> list[Span]:
        return [span for span in self.collector.spans if span.name == name]


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with collecting() as collector, sending(collector.endpoint), pytest.MonkeyPatch.context() as patch:
        result = ingest(tmp_path_factory.mktemp("traced"), patch, collector.endpoint)
        assert result.success
        yield Traced(result.run_id, collector)


def values(attributes: Iterable[KeyValue]) -> dict[str, object]:
    """A span's attributes: texts, numbers, and lists of texts."""
    found: dict[str, object] = {}
    for item in attributes:
        kind = item.value.WhichOneof("value")
        assert kind
        value = getattr(item.value, kind)
        found[item.key] = [one.string_value for one in value.values] if kind == "array_value" else value
    return found


def paths(spans: list[Span]) -> list[str]:
    """Each span's way down from its step, by names."""
    by_id = {span.span_id: span for span in spans}

    def path(span: Span) -> str:
        return f"{path(by_id[span.parent_span_id])}/{span.name}" if span.parent_span_id else span.name

    return sorted(path(span) for span in spans)


def test_a_run_is_one_trace_of_its_steps_with_their_batches_and_phases_below_them(traced: Traced) -> None:
    assert paths(traced.collector.spans) == sorted(
        [
            *("raw_logs", "raw_logs/batch", "raw_logs/batch/fetch"),
            *("events", "events/batch", "events/batch/fetch", "events/batch/decode", "events/batch/commit"),
            *("lake", "lake/batch", "lake/batch/publish"),
            *("alerts", "alerts/batch", "alerts/batch/judge"),
            *("correlations", "alert_deliveries", "alert_deliveries/deliver", "glue_partitions"),
        ]
    )
    (trace,) = {span.trace_id.hex() for span in traced.collector.spans}
    assert trace == traced.run_id.replace("-", "")


def test_a_step_tells_its_run_its_hours_its_batches_and_its_figures(traced: Traced) -> None:
    (step,), (batch, *_) = traced.named("events"), traced.named("batch")
    shown = values(step.attributes)
    assert (shown["iota.run.id"], shown["iota.run.job"], shown["iota.hours"]) == (traced.run_id, "ingest", [HOUR])
    assert shown["iota.batch.ids"] == [values(batch.attributes)["iota.batch.id"]]
    names = ("objects", "records", "rows", "duplicates", "quarantined")
    assert [shown[f"iota.{name}"] for name in names] == [1, 6, 5, 1, 0]


def test_a_phase_tells_its_batch_and_what_it_did(traced: Traced) -> None:
    found = {name: values(traced.named(name)[0].attributes) for name in ("commit", "publish", "judge", "deliver")}
    (batch,) = {str(values(span.attributes)["iota.batch.id"]) for span in traced.named("batch")}
    assert {found[name]["iota.batch.id"] for name in ("commit", "publish", "judge")} == {batch}
    assert (found["commit"]["iota.records"], found["commit"]["iota.duplicates"]) == (6, 1)
    assert found["publish"]["iota.rows"] == 5
    assert (found["judge"]["iota.events"], found["judge"]["iota.matches"]) == (5, 1)
    assert found["deliver"]["iota.failed"] == 0


def test_all_spans_are_of_the_service_iota_and_hold_nothing_of_a_log(traced: Traced) -> None:
    resources = [item.resource for request in traced.collector.requests for item in request.resource_spans]
    assert {values(item.attributes)["service.name"] for item in resources} == {"iota"}
    assert not any(OF_A_LOG.encode() in body for body in traced.collector.bodies)


def test_a_retry_goes_on_with_the_trace_of_its_root_run() -> None:
    with collecting() as collector, sending(collector.endpoint) as opened:
        for _ in range(2):
            with traces.step(opened, RUN, "lake", {}):
                pass
        with traces.step(opened, "a run of another name", "lake", {}):
            pass
    found = [int.from_bytes(span.trace_id) for span in collector.spans]
    assert found == [trace_id(RUN), trace_id(RUN), trace_id("a run of another name")]
    assert len(set(found)) == 2


def test_an_error_is_told_by_its_type_alone() -> None:
    with collecting() as collector, sending(collector.endpoint) as opened:
        with (
            pytest.raises(Outage),
            traces.step(opened, RUN, "events", {}),
            traces.batch_span("b-1"),
            traces.span("commit", {}),
        ):
            raise Outage(OF_A_LOG)
        with traces.step(opened, RUN, "lake", {}):
            pass
    ended = {span.name: span for span in collector.spans}
    for name in ("events", "batch", "commit"):
        assert ended[name].status.code == Status.STATUS_CODE_ERROR
        assert values(ended[name].attributes)["error.type"] == "iota_dagster.core.errors.Outage"
    assert ended["lake"].status.code == Status.STATUS_CODE_UNSET
    assert not any(OF_A_LOG.encode() in body for body in collector.bodies)


def test_a_run_does_not_fail_where_nobody_takes_its_spans(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with nobody() as endpoint, sending(endpoint):
        assert ingest(tmp_path, monkeypatch, endpoint).success
    assert [line.message for line in caplog.records if "take spans" in line.message] == [
        "traces_endpoint does not take spans: they are lost until it does, and runs go on without"
    ]


def test_a_request_that_hangs_keeps_the_end_of_one_step_waiting_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(otel, "SEND_SECONDS", 60)
    monkeypatch.setattr(otel, "FLUSH_SECONDS", 0.2)
    with collecting(answering=False) as collector, sending(collector.endpoint) as opened:
        started = time.monotonic()
        for _ in range(50):
            with traces.step(opened, RUN, "lake", {}):
                pass
        assert 0.2 <= time.monotonic() - started < 5  # 50 waits would be 10 s
        assert not collector.bodies
        collector.may_answer.set()
    assert len(collector.spans) == 50, "they were waiting, and went when the endpoint answered"


def test_without_the_extra_a_run_is_told_once_what_to_install_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    traces.open_traces.cache_clear()
    monkeypatch.setitem(sys.modules, "iota_dagster.otel", None)  # as where an import in it fails
    assert [traces.open_traces("http://127.0.0.1:4318/v1/traces") for _ in range(3)] == [None] * 3
    (line,) = caplog.messages
    assert "OpenTelemetry is not installed" in line
    assert "install iota with its extra `otel`" in line
    traces.open_traces.cache_clear()


def test_nothing_of_it_is_imported_where_it_is_off() -> None:
    code = (
        "import sys, iota_dagster.run_worker\n"
        "from iota_dagster import traces\n"
        "assert traces.open_traces(None) is None\n"
        "with traces.batch_span('b-1') as batch, traces.span('fetch', {}) as phase:\n"
        "    phase.set_attributes({'iota.bytes': 1})\n"
        "names = {'opentelemetry', 'iota_dagster.otel', 'iota_dagster.traced_road'}\n"
        "print(*(names & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == []


@pytest.mark.parametrize(
    "wrong",
    [
        "collector:4318",
        "http://127.0.0.1:4318",
        "ftp://example.com/v1/traces",
        "https://example.com/v1/traces?key=example-password",
        "https://ana:example-password@example.com/v1/traces",
    ],
)
def test_an_endpoint_is_a_whole_url_that_holds_no_secret(wrong: str, tmp_path: Path) -> None:
    environ = {"IOTA_HOME": str(tmp_path), "IOTA_TRACES_ENDPOINT": wrong}
    with pytest.raises(SettingsError, match=r"whole URL such as http://127.0.0.1:4318/v1/traces") as raised:
        load_settings(environ=environ)
    assert "example-password" not in str(raised.value)
