"""`lake`: a batch's rows into the Parquet tables, by event hour."""

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress

import dagster as dg

from iota_dagster.core import event_times
from iota_dagster.core.errors import WorkFilesLost
from iota_dagster.core.model import Batch
from iota_dagster.core.road import Branch, Published, Road
from iota_dagster.defs.figures import Figures, Stopwatch, lag_histogram, lags, numbers, place
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
    log = BatchLog(context, platform.platform.settings)
    batches = road.to_publish(run_of(context, road), events.hours, Branch.LAKE)
    published = each(batches, log.around(road.publish))
    for item in published:
        log.fact("written into the lake", item.batch, rows=sum(item.rows.values()))
    touched = [key for item in published for key in (*item.rows, *item.changed)]
    written = report_tables(context, platform.platform, touched, [item.batch.id for item in published])
    metadata = written | _figures(published) | _time_figures(road, published) | watch.figures()
    settings = platform.platform.settings
    return dg.Output(None, metadata=metadata | {"location": place(settings, settings.lake_url)})


def _figures(published: Sequence[Published]) -> Figures:
    rows: Counter[str] = Counter()
    for item in published:
        for (name, _), count in item.rows.items():
            rows[name] += count
    by_table = {f"batch_rows_{name}": count for name, count in sorted(rows.items())}
    return numbers({"batches": len(published), "batch_rows": rows.total()} | by_table)


def _time_figures(road: Road, published: Sequence[Published]) -> Figures:
    """How long objects and events were on their way into the lake; of first revisions only."""
    new = [item.batch for item in published if item.batch.revision == 1]
    if not new:
        return {}
    shown = lags(road, [batch.id for batch in new])
    with suppress(WorkFilesLost):  # somebody has done the batch again meanwhile: a picture less
        shown |= lag_histogram("batch_event_age", event_times.of_work(road.work, _work_names(new), road.clock()))
    return shown


def _work_names(batches: Sequence[Batch]) -> list[str]:
    return [batch.work for batch in batches if batch.work is not None]
