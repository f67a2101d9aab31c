"""Traces of runs, for OpenTelemetry: off, with nothing of it imported, unless `traces_endpoint` is set.

A step of a run is a span, with one below it for each batch and below that one for each phase of its work; all steps
and retries of a run are one trace. Where no step is traced, a span costs a look at a variable and goes nowhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from iota_dagster.core.extras import install

Attributes = Mapping[str, str | int | float | Sequence[str]]
"""What a span says: names, ids and counts; never a word out of a log, nor the text of an error."""

MOST_BATCHES = 100
"""Batches that a step's span names."""

_log = logging.getLogger(__name__)


class Span(Protocol):
    """What is being done, as far as whoever does it is concerned."""

    def set_attributes(self, attributes: Attributes) -> None:
        """Say more of it."""


class Traces(Protocol):
    """Where spans go."""

    def step(self, run: str, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """A span at the top of a run's trace."""

    def span(self, name: str, attributes: Attributes) -> AbstractContextManager[Span]:
        """A span below the one that is open."""

    def flush(self) -> None:
        """Send what has ended; waits for a short time only, and raises nothing."""


class _Nowhere:
    def set_attributes(self, attributes: Attributes) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _Step:
    traces: Traces
    batches: list[str] = field(default_factory=list)


_NOWHERE = _Nowhere()
_step: ContextVar[_Step | None] = ContextVar("step", default=None)


@lru_cache(maxsize=1)
def open_traces(endpoint: str | None) -> Traces | None:
    """What sends spans to an OTLP/HTTP endpoint, once per process; none without one.

    None as well, with a warning, where OpenTelemetry is missing or refuses its own variables: no run fails for a trace.
    """
    if endpoint is None:
        return None
    try:
        from iota_dagster.otel import OtelTraces  # an optional package, and a tenth of a second

        return OtelTraces(endpoint)
    except ImportError:
        advice = f"{install('otel')}, or take the setting away"
        _log.warning("traces_endpoint is set, but OpenTelemetry is not installed, so nothing is traced: %s", advice)
    except Exception as error:  # its text may quote a header of OTEL_EXPORTER_OTLP_HEADERS
        _log.warning("nothing is traced: OpenTelemetry cannot be set up (%s): check OTEL_…", type(error).__name__)
    return None


@contextmanager
def step(traces: Traces, run: str, name: str, attributes: Attributes) -> Iterator[Span]:
    """A step of a (root) run, with the batches that it worked on; its end sends it, with all below it."""
    current = _Step(traces)
    try:
        with traces.step(run, name, attributes) as opened:
            token = _step.set(current)
            try:
                yield opened
            finally:
                _step.reset(token)
                opened.set_attributes({"iota.batch.ids": list(dict.fromkeys(current.batches))[:MOST_BATCHES]})
    finally:
        traces.flush()


def batch_span(batch_id: str) -> AbstractContextManager[Span]:
    """A step's work on one batch."""
    current = _step.get()
    if current is None:
        return nullcontext(_NOWHERE)
    current.batches.append(batch_id)
    return current.traces.span("batch", {"iota.batch.id": batch_id})


def span(name: str, attributes: Attributes) -> AbstractContextManager[Span]:
    """Something that a step does, below what it is doing."""
    current = _step.get()
    return nullcontext(_NOWHERE) if current is None else current.traces.span(name, attributes)
