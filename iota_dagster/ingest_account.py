"""What the runs of one command have added: counted by the batches that they worked on, whatever others do meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.alert_matches import TABLE as MATCHES
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.store import summaries
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.summaries import Brought


@dataclass(frozen=True, slots=True)
class Before:
    """What the batches of some delivery hours had brought before a run over them."""

    hours: Sequence[Hour]
    brought: dict[str | None, Brought]


class RunAccount:
    """Counts run by run: what a run's batches have brought when it has ended, less what they had before.

    Correlation rules look at the matches of all batches at once: whose batch it was that completed one cannot be said.
    So all that they found while this account was open is counted, be it in a run of somebody else.
    """

    def __init__(self, database: Database) -> None:
        """Open the account now."""
        self._database, self._opened = database, datetime.now(UTC)
        self._batches: set[str] = set()
        self._figures, self._rows = Counter[str](), Counter[str]()
        with database.read() as connection:
            self._correlated = summaries.correlation_matches(connection)

    def before(self, hours: Sequence[Hour]) -> Before:
        """Look before a run over some delivery hours."""
        with self._database.read() as connection:
            return Before(hours, summaries.brought(connection, hours))

    def add(self, before: Before, run_id: str) -> None:
        """Look again when the run has ended, and count what it has added."""
        with self._database.read() as connection:
            mine = summaries.batches_of_run(connection, run_id)
            now = summaries.brought(connection, before.hours)
        self._batches |= mine
        for batch in (*mine, None):
            for sign, found in ((1, now), (-1, before.brought)):
                self._count(sign, found.get(batch, Brought()))

    @property
    def has_worked(self) -> bool:
        """Whether the command's runs had a batch to work on."""
        return bool(self._batches)

    def totals(self) -> dict[str, Any]:
        """What was added since the account was opened; `rows` by lake table, without tables that did not change."""
        with self._database.read() as connection:
            correlated = summaries.correlation_matches(connection) - self._correlated
            alerts = summaries.new_alerts(connection, self._opened, self._batches)
        figures = {name: self._figures[name] for name in summaries.BROUGHT}
        figures["matches"] += correlated
        rows = {**self._rows, MATCHES: figures["matches"]}
        return figures | {"alerts": alerts, "rows": {table: count for table, count in sorted(rows.items()) if count}}

    def _count(self, sign: int, found: Brought) -> None:
        for name, value in found.figures.items():
            self._figures[name] += sign * value
        for log_type, value in found.rows.items():
            self._rows[_table(log_type)] += sign * value


def _table(log_type: str) -> str:
    source = SOURCES.get(log_type)
    return source.table if source else log_type  # a type that somebody has just taken out of the settings
