"""`/metrics`, `/health` and `/ready`, for Prometheus and for whoever keeps processes alive (`iota serve`).

The server only reads: figures come from the store, where each batch has written its own, so that any number of servers
may run, be started anew, and show the same. It starts without the store too, and then says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import cache, partial

import uvicorn
from prometheus_client import CollectorRegistry, push_to_gateway
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.queue import SqsQueue
from iota_dagster.core.background import repeating
from iota_dagster.core.observability.exposition import FiguresCollector, from_queue, from_store
from iota_dagster.core.observability.figure_source import Source
from iota_dagster.core.store.gauges import Configured
from iota_dagster.dagster_figures import from_dagster
from iota_dagster.doctor_checks.site import Site
from iota_dagster.logging_setup import configure
from iota_dagster.readiness import Probes, probes
from iota_dagster.settings import Settings

PUSH_SECONDS = 15.0
_PUSH_TIMEOUT = 5.0
_log = logging.getLogger(__name__)


def registry_of(settings: Settings) -> CollectorRegistry:
    """All metrics of an installation; nothing is connected before they are collected."""
    configured = Configured(
        [item.name for item in settings.integrations],
        [item.name for item in settings.destinations],
        settings.bloom.capacity_max,
    )
    sources: list[Source] = [from_store(settings.store_url, configured), from_dagster(settings)]
    if settings.queue_url:
        sources.append(from_queue(_opener(settings, settings.queue_url)))
    registry = CollectorRegistry()
    registry.register(FiguresCollector(sources))
    return registry


def _opener(settings: Settings, url: str) -> Callable[[], SqsQueue]:
    """What makes the queue's client when it is first asked; one that gives up long before a scrape does."""
    options = ClientOptions(settings.endpoint_url, settings.region, connect_seconds=2, read_seconds=2, attempts=1)
    return cache(lambda: SqsQueue(ClientFactory(options).sqs(), url))


def make_app(registry: CollectorRegistry | None, readiness: Probes) -> Starlette:
    """The three pages; without a registry `/metrics` says how to switch it on."""

    async def health(_: Request) -> Response:
        return JSONResponse({"alive": True})

    def ready(_: Request) -> Response:
        found = readiness.ask()
        checks = [asdict(finding) for finding in found.findings]
        return JSONResponse({"ready": found.ready, "checks": checks}, 200 if found.ready else 503)

    def metrics(request: Request) -> Response:
        if registry is None:
            return PlainTextResponse("Metrics are off: set enable_metrics, or ENABLE_METRICS=true.\n", 404)
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type})

    routes = [Route("/health", health), Route("/ready", ready), Route("/metrics", metrics)]
    return Starlette(routes=routes)


def serve(settings: Settings) -> None:
    """Serve until the process is told to end."""
    import dagster  # noqa: F401  # takes a second or two, which the first question must not pay

    configure(settings)
    registry = registry_of(settings) if settings.enable_metrics else None
    app = make_app(registry, probes(Site(settings)))
    with _pushing(settings, registry):
        level = settings.log_level.lower()
        uvicorn.run(app, host=settings.metrics_host, port=settings.metrics_port, log_level=level, log_config=None)


@contextmanager
def _pushing(settings: Settings, registry: CollectorRegistry | None) -> Iterator[None]:
    """Send the metrics to the Pushgateway now and then, if there is one."""
    if settings.pushgateway_url is None or registry is None:
        yield
        return
    with repeating(PUSH_SECONDS, partial(push, settings.pushgateway_url, registry), "push"):
        yield


def push(url: str, registry: CollectorRegistry) -> None:
    """Send the metrics to the Pushgateway once; one that cannot take them is logged, and asked again next time."""
    try:
        push_to_gateway(url, "iota", registry, timeout=_PUSH_TIMEOUT)
    except Exception as error:  # whatever it answers, the next attempt must come
        _log.warning("the Pushgateway %s did not take the metrics: %s: %s", url, type(error).__name__, error)
