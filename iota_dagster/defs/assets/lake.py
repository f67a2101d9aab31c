"""`lake`: a batch's rows into the Parquet tables, by event hour."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

import dagster as dg

from iota_dagster.core.batch.road import Branch, Published, Road
from iota_dagster.core.errors import WorkFilesLost
from iota_dagster.core.observability import event_times
from iota_dagster.core.observability.event_times import EventTimes
from iota_dagster.core.sources import source_of
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.defs.figures import Figures, Stopwatch, lag_histogram, lags, numbers, place, timeline
from iota_dagster.defs.glue_hours import registered_though_it_fails
from iota_dagster.defs.logs import BatchLog
from iota_dagster.defs.resources.batch_handles import HourBatches
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import each, hourly_asset, report_tables, run_of


@hourly_asset("lake", {"parquet"})
def lake(context: dg.AssetExecutionContext, platform: PlatformResource, events: HourBatches) -> dg.Output[None]:
    """The hour's committed events, written into every table in one pass.

    The rows lie by event hour, so that a run of 10:00 mostly writes into 09:00 and 10:00; each table it wrote into is
    reported with that event hour's totals.
    """
    watch, road = Stopwatch(), platform.road
    log, run = BatchLog(context), run_of(context, road)
    with road.at_work(run), registered_though_it_fails(context, platform):
        published = each(road.to_publish(run, events.hours, Branch.LAKE), log.around(road.publish))
    for item in published:
        log.fact("written into the lake", item.batch, rows=sum(item.rows.values()))
    touched = [key for item in published for key in (*item.rows, *item.changed)]
    times = _times(road, published)
    ids = [item.batch.id for item in published]
    written = report_tables(context, platform.platform, touched, ids, partial(_over_time, times))
    metadata = written | _figures(published) | _time_figures(road, published, times) | watch.figures()
    settings = platform.platform.settings
    return dg.Output(None, metadata=metadata | {"location": place(settings, settings.lake_url)})


def _figures(published: Sequence[Published]) -> Figures:
    rows: Counter[str] = Counter()
    for item in published:
        for (name, _), count in item.rows.items():
            rows[name] += count
    by_table = {f"batch_rows_{name}": count for name, count in sorted(rows.items())}
    return numbers({"batches": len(published), "batch_rows": rows.total()} | by_table)


def _time_figures(road: Road, published: Sequence[Published], times: Mapping[str, EventTimes]) -> Figures:
    """How long objects and events were on their way into the lake; only where nothing was done again."""
    if not published or any(item.batch.revision > 1 for item in published):
        return {}
    age = lag_histogram("batch_event_age", event_times.sum_of(times.values(), road.clock()))
    return lags(road, [item.batch.id for item in published]) | age


def _times(road: Road, published: Sequence[Published]) -> dict[str, EventTimes]:
    """When the events happened, by table; nothing where somebody has done a batch again meanwhile."""
    names = [item.batch.work for item in published if item.batch.work is not None]
    with suppress(WorkFilesLost):
        found = event_times.by_log_type(road.work, names, road.clock())
        return {source_of(log_type).table: times for log_type, times in found.items()}
    return {}


def _over_time(times: Mapping[str, EventTimes], key: TableHour) -> Figures:
    """What a run adds to an hour of a table, by the minute."""
    table, hour = key
    return timeline("batch_events_over_time", times[table], [hour]) if table in times else {}
