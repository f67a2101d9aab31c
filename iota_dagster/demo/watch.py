"""What one sees while the demo runs: the store's figures, its alerts, and how long each took."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.errors import Outage
from iota_dagster.core.model import Alert
from iota_dagster.core.store import summaries
from iota_dagster.core.store.alerts import events_of, list_alerts
from iota_dagster.demo.processes import answers
from iota_dagster.demo.question import Catalog, ask
from iota_dagster.demo.stage import Stage
from iota_dagster.demo.traffic import Uploads
from iota_dagster.platform import Platform

ASK_SECONDS = 12.0
"""How often lake and catalog are asked: it costs about as much as a run."""
_MOST = 200
_FIGURES = ("objects", "records", "events", "duplicates", "quarantined", "matches", "alerts")


@dataclass(frozen=True, slots=True)
class Found:
    """An alert, the seconds to it from the put of the event that made it one, and whether that was live traffic."""

    alert: Alert
    seconds: float | None
    live: bool


@dataclass(frozen=True, slots=True)
class View:
    """One moment of the demo."""

    started: datetime
    now: datetime
    folder: Path
    ui: str
    ui_answers: bool = False
    put: int = 0
    figures: Mapping[str, int] = field(default_factory=dict)
    found: Sequence[Found] = ()
    first_alert: datetime | None = None
    glue_partitions: int = 0
    answer: pa.Table | None = None

    @property
    def seconds(self) -> float:
        """Since the start."""
        return (self.now - self.started).total_seconds()

    @property
    def first_alert_seconds(self) -> float | None:
        """From the start to the first alert; None before."""
        return (self.first_alert - self.started).total_seconds() if self.first_alert else None

    @property
    def live_seconds(self) -> list[float]:
        """How long the alerts of the live traffic took."""
        return [item.seconds for item in self.found if item.live and item.seconds is not None]

    @property
    def latency(self) -> str:
        """The live alerts' latency in words; empty without one."""
        if not (taken := self.live_seconds):
            return ""
        return f"live alerts after {statistics.median(taken):.1f} s (median), {max(taken):.1f} s at most"


class Watch:
    """Looks at the store each time it is asked, and at lake and catalog now and then, in the background."""

    def __init__(self, platform: Platform, here: Stage, started: datetime, ui: str) -> None:
        """`started` is when somebody pressed enter, `ui` where Dagster's pages will be."""
        self._platform, self._uploads, self._catalog = platform, here.uploads, Catalog(here.settings)
        self._view = View(started, datetime.now(UTC), here.folder, ui)
        self._pool = ThreadPoolExecutor(1, "watch")
        self._asking: Future[tuple[pa.Table | None, int]] | None = None
        self._asked = time.monotonic()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def look(self) -> View:
        """How it stands now."""
        database, uploads = self._platform.database, self._uploads
        with database.read() as connection:
            totals = summaries.totals(connection)
            alerts = list_alerts(connection, _MOST)
            events = events_of(connection, [item.id for item in alerts])
        self._view = replace(
            self._view,
            now=datetime.now(UTC),
            put=uploads.objects,
            figures={name: totals[name] for name in _FIGURES},
            found=[_found(alert, [uploads.put_at(name) for name in events[alert.id]], uploads) for alert in alerts],
            ui_answers=self._view.ui_answers or answers(self._view.ui),
        )
        if self._view.first_alert is None and alerts:
            self._view = replace(self._view, first_alert=min(item.created_at for item in alerts if item.created_at))
        self._ask_now_and_then()
        return self._view

    def _ask_now_and_then(self) -> None:
        if self._asking is not None and self._asking.done():
            answer, partitions = self._asking.result()
            self._view, self._asking = replace(self._view, answer=answer, glue_partitions=partitions), None
        if self._asking is None and time.monotonic() - self._asked >= ASK_SECONDS:
            self._asked = time.monotonic()
            self._asking = self._pool.submit(self._ask)

    def _ask(self) -> tuple[pa.Table | None, int]:
        try:
            return ask(self._platform), self._catalog.partitions()
        except Outage:  # it is busy; what was known stays
            return self._view.answer, self._view.glue_partitions


def _found(alert: Alert, puts: Iterable[datetime | None], uploads: Uploads) -> Found:
    """The last event before the alert is the one that made it; later ones only joined it."""
    created = alert.created_at
    before = [moment for moment in puts if moment and created and moment <= created]
    if created is None or not before:
        return Found(alert, None, False)
    last, since = max(before), uploads.live_since
    return Found(alert, (created - last).total_seconds(), since is not None and last >= since)
