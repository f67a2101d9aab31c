"""The lake's tables by event hour: reported by the runs that write into them; by hand, an hour is compacted."""

from collections.abc import Sequence

import dagster as dg
import pyarrow as pa

from iota_dagster.core.errors import IotaError
from iota_dagster.core.hours import Hour, hour_key
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.tables import lake_tables, table_descriptions
from iota_dagster.core.observability import event_times
from iota_dagster.core.store import lake_catalog, summaries
from iota_dagster.defs.assets.alerting import alerts
from iota_dagster.defs.assets.lake import lake
from iota_dagster.defs.figures import Figures, Stopwatch, numbers, timeline
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import hourly_asset, hours_of, table_figures
from iota_dagster.log_types import own_log_types
from iota_dagster.platform import Platform
from iota_dagster.settings import load_settings


def _table(name: str, upstream: dg.AssetsDefinition, schema: pa.Schema, description: str) -> dg.AssetsDefinition:
    @hourly_asset(
        "tables",
        {"parquet"},
        name=name,
        deps=[upstream],
        description=f"{description} Materializing an hour by hand joins its files into one.",
        metadata={"dagster/column_schema": _column_schema(schema)},
    )
    def table(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult[None]:
        watch, hours = Stopwatch(), hours_of(context)
        compacted = [hour for hour in hours if compact(platform.road.lake, name, hour, schema)]
        if platform.platform.catalog is not None:
            platform.platform.catalog.register([(name, hour) for hour in hours])
        _report(context, platform.platform, name, hours)
        return dg.MaterializeResult(metadata=numbers({"compacted_hours": len(compacted)}) | watch.figures())

    return table


def _report(context: dg.AssetExecutionContext, platform: Platform, name: str, hours: Sequence[Hour]) -> None:
    """The totals of each hour on the hour's own materialization: what the UI shows is the newest one."""
    with platform.database.read() as connection:
        found = summaries.table_hours(connection, [(name, hour) for hour in hours], ())
    for (_, hour), files in found.items():
        shown = table_figures(platform.settings, name, hour, files) | _picture(context, platform, name, hour)
        context.add_asset_metadata(shown, partition_key=hour_key(hour))


def _picture(context: dg.AssetExecutionContext, platform: Platform, name: str, hour: Hour) -> Figures:
    """The hour's events by the minute; a file that cannot be read costs the picture, and is told of."""
    with platform.database.read() as connection:
        paths = [file.path for file in lake_catalog.files_of(connection, name, hour)]
    try:
        times = event_times.of_files(platform.road.lake.storage, paths, platform.road.clock())
    except IotaError as error:
        context.log.warning(f"{name} {hour_key(hour)}: not all of its files can be read: {error}")
        return {}
    return timeline("events_over_time", times, [hour])


def _column_schema(schema: pa.Schema) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                item.name, str(item.type), description=(item.metadata or {}).get(b"description", b"").decode()
            )
            for item in schema
        ]
    )


own_log_types(load_settings())

TABLES: list[dg.AssetsDefinition] = [
    _table(name, alerts if name == alert_matches.TABLE else lake, schema, table_descriptions()[name])
    for name, schema in lake_tables().items()
]
