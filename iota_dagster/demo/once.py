"""`iota demo --once`: the last day's traffic through queue, ledger and assets, in this process, and an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from iota_dagster.core.model import Alert
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.demo.question import Catalog, ask, count_accounts
from iota_dagster.demo.stage import Stage, Tell, stage
from iota_dagster.home import prepare_home
from iota_dagster.ingesting import Summary, ingest_pending
from iota_dagster.platform import Platform, open_platform


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demo did; none of it is there any more."""

    objects: int
    summary: Summary
    alerts: tuple[Alert, ...]
    answer: pa.Table
    accounts: int
    glue_partitions: int


def run_once(tell: Tell) -> Demo:
    """Bring a day of three accounts into a lake, and tell what was found in it.

    The AWS that it plays in is new each time and ends with it, and so does the home: see `demo.home`.
    """
    with stage(tell) as here:
        tell(f"putting {len(here.generated.files):,} log objects into four buckets")
        here.uploads.put_all(here.generated.files)
        prepare_home(here.settings)
        platform = open_platform(here.settings)
        try:
            return _run(platform, here, tell)
        finally:
            platform.database.dispose()


def _run(platform: Platform, here: Stage, tell: Tell) -> Demo:
    taken = take_in(platform, tell)
    summary = ingest_pending(platform, lambda done, total: tell(f"log objects: {done:,} of {total:,}"))
    tell("asking the lake")
    with platform.database.read() as connection:
        alerts = sorted(list_alerts(connection, summary.alerts), key=_moment)
    return Demo(
        taken, summary, tuple(alerts), ask(platform), count_accounts(platform), Catalog(here.settings).partitions()
    )


def take_in(platform: Platform, tell: Tell) -> int:
    """Take all messages from the queue into the ledger; how many objects they named."""
    assert platform.queue is not None, "the demo's settings name a queue"
    objects = 0
    while (taken := platform.intake.drain(platform.queue, 0, platform.settings.queue_messages)).received:
        objects += taken.objects
        tell(f"messages name {objects:,} log objects")
    return objects


def _moment(alert: Alert) -> tuple[datetime, str]:
    return alert.first_event_time, alert.id
