"""Retention: hours of the lake's tables go after their days, whole.

What a table keeps is counted by event time. An hour that has gone is remembered: doing its batches again writes nothing
there, so that a backfill does not bring it back, until somebody asks for it. The ledger, the admissions and the alerts
of such an hour stay; its id files go like those of any quiet hour, and it needs none after that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.store import lake_upkeep
from iota_dagster.core.store.lake_upkeep import HourFiles

OTHERS = "*"
"""Stands for every table that has no days of its own."""
HOURS_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Retention:
    """Days by table; a table without any is kept for ever."""

    days: Mapping[str, int] = field(default_factory=dict)

    def of(self, table: str) -> timedelta | None:
        """How long a table's rows stay; None: for ever."""
        days = self.days.get(table, self.days.get(OTHERS))
        return None if days is None else timedelta(days=days)


def aged(lake: Lake, retention: Retention, now: datetime) -> list[HourFiles]:
    """The hours that one pass would take out, a few thousand at most of each table."""
    found: list[HourFiles] = []
    with lake.database.read() as connection:
        for table in lake_upkeep.stored_tables(connection):
            if keep := retention.of(table):
                before, limit = now - keep, HOURS_AT_ONCE
                found += lake_upkeep.aged_hours(connection, table, hour_of(before), before, limit)
    return found


def expire_aged(lake: Lake, retention: Retention, now: datetime) -> list[HourFiles]:
    """Take out what is due; those that this call took. Their files stay a day more, for readers that have begun."""
    return [item for item in aged(lake, retention, now) if lake.expire_hour(item.table, item.hour, now)]


def bring_back(lake: Lake, table: str, hours: Sequence[Hour], now: datetime) -> tuple[list[Hour], list[str]]:
    """Let expired hours of a table take rows again; the hours, and the batches that now wait for being done again.

    Their retention starts anew. Rows come back as far as the log objects can still be read. `SettingsError` when
    there is no such table.
    """
    log_types: dict[str, str | None] = {source.table: name for name, source in SOURCES.items()}
    log_types[alert_matches.TABLE] = None
    if table not in log_types:
        raise SettingsError(f"{table} is no table of the lake, there are: {', '.join(sorted(log_types))}")
    with lake.database.begin() as connection:
        return lake_upkeep.bring_back(connection, table, log_types[table], hours, now)
