"""The daily housekeeping."""

from datetime import UTC, datetime, timedelta

import dagster as dg
from sqlalchemy.exc import OperationalError

from iota_dagster.core.errors import Outage
from iota_dagster.defs.dagster_retention import forget_runs, forget_ticks
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.steps import waiting_out_outages
from iota_dagster.housekeeping import keep_house


@dg.op
@waiting_out_outages()
def remove_what_is_due(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Repair the catalog, join small files, apply the lake's retention, throw away what nothing needs any more."""
    now = datetime.now(UTC)
    done = keep_house(platform.platform, now, say=context.log.info)
    context.log.info(f"hours compacted: {len(done.compacted)}, hours past their days: {len(done.expired)}")
    context.log.info(", ".join(f"{name}: {count}" for name, count in done.removed.counts().items()))


@dg.op(ins={"after": dg.In(dg.Nothing)})
@waiting_out_outages()
def forget_old_runs(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Delete Dagster's runs that later ones have superseded, with their events."""
    now = datetime.now(UTC)
    days = timedelta(days=platform.platform.settings.dagster_runs_days)
    try:
        runs = forget_runs(context.instance, now - days)
        forget_ticks(context.instance, now)
    except OperationalError as error:
        raise Outage(f"Dagster's storage did not answer: {error.orig}") from error
    context.log.info(f"runs deleted: {runs.deleted}, kept since they show what an hour holds: {runs.kept}")


@dg.job(description="Joins small files, and throws away what nothing needs any more or what can be made again.")
def maintenance() -> None:
    """First iota's own, then Dagster's history."""
    forget_old_runs(after=remove_what_is_due())


MAINTENANCE_SCHEDULE = dg.ScheduleDefinition(
    job=maintenance, cron_schedule="17 3 * * *", default_status=dg.DefaultScheduleStatus.RUNNING
)
