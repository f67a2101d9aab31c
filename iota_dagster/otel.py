"""Spans by OpenTelemetry's SDK, sent by OTLP over HTTP. Imported only where `traces_endpoint` is set (extra `otel`).

Sending is done by a thread of the SDK's. An endpoint that is slow, away or wrong costs a process one wait of two
seconds at most, and the spans; never a run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from threading import Thread
from uuid import NAMESPACE_OID, UUID, uuid5

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, Status, StatusCode

from iota_dagster.traces import Attributes

FLUSH_SECONDS = 2.0
"""How long the end of a step waits for its spans to be sent."""
SEND_SECONDS = 1.0
"""How long one request may take, with what is tried again."""
QUEUE, REQUEST = 2048, 512
"""Spans that wait to be sent, the oldest of which give way; and those of one request."""

_log = logging.getLogger(__name__)
_trace_id: ContextVar[int | None] = ContextVar("trace_id", default=None)


class OtelTraces:
    """Sends spans to an OTLP/HTTP endpoint: `traces.Traces`.

    Headers, certificates and what else a collector asks for come from OpenTelemetry's own variables, `OTEL_EXPORTER_…`.
    """

    def __init__(self, endpoint: str) -> None:
        """`endpoint` is the whole URL, `/v1/traces` included."""
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # it tells of each request; `_Watched` tells once
        self._exporter = _Watched(OTLPSpanExporter(endpoint, timeout=SEND_SECONDS))
        processor = BatchSpanProcessor(
            self._exporter, max_queue_size=QUEUE, schedule_delay_millis=1000, max_export_batch_size=REQUEST
        )
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,  # a share of traces is better taken by the collector, which sees how they end
            resource=Resource.create({"service.name": "iota"}),
            id_generator=_RunIds(),
            shutdown_on_exit=False,  # it would wait for as long as a dead endpoint lets it
        )
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("iota_dagster")

    @contextmanager
    def step(self, run: str, name: str, attributes: Attributes) -> Iterator[Span]:
        """A span at the top of a run's trace, whose id is the run's without its hyphens."""
        token = _trace_id.set(trace_id(run))
        try:
            with self._opened(name, attributes, Context()) as opened:
                yield opened
        finally:
            _trace_id.reset(token)

    @contextmanager
    def span(self, name: str, attributes: Attributes) -> Iterator[Span]:
        """A span below the one that is open."""
        with self._opened(name, attributes, None) as opened:
            yield opened

    @contextmanager
    def _opened(self, name: str, attributes: Attributes, context: Context | None) -> Iterator[Span]:
        """A span that an error ends with its type alone: its text may quote a log."""
        with self._tracer.start_as_current_span(
            name, context, attributes=dict(attributes), record_exception=False, set_status_on_exception=False
        ) as opened:
            try:
                yield opened
            except BaseException as error:
                opened.set_attribute("error.type", f"{type(error).__module__}.{type(error).__qualname__}")
                opened.set_status(Status(StatusCode.ERROR))
                raise

    def flush(self) -> None:
        """Send what has ended, and wait for it; but not for an endpoint that did not answer last time."""
        if not self._exporter.answers:
            return
        sending = Thread(target=self._provider.force_flush, name="traces", daemon=True)
        with suppress(RuntimeError):  # no more threads: the next request takes these spans along
            sending.start()
            sending.join(FLUSH_SECONDS)
            if sending.is_alive():
                self._exporter.note(answers=False)

    def close(self) -> None:
        """End the thread that sends; spans that end later go nowhere."""
        self._provider.shutdown()


def trace_id(run: str) -> int:
    """The id of a run's trace: the run's own where that is a UUID, as Dagster's are."""
    try:
        return UUID(run).int
    except ValueError:
        return uuid5(NAMESPACE_OID, run).int


class _RunIds(RandomIdGenerator):
    """Trace ids that follow from the run."""

    def generate_trace_id(self) -> int:
        known = _trace_id.get()
        return super().generate_trace_id() if known is None else known


class _Watched(SpanExporter):
    """Knows whether the endpoint takes spans, and says so when that changes."""

    def __init__(self, inner: SpanExporter) -> None:
        self._inner = inner
        self.answers = True

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._inner.export(spans)
        self.note(answers=result is SpanExportResult.SUCCESS)
        return result

    def note(self, *, answers: bool) -> None:
        if self.answers and not answers:
            _log.warning("traces_endpoint does not take spans: they are lost until it does, and runs go on without")
        elif answers and not self.answers:
            _log.info("traces_endpoint takes spans again")
        self.answers = answers

    def shutdown(self) -> None:
        self._inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._inner.force_flush(timeout_millis)
