"""The daily housekeeping."""

import dataclasses
from datetime import UTC, datetime

import dagster as dg

from iota_dagster.defs.resources.platform import PlatformResource


@dg.op
def remove_what_is_due(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Repair the catalog, then throw away old work files, id files of quiet hours and replaced lake files."""
    catalog = platform.platform.catalog
    if catalog is not None:  # first: a partition that still points to replaced files must not outlive them
        registered = catalog.register_all()
        context.log.info(f"catalog: {len(registered.created)} hours created, {len(registered.updated)} updated")
    removed = dataclasses.asdict(platform.platform.housekeeping.run(datetime.now(UTC)))
    context.log.info(", ".join(f"{name}: {count}" for name, count in removed.items()))


@dg.job(description="Throws away what nothing needs any more, and what can be made again.")
def maintenance() -> None:
    """One op: everything that is due."""
    remove_what_is_due()


MAINTENANCE = dg.ScheduleDefinition(
    job=maintenance, cron_schedule="17 3 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
SCHEDULES = [MAINTENANCE]
