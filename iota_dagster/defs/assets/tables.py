"""The lake's tables by event hour: reported by the runs that write into them; by hand, an hour is compacted."""

import dagster as dg
import pyarrow as pa

from iota_dagster.core.hours import parse_hour_key
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.tables import lake_tables, table_descriptions
from iota_dagster.defs.assets.alerting import alerts
from iota_dagster.defs.assets.lake import lake
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import hourly_asset, report_tables, waiting_out_outages


def _table(name: str, upstream: dg.AssetsDefinition, schema: pa.Schema, description: str) -> dg.AssetsDefinition:
    @hourly_asset(
        "lake",
        {"parquet"},
        name=name,
        deps=[upstream],
        description=f"{description} Materializing an hour by hand joins its files into one.",
        metadata={"dagster/column_schema": _column_schema(schema)},
    )
    def table(context: dg.AssetExecutionContext, platform: PlatformResource) -> dg.MaterializeResult[None]:
        hours = [parse_hour_key(key) for key in context.partition_keys]
        with waiting_out_outages():
            compacted = [hour for hour in hours if compact(platform.road.lake, name, hour, schema)]
            if platform.platform.catalog is not None:
                platform.platform.catalog.register([(name, hour) for hour in hours])
        report_tables(context, platform.road, [(name, hour) for hour in hours])
        return dg.MaterializeResult(metadata={"compacted_hours": len(compacted)})

    return table


def _column_schema(schema: pa.Schema) -> dg.TableSchema:
    return dg.TableSchema(
        [
            dg.TableColumn(
                item.name, str(item.type), description=(item.metadata or {}).get(b"description", b"").decode()
            )
            for item in schema
        ]
    )


TABLES: list[dg.AssetsDefinition] = [
    _table(name, alerts if name == alert_matches.TABLE else lake, schema, table_descriptions()[name])
    for name, schema in lake_tables().items()
]
