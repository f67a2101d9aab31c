"""One look at the lake: which hours, what is wrong with them, and the alerts in line with it.

Looked at are the hours that have changed since they were looked at last, as soon as they rest, the newest first. Before
them come those that are known to be wrong: a file that was repaired in its place changes nothing in the store.
"""

from __future__ import annotations

from collections import Counter
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
from iota_dagster.core.quality.looked import Looked, Note
from iota_dagster.core.quality.reading import WHOLE_ROWS, read_hour
from iota_dagster.core.quality.resting import has_rested
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
    """What was found in the hours that were `looked` at, but for those that are gone: retention took them.

    `still_wrong` are hours known to be wrong that were not looked at, with the checks that they failed; `waiting` is,
    by table, how many others have changed or are known to be wrong: they do not rest, or this look was full.
    """

    hours: tuple[HourQuality, ...]
    looked: frozenset[TableHour]
    still_wrong: Mapping[TableHour, frozenset[str]]
    waiting: Counter[str]


@dataclass(frozen=True, slots=True)
class AccountsLook:
    """As `TablesLook`, of delivery hours, none of which is ever gone."""

    hours: tuple[HourAccount, ...]
    still_wrong: Mapping[Hour, frozenset[str]]
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
    known = {item: checks for item, checks in alarms.wrong().items() if item[0] in tables}
    changed = _changed_tables(platform, tables)
    queue = [*_in_turn(list(known), most // 2, now), *(item for item in changed if item not in known)]
    looked, found = dict[TableHour, int](), list[HourQuality]()
    for table, hour in queue:
        if len(looked) >= most:
            break
        if (table, hour) not in known and not _table_rests(platform, (table, hour), changed[table, hour], now):
            continue
        state = _state(platform, table, hour)
        quality = _examined(platform, validator, (table, hour), state, whole_rows) if _is_there(state) else None
        if state.settled and _state(platform, table, hour).lake.version == state.lake.version:
            looked[table, hour] = state.lake.version
            found += [quality] if quality else []
    alarms.replace(looked.keys(), quality_matches(found), now)
    _note(platform, looked, now)
    still_wrong = {item: checks for item, checks in known.items() if item not in looked}
    waiting = Counter(table for table, _ in {*known, *changed} - looked.keys())
    return TablesLook(tuple(found), frozenset(looked), still_wrong, waiting)


def look_at_accounts(platform: Platform, now: datetime, *, most: int = MOST_HOURS) -> AccountsLook:
    """Look at the accounting of some delivery hours and bring the alerts in line. `Outage` leaves all as it was."""
    alarms = _alarms(platform)
    accountant = Accountant(platform.database, _reader(platform), {name: s.table for name, s in SOURCES.items()})
    with platform.database.read() as connection:
        marks = store.delivered_hours(connection, now - WATCHED)
    notes = Looked(platform.state, ACCOUNTS).read()
    known = {hour: checks for (name, hour), checks in alarms.wrong().items() if name == ACCOUNTS}
    changed = _changed(marks, notes)
    queue = [*_in_turn(list(known), most // 2, now), *(hour for hour in changed if hour not in known)]
    found = dict[Hour, HourAccount]()
    for hour in queue:
        if len(found) >= most:
            break
        if hour in known or _delivery_rests(platform, hour, changed[hour], now):
            account = accountant.account(hour)
            found |= {hour: account} if account else {}
    alarms.replace({(ACCOUNTS, hour) for hour in found}, account_matches(found.values()), now)
    noted = notes | {hour: Note(marks.get(hour, ""), now) for hour in found}
    Looked(platform.state, ACCOUNTS).write({hour: note for hour, note in noted.items() if hour in marks})
    still_wrong = {hour: checks for hour, checks in known.items() if hour not in found}
    return AccountsLook(tuple(found.values()), still_wrong, len({*known, *changed} - found.keys()))


def _in_turn(known: Sequence[_Item], most: int, now: datetime) -> list[_Item]:
    """So many of those known to be wrong, others each hour: what cannot be mended must not keep the rest unseen."""
    start = hour_of(now) * most % max(len(known), 1)
    return [*known[start:], *known[:start]][:most]


def _alarms(platform: Platform) -> QualityAlarms:
    return QualityAlarms(StandingAlerts(platform.database, platform.road.alerting.route))


def _reader(platform: Platform) -> FileReader:
    return FileReader(platform.lake)


def _changed_tables(platform: Platform, tables: Collection[str]) -> dict[TableHour, datetime | None]:
    """The hours of some tables that have changed, the newest first, and when they were looked at last."""
    found: dict[TableHour, datetime | None] = {}
    for table in tables:
        with platform.database.read() as connection:
            marks = {hour: str(version) for hour, version in store.written_hours(connection, table)}
        notes = Looked(platform.state, table).read()
        found |= {(table, hour): last for hour, last in _changed(marks, notes).items()}
    return {item: found[item] for item in sorted(found, key=lambda item: (-item[1], item[0]))}


def _changed(marks: Mapping[Hour, str], notes: Mapping[Hour, Note]) -> dict[Hour, datetime | None]:
    """The hours whose marks are not those that were noted, the newest first, and when they were looked at last."""
    last = {hour: notes.get(hour) for hour in sorted(marks, reverse=True)}
    return {hour: note.at if note else None for hour, note in last.items() if not note or note.mark != marks[hour]}


def _table_rests(platform: Platform, where: TableHour, last: datetime | None, now: datetime) -> bool:
    with platform.database.read() as connection:
        return has_rested(store.table_changes(connection, *where, last), now)


def _delivery_rests(platform: Platform, hour: Hour, last: datetime | None, now: datetime) -> bool:
    with platform.database.read() as connection:
        return has_rested(store.delivery_changes(connection, hour, last), now)


def _note(platform: Platform, looked: Mapping[TableHour, int], now: datetime) -> None:
    for table in sorted({table for table, _ in looked}):
        notes = Looked(platform.state, table)
        new = {hour: Note(str(version), now) for (name, hour), version in looked.items() if name == table}
        notes.write(notes.read() | new)


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
    lost = len(state.not_brought_back)
    return HourQuality(table, hour, found.rows, found.frame.num_rows, lost, tuple(results))


def _log_type(table: str) -> str | None:
    """The log type of an event table; None for `alert_matches`."""
    return next((source.log_type for source in SOURCES.values() if source.table == table), None)
