"""What every asset's few lines share: who is running, over which hours, and how an outage is waited out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import dagster as dg

from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, hour_key, parse_hour_key
from iota_dagster.core.road import Road
from iota_dagster.core.store import lake_catalog, ledger
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.defs.partitions import BACKFILL, HOURLY

CLAIM_TAG = "iota/claim"
"""On runs that only add what is new; a run without it (UI, backfill) does its hours again as well."""
BACKLOG_TAG = "iota/backlog"
"""On runs of hours long past: they leave room for what arrives now."""

OWNERS = ["team:detection"]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def hourly_asset(group: str, kinds: set[str], **more: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` with what all assets have in common: hours, backfills of a day per run, owners, the hand-over."""
    decorate: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        partitions_def=HOURLY,
        backfill_policy=BACKFILL,
        group_name=group,
        kinds=kinds,
        owners=OWNERS,
        io_manager_key="batches",
        **more,
    )
    return decorate


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
        raise dg.RetryRequested(max_retries=5, seconds_to_wait=10) from error


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


def add_hour_totals(context: dg.AssetExecutionContext, road: Road) -> None:
    """Each delivery hour's totals over all its batches, beside the figures of this run's."""
    for hour in hours_of(context):
        with road.database.read() as connection:
            totals = ledger.hour_totals(connection, hour)
        context.add_asset_metadata(
            {f"hour_{name}": value for name, value in totals.items()}, partition_key=hour_key(hour)
        )


def report_tables(context: dg.AssetExecutionContext, road: Road, touched: Iterable[TableHour]) -> None:
    """Tell Dagster which event hours of which tables hold something new, with those hours' totals."""
    for table, hour in sorted(set(touched)):
        key = hour_key(hour)
        if not HOURLY.has_partition_key(key):
            context.log.warning(f"{table} {key} lies outside the partitions; partitions_start decides where they begin")
            continue
        with road.database.read() as connection:
            rows, size, files = lake_catalog.hour_rows(connection, table, hour)
        metadata = {"dagster/row_count": rows, "bytes": size, "files": files}
        context.log_event(dg.AssetMaterialization(table, partition=key, metadata=metadata))
