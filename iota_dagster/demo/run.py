"""The demo's own logic: fresh logs under the home, brought in through the real assets, and one question about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.lake.query import query
from iota_dagster.core.model import Alert
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.demo.cloudtrail import Generated, generate
from iota_dagster.home import prepare_home
from iota_dagster.ingesting import Progress, Summary, ingest_pending, register_path
from iota_dagster.platform import open_platform
from iota_dagster.settings import Settings, load_settings

HOURS = 6
EVENTS_PER_HOUR = 1_700
QUESTION = "What else came from the addresses behind the alerts?"
SQL = """\
SELECT sourceIPAddress AS address, split_part(eventSource, '.', 1) AS service, COUNT(*) AS calls,
       COUNT(COALESCE(errorCode, errorMessage)) AS failed,
       strftime(MIN(p_event_time), '%H:%M') AS since, strftime(MAX(p_event_time), '%H:%M') AS until
FROM cloudtrail_events
WHERE sourceIPAddress IN (
    SELECT sourceIPAddress FROM cloudtrail_events WHERE p_event_id IN (
        SELECT event_id FROM alert_matches WHERE alert_id IN (SELECT id FROM alerts)))
GROUP BY ALL ORDER BY MIN(p_event_time), service LIMIT 30"""


@dataclass(frozen=True, slots=True)
class Demo:
    """What a demo did; `generated` is None when the home already held the logs of this hour."""

    settings: Settings
    folder: Path
    generated: Generated | None
    summary: Summary
    alerts: tuple[Alert, ...]
    answer: pa.Table


def run_demo(schemas: Mapping[str, pa.Schema], progress: Progress, now: datetime | None = None) -> Demo:
    """Write logs up to the last full hour, ingest them, collect the new alerts and answer `SQL` over the lake.

    `schemas` are the lake's tables, as for `query`. Run again on the same home it writes the hours since the last
    time, or nothing; what was read before adds nothing.
    """
    settings = load_settings()
    prepare_home(settings)
    platform = open_platform(settings)
    folder = settings.home / "demo"
    try:
        started = datetime.now(UTC)
        generated = write_logs(folder, hour_of(now or started))
        for trail in sorted(path for path in (folder / "logs").iterdir() if path.is_dir()):
            register_path(platform, trail)
        summary = ingest_pending(platform, progress)
        with platform.database.read() as connection:
            found = list_alerts(connection, summary.alerts)
        answer = query(platform.database, platform.lake, SQL, schemas=schemas)
    finally:
        platform.database.dispose()
    fresh = [alert for alert in found if alert.created_at is None or alert.created_at >= started]
    return Demo(settings, folder / "logs", generated, summary, tuple(sorted(fresh, key=_moment)), answer)


def write_logs(folder: Path, until: Hour) -> Generated | None:
    """Write the logs of the hours before `until` that a last demo has not written yet, `HOURS` at most.

    The hour is the seed: a demo that was interrupted writes the same bytes again, one of another hour other events.
    """
    mark = folder / "written_until"
    hours = min(until - _last(mark), HOURS)
    if hours <= 0:
        return None
    generated = generate(
        folder / "logs", until=hour_start(until), hours=hours, events=hours * EVENTS_PER_HOUR, seed=until
    )
    mark.write_text(f"{until}\n", encoding="ascii")
    return generated


def _last(mark: Path) -> Hour:
    """The hour that a last demo wrote up to; 0 without one, or when its mark was torn."""
    try:
        return int(mark.read_text(encoding="ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def _moment(alert: Alert) -> tuple[datetime, str]:
    return alert.first_event_time, alert.id
