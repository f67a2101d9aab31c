"""A span around every step of a run, where runs are traced."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import dagster as dg

from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.traces import Attributes, step

FIGURES = (
    "batches",
    "batch_objects",
    "batch_bytes",
    "batch_records",
    "batch_rows",
    "batch_duplicates",
    "batch_quarantined",
    "batch_events",
    "batch_matches",
    "alerts_created",
    "sent",
    "retried",
    "failed",
    "partitions",
)
"""The figures of a step that its span shows, without `batch_`, where it has them: all are counts."""


def in_a_span(compute: Callable[..., Any]) -> Callable[..., Any]:
    """An asset's function that takes the resource `platform`, in a span with its run, hours, batches and figures."""

    @wraps(compute)
    def traced(context: dg.AssetExecutionContext, *inputs: Any, platform: PlatformResource, **more: Any) -> Any:
        if platform.traces is None:
            return compute(context, *inputs, platform=platform, **more)
        root = context.run.root_run_id or context.run.run_id
        with step(platform.traces, root, context.asset_key.to_user_string(), _place(context)) as span:
            result = compute(context, *inputs, platform=platform, **more)
            span.set_attributes(_shown(result))
            return result

    return traced


def _place(context: dg.AssetExecutionContext) -> Attributes:
    return {
        "iota.run.id": context.run.run_id,
        "iota.run.job": context.run.job_name,
        "iota.run.retry": context.retry_number,
        "iota.hours": list(context.partition_keys),
    }


def _shown(result: dg.Output[Any] | dg.MaterializeResult[Any]) -> Attributes:
    metadata = result.metadata or {}
    found = {name: getattr(metadata.get(name), "value", metadata.get(name)) for name in FIGURES}
    return {f"iota.{name.removeprefix('batch_')}": value for name, value in found.items() if isinstance(value, int)}
