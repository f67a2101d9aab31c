"""What every asset's few lines share: who is running, over which hours, and how an outage is waited out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg
import sqlalchemy as sa

from iota_dagster.core.batch.road import Road
from iota_dagster.core.correlating.results import NotPublished
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, hour_folder, hour_key, parse_hour_key
from iota_dagster.core.store import summaries
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.core.store.summaries import HourFiles
from iota_dagster.defs.figures import Cell, Figures, numbers, place, table
from iota_dagster.defs.partitions import BACKFILL, HOURLY
from iota_dagster.defs.step_spans import in_a_span
from iota_dagster.platform import Platform
from iota_dagster.settings import Settings

CLAIM_TAG = "iota/claim"
"""On runs that only add what is new; a run without it (UI, backfill) does its hours again as well."""
BACKLOG_TAG = "iota/backlog"
"""On runs of hours long past: they leave room for what arrives now."""

FIRST = {"dagster/priority": "10"}
"""On the steps that lead to an alert: people are told before the lake is written."""
OWNERS = ["team:detection"]
EVENT_HOURS = 25
"""Rows of the table of event hours that a run has written into: a day's and one."""
OUTAGE_RETRIES = 5
"""How often a step is tried again that an outage has stopped."""
OUTAGE_SECONDS = 10
"""How long it waits before that."""
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def hourly_asset(group: str, kinds: set[str], **more: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` with what all assets have in common: hours, backfills of a day per run, hand-over, outages, traces."""
    decorate: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        partitions_def=HOURLY,
        backfill_policy=BACKFILL,
        group_name=group,
        kinds=kinds,
        owners=OWNERS,
        io_manager_key="batches",
        **more,
    )
    return lambda compute: decorate(waiting_out_outages()(in_a_span(compute)))


def run_of(context: dg.AssetExecutionContext, road: Road) -> RunIdentity:
    """This process, working for the run's root run: a retry goes on with its work."""
    return road.run_identity(context.run.root_run_id or context.run.run_id)


def hours_of(context: dg.AssetExecutionContext) -> tuple[Hour, ...]:
    """The run's partitions: one hour, or the hours of a range."""
    return tuple(parse_hour_key(key) for key in context.partition_keys)


@contextmanager
def waiting_out_outages() -> Iterator[None]:
    """An outage is nobody's fault: the step waits and tries again before the run fails."""
    try:
        yield
    except Outage as error:
        raise dg.RetryRequested(max_retries=_retries(error), seconds_to_wait=OUTAGE_SECONDS) from error


def fails_for_good(context: dg.AssetExecutionContext, error: Exception) -> bool:
    """Whether a step is not tried again after an error."""
    tries = getattr(context, "retry_number", 0)  # a context that was built by hand has none
    return not isinstance(error, Outage) or tries >= _retries(error)


def _retries(error: Outage) -> int:
    """A correlation rule's hour that the lake does not take is the next run's, or `follow_up`'s, to try again.

    Every run meets it, of whatever hour: each would be held up by the whole wait.
    """
    return 1 if isinstance(error, NotPublished) else OUTAGE_RETRIES


def each(items: Iterable[_Item], work: Callable[[_Item], _Result]) -> list[_Result]:
    """The work on every item; one that fails does not keep the others from theirs, and is raised at the end."""
    results, errors = [], []
    for item in items:
        try:
            results.append(work(item))
        except Exception as error:
            errors.append(error)
    if errors:
        raise errors[0]
    return results


def add_hour_figures(
    context: dg.AssetExecutionContext, road: Road, figures: Callable[[sa.Connection, Hour], Figures]
) -> None:
    """What the store says of each delivery hour over all its batches, beside the figures of this run's."""
    for hour in hours_of(context):
        with road.database.read() as connection:
            found = figures(connection, hour)
        context.add_asset_metadata(found, partition_key=hour_key(hour))


def hour_numbers(values: Mapping[str, int]) -> Figures:
    """Totals of a delivery hour under the names that all assets use for them."""
    return numbers({f"hour_{name}": value for name, value in values.items()})


def report_tables(
    context: dg.AssetExecutionContext,
    platform: Platform,
    touched: Iterable[TableHour],
    batch_ids: Sequence[str],
    more: Callable[[TableHour], Figures] = lambda _: {},
) -> Figures:
    """Tell Dagster which event hours of which tables hold something new, with those hours' totals.

    `batch_ids` are this run's; the figures of what they wrote are returned for the asset that did it. `more` is what
    it wants to show of an hour beside the totals.
    """
    with platform.database.read() as connection:
        found = summaries.table_hours(connection, touched, batch_ids)
    for (name, hour), files in found.items():
        if not HOURLY.has_partition_key(hour_key(hour)):
            context.log.warning(
                f"{name} {hour_key(hour)} lies outside the partitions; partitions_start decides where they begin"
            )
            continue
        metadata = table_figures(platform.settings, name, hour, files) | more((name, hour))
        context.log_event(dg.AssetMaterialization(name, partition=hour_key(hour), metadata=metadata))
    return _touched_figures(found)


def table_figures(settings: Settings, name: str, hour: Hour, files: HourFiles) -> Figures:
    """What an event hour of a lake table holds, how much of it this run has written, and where it lies."""
    values = {"dagster/row_count": files.rows, "bytes": files.bytes, "files": files.files}
    mine = {"batch_rows": files.batch_rows, "batch_bytes": files.batch_bytes} if files.batch_rows else {}
    return numbers(values | mine) | {"location": place(settings, f"{settings.lake_url}/{name}/{hour_folder(hour)}")}


def _touched_figures(found: Mapping[TableHour, HourFiles]) -> Figures:
    """The event hours a run has written into, the newest first: where late events went is seen at a glance."""
    newest = sorted(found, key=lambda key: (-key[1], key[0]))
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "table": name,
            "event_hour": hour_key(hour),
            "batch_rows": found[name, hour].batch_rows,
            "rows": found[name, hour].rows,
            "files": found[name, hour].files,
        }
        for name, hour in newest
    )
    sums = {
        "batch_rows": sum(item.batch_rows for item in found.values()),
        "batch_bytes": sum(item.batch_bytes for item in found.values()),
        "batch_event_hours": len({hour for _, hour in found}),
    }
    return numbers(sums) | table("event_hours", rows, limit=EVENT_HOURS)
