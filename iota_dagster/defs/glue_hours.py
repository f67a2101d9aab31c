"""The event hours of a run in Glue; also where a step fails, so that `glue_partitions` does not come."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from iota_dagster.core.batch.road import Road
from iota_dagster.core.errors import IotaError
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.catalog import LakeCatalog, Registered
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import claims, lake_catalog
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import fails_for_good, hours_of, run_of


def register_hours(context: dg.AssetExecutionContext, road: Road, catalog: LakeCatalog) -> Registered:
    """Register what a run's batches have in the lake by now."""
    touched, rewritten = _touched(road, run_of(context, road), hours_of(context))
    return catalog.register([*touched, *(catalog.rewritten_hours() if rewritten else ())])


@contextmanager
def registered_though_it_fails(context: dg.AssetExecutionContext, platform: PlatformResource) -> Iterator[None]:
    """One batch that cannot be published must not keep the others' hours from Glue, run after run.

    The step that fails registers them, and so does `lake` when it comes after the one that has failed.
    """
    try:
        yield
    except Exception as error:
        if fails_for_good(context, error):
            platform.note_glue_skipped()
            _register_anyway(context, platform)
        raise
    if platform.is_glue_skipped:
        _register_anyway(context, platform)


def _register_anyway(context: dg.AssetExecutionContext, platform: PlatformResource) -> None:
    catalog = platform.platform.catalog
    if catalog is None:
        return
    try:
        register_hours(context, platform.road, catalog)
    except IotaError as error:
        context.log.error(f"what this run has written is not in Glue before the nightly comparison: {error}")


def _touched(road: Road, run: RunIdentity, hours: tuple[Hour, ...]) -> tuple[list[TableHour], bool]:
    """The table hours that hold rows of a run's batches, and whether one was done again: it may have left others.

    A run that claimed nothing (this asset launched alone) takes every batch of its hours.
    """
    with road.database.read() as connection:
        if claims.has_claimed(connection, run.root, hours):
            found = [item.batch for item in claims.assignments(connection, run.root, hours)]
        else:
            found = batch_store.batches_of_hours(connection, hours)
        tables = list(lake_tables())
        touched = [key for batch in found for key in lake_catalog.hours_of_batch(connection, batch.id, tables)]
    return touched, any(batch.revision > 1 for batch in found)
