"""`lake`: a batch's rows into the Parquet tables, by event hour."""

import dagster as dg

from iota_dagster.core.road import Branch
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import each, hourly_asset, report_tables, run_of, waiting_out_outages


@hourly_asset("lake", {"parquet"})
def lake(context: dg.AssetExecutionContext, platform: PlatformResource, events: HourBatches) -> dg.Output[None]:
    """The hour's committed events, written into every table in one pass.

    The rows lie by event hour, so that a run of 10:00 mostly writes into 09:00 and 10:00; each table it wrote into is
    reported with that event hour's totals.
    """
    road = platform.road
    batches = road.to_publish(run_of(context, road), events.hours, Branch.LAKE)
    with waiting_out_outages():
        published = each(batches, road.publish)
    report_tables(context, road, [key for item in published for key in (*item.rows, *item.changed)])
    rows: dict[str, int] = {}
    for item in published:
        for (table, _), count in item.rows.items():
            rows[table] = rows.get(table, 0) + count
    metadata = {"batches": len(published), "batch_rows": sum(rows.values())}
    return dg.Output(None, metadata=metadata | {f"batch_rows_{table}": count for table, count in sorted(rows.items())})
