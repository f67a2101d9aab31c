"""`glue_partitions`: the event hours that a run has touched, in the Glue Data Catalog."""

import dagster as dg

from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.lake.catalog import Registered
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.road import Road
from iota_dagster.core.store import batches as batch_store
from iota_dagster.core.store import claims, lake_catalog
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.defs.assets.alerting import alerts
from iota_dagster.defs.assets.lake import lake
from iota_dagster.defs.assets.tables import TABLES
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import hourly_asset, hours_of, run_of, waiting_out_outages

SHOWN = 50
"""Rows of the table in an hour's metadata."""


@hourly_asset("lake", {"glue"}, deps=[lake, alerts, *TABLES])
def glue_partitions(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult[None]:
    """A Glue partition per event hour of every table, pointing to the hour's current files.

    A run registers the event hours that its batches have rows in; what is right already is not written again. Without
    `glue_database` there is nothing to do.
    """
    catalog = platform.platform.catalog
    if catalog is None:
        context.log.info("glue_database is not set: nothing is registered in a catalog")
        return dg.MaterializeResult(metadata={"glue_database": "not set", "partitions": 0})
    road = platform.road
    with waiting_out_outages():
        touched, rewritten = _touched(road, run_of(context, road), hours_of(context))
        registered = catalog.register([*touched, *(catalog.rewritten_hours() if rewritten else ())])
    return dg.MaterializeResult(metadata=_figures(platform.platform.settings.glue_database or "", registered))


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


def _figures(database: str, registered: Registered) -> dict[str, dg.MetadataValue]:
    changed = dict.fromkeys(registered.created, "created") | dict.fromkeys(registered.updated, "updated")
    shown: dict[str, dg.MetadataValue] = {
        "glue_database": dg.MetadataValue.text(database),
        "tables": dg.MetadataValue.int(len(registered.tables)),
        "partitions": dg.MetadataValue.int(len(registered.partitions)),
        "partitions_created": dg.MetadataValue.int(len(registered.created)),
        "partitions_updated": dg.MetadataValue.int(len(registered.updated)),
    }
    records = [
        dg.TableRecord(
            {
                "table": table,
                "event_hour": hour_key(hour),
                "change": changed.get((table, hour), "none"),
                "location": registered.partitions[table, hour],
            }
        )
        for table, hour in sorted(registered.partitions)[:SHOWN]
    ]
    if records:
        shown["event_hours"] = dg.MetadataValue.table(records)
    return shown
