"""`iota demo --once`: the last day's traffic through queue, ledger and assets, in this process, and an end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from iota_dagster.core.model import Alert
from iota_dagster.core.store import ledger
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.demo.question import Catalog, ask
from iota_dagster.demo.stage import Stage, Tell, stage
from iota_dagster.home import prepare_home
from iota_dagster.ingesting import Summary, ingest_pending
from iota_dagster.platform import Platform, open_platform


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demo did; none of it is there any more."""

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
    _take_in(platform, tell)
    summary = ingest_pending(platform, lambda done, total: tell(f"log objects: {done:,} of {total:,}"))
    tell("asking the lake")
    with platform.database.read() as connection:
        alerts = sorted(list_alerts(connection, summary.alerts), key=_moment)
        accounts = ledger.count_accounts(connection)
    return Demo(summary, tuple(alerts), ask(platform), accounts, Catalog(here.settings).partitions())


def _take_in(platform: Platform, tell: Tell) -> None:
    """Take all messages from the queue into the ledger."""
    assert platform.queue is not None, "the demo's settings name a queue"
    objects = 0
    while (taken := platform.intake.drain(platform.queue, 0, platform.settings.queue_messages)).received:
        objects += taken.objects
        tell(f"messages name {objects:,} log objects")


def _moment(alert: Alert) -> tuple[datetime, str]:
    return alert.first_event_time, alert.id
