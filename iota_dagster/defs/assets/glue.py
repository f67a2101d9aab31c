"""`glue_partitions`: the event hours that a run has touched, in the Glue Data Catalog."""

from collections.abc import Iterator, Mapping

import dagster as dg

from iota_dagster.core.hours import hour_key
from iota_dagster.core.lake.catalog import Registered
from iota_dagster.defs.assets.alerting import alerts
from iota_dagster.defs.assets.lake import lake
from iota_dagster.defs.assets.tables import TABLES
from iota_dagster.defs.figures import Cell, Figures, Stopwatch, numbers, table
from iota_dagster.defs.glue_hours import register_hours
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import hourly_asset
from iota_dagster.settings import Settings

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
    watch = Stopwatch()
    registered = register_hours(context, platform.road, catalog)
    return dg.MaterializeResult(metadata=_figures(platform.platform.settings, registered) | watch.figures())


def _figures(settings: Settings, registered: Registered) -> Figures:
    changed = dict.fromkeys(registered.created, "created") | dict.fromkeys(registered.updated, "updated")
    values = {
        "tables": len(registered.tables),
        "partitions": len(registered.partitions),
        "partitions_created": len(registered.created),
        "partitions_updated": len(registered.updated),
    }
    rows: Iterator[Mapping[str, Cell]] = (
        {
            "table": name,
            "event_hour": hour_key(hour),
            "change": changed.get((name, hour), "none"),
            "location": registered.partitions[name, hour],
        }
        for name, hour in sorted(registered.partitions)
    )
    return {"glue_database": _database(settings)} | numbers(values) | table("event_hours", rows, limit=SHOWN)


def _database(settings: Settings) -> dg.MetadataValue:
    """The database, linked to the AWS console where it is AWS's own."""
    name = settings.glue_database or ""
    if settings.endpoint_url:
        return dg.MetadataValue.text(name)
    region = f"?region={settings.region}" if settings.region else ""
    return dg.MetadataValue.url(
        f"https://console.aws.amazon.com/glue/home{region}#/v2/data-catalog/databases/view/{name}"
    )
