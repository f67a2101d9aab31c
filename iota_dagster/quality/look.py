"""One look at the lake: which hours, what is wrong with them, and the alerts in line with it.

Looked at are the hours that have changed since they were looked at last, the newest first, and before them those that
are known to be wrong: a file that was repaired in its place changes nothing in the store.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from iota_dagster.core.alerting.standing import StandingAlerts
from iota_dagster.core.hours import Hour, hour_key, hour_of
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.quality.accounting import Accountant, HourAccount
from iota_dagster.core.quality.alarms import ACCOUNTS, QualityAlarms, account_matches, quality_matches
from iota_dagster.core.quality.files import FileReader
from iota_dagster.core.quality.looked import Looked
from iota_dagster.core.quality.reading import WHOLE_ROWS, read_hour
from iota_dagster.core.quality.results import HourQuality, Validator
from iota_dagster.core.quality.suite import Suite
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.store import accounting as store
from iota_dagster.core.store.accounting import TableState
from iota_dagster.core.store.lake_catalog import TableHour
from iota_dagster.platform import Platform

MOST_HOURS = 100
"""Hours of tables, and delivery hours, of one look; the next goes on with the rest."""
WATCHED = timedelta(days=7)
"""Delivery hours into which nothing was published for so long are not asked for."""
_Item = TypeVar("_Item")


@dataclass(frozen=True, slots=True)
class TablesLook:
    """The hours that were looked at, those known to be wrong that were not, and how many wait for the next look."""

    hours: tuple[HourQuality, ...]
    still_wrong: tuple[TableHour, ...]
    waiting: int


@dataclass(frozen=True, slots=True)
class AccountsLook:
    """The delivery hours that were looked at, those known to be wrong that were not, and how many wait."""

    hours: tuple[HourAccount, ...]
    still_wrong: tuple[Hour, ...]
    waiting: int


def look_at_tables(
    platform: Platform,
    validator: Validator,
    tables: Collection[str],
    now: datetime,
    *,
    most: int = MOST_HOURS,
    whole_rows: int = WHOLE_ROWS,
) -> TablesLook:
    """Look at some hours of some lake tables and bring the alerts in line. `Outage` leaves everything as it was.

    Of an hour with more than `whole_rows` rows a sample is examined, see `core.quality.reading`.
    """
    alarms = _alarms(platform)
    known = [item for item in alarms.hours() if item[0] in tables]
    due = [item for item in _due(platform, tables) if item not in set(known)]
    looked, found = dict[TableHour, int](), list[HourQuality]()
    waiting = iter([*_in_turn(known, most // 2, now), *due])
    for table, hour in waiting:
        state = _state(platform, table, hour)
        quality = _examined(platform, validator, (table, hour), state, whole_rows) if _is_there(state) else None
        if state.settled and _state(platform, table, hour).lake.version == state.lake.version:
            looked[table, hour] = state.lake.version
            found += [quality] if quality else []
        if len(looked) >= most:
            break
    alarms.replace(looked.keys(), quality_matches(found), now)
    _note(platform, looked)
    still_wrong = tuple(item for item in known if item not in looked)
    return TablesLook(tuple(found), still_wrong, sum(1 for _ in waiting))


def look_at_accounts(platform: Platform, now: datetime, *, most: int = MOST_HOURS) -> AccountsLook:
    """Look at the accounting of some delivery hours and bring the alerts in line. `Outage` leaves all as it was."""
    alarms = _alarms(platform)
    accountant = Accountant(platform.database, _reader(platform), {name: s.table for name, s in SOURCES.items()})
    with platform.database.read() as connection:
        marks = store.delivered_hours(connection, now - WATCHED)
    notes = Looked(platform.state, ACCOUNTS).read()
    known = [hour for name, hour in alarms.hours() if name == ACCOUNTS]
    due = sorted((hour for hour, mark in marks.items() if notes.get(hour) != mark and hour not in known), reverse=True)
    found, waiting = list[HourAccount](), iter([*_in_turn(known, most // 2, now), *due])
    for hour in waiting:
        account = accountant.account(hour)
        found += [account] if account else []
        if len(found) >= most:
            break
    alarms.replace({(ACCOUNTS, item.hour) for item in found}, account_matches(found), now)
    noted = notes | {item.hour: marks.get(item.hour, "") for item in found}
    Looked(platform.state, ACCOUNTS).write({hour: mark for hour, mark in noted.items() if hour in marks})
    still_wrong = tuple(hour for hour in known if hour not in {item.hour for item in found})
    return AccountsLook(tuple(found), still_wrong, sum(1 for _ in waiting))


def _in_turn(known: Sequence[_Item], most: int, now: datetime) -> list[_Item]:
    """So many of those known to be wrong, others each hour: what cannot be mended must not keep the rest unseen."""
    start = hour_of(now) * most % max(len(known), 1)
    return [*known[start:], *known[:start]][:most]


def _alarms(platform: Platform) -> QualityAlarms:
    return QualityAlarms(StandingAlerts(platform.database, platform.road.alerting.route))


def _reader(platform: Platform) -> FileReader:
    return FileReader(platform.lake)


def _due(platform: Platform, tables: Collection[str]) -> list[TableHour]:
    """The hours of some tables that have changed since they were looked at, the newest first."""
    found: list[TableHour] = []
    for table in tables:
        notes = Looked(platform.state, table).read()
        with platform.database.read() as connection:
            written = store.written_hours(connection, table)
            found += [(table, hour) for hour, version in written if notes.get(hour) != str(version)]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def _note(platform: Platform, looked: Mapping[TableHour, int]) -> None:
    for table in sorted({table for table, _ in looked}):
        notes = Looked(platform.state, table)
        notes.write(notes.read() | {hour: str(mark) for (name, hour), mark in looked.items() if name == table})


def _state(platform: Platform, table: str, hour: Hour) -> TableState:
    with platform.database.read() as connection:
        return store.table_state(connection, table, hour, _log_type(table))


def _is_there(state: TableState) -> bool:
    return state.settled and not state.lake.expired and state.lake.version > 0


def _examined(
    platform: Platform, validator: Validator, where: TableHour, state: TableState, whole_rows: int
) -> HourQuality:
    table, hour = where
    suite = Suite(table, hour, lake_tables()[table], _log_type(table))
    admitted = state.admitted if suite.log_type else None
    found = read_hour(_reader(platform), state.lake.files, suite, admitted, whole_rows)
    name = f"{table} {hour_key(hour)}"
    results = [*validator.facts(f"{name} facts", found.facts), *validator.rows(f"{name} rows", suite, found.frame)]
    return HourQuality(table, hour, found.rows, found.frame.num_rows, tuple(results))


def _log_type(table: str) -> str | None:
    """The log type of an event table; None for `alert_matches`."""
    return next((source.log_type for source in SOURCES.values() if source.table == table), None)
