"""`iota serve`: metrics and probes over HTTP."""

from __future__ import annotations

import click


@click.command("serve")
@click.option("--host", help="The address to listen on. [default: metrics_host, 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65_535), help="The port. [default: metrics_port, 9477]")
def command(host: str | None, port: int | None) -> None:
    """Serve /metrics for Prometheus, /health and /ready for Kubernetes, until the process is ended.

    /metrics has to be switched on: enable_metrics, or ENABLE_METRICS=true. Nobody is asked for a password, so listen
    only where you trust everybody.
    """
    from iota_dagster.server import serve
    from iota_dagster.settings import load_settings

    given = {"metrics_host": host, "metrics_port": port}
    serve(load_settings().model_copy(update={name: value for name, value in given.items() if value is not None}))
