"""Hours as whole numbers: the unit of every partition.

An hour is the number of hours since 1970-01-01T00:00Z, so that it sorts, fits any database and knows no time zone.
`hour_key` is Dagster's spelling, `hour_folder` the lake's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from iota_dagster.core.errors import SettingsError

Hour = int
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_PER_HOUR = 3_600_000_000


def hour_of(moment: datetime) -> Hour:
    """The hour that holds a moment; a naive moment is taken as UTC."""
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(hours=1)


def hour_start(hour: Hour) -> datetime:
    """The first moment of an hour, aware, UTC."""
    return _EPOCH + timedelta(hours=hour)


def hours_within(since: datetime, until: datetime) -> range:
    """The hours that a span touches, from one moment up to another; `SettingsError` when there are none."""
    hours = range(hour_of(since), hour_of(until - timedelta(microseconds=1)) + 1)
    if not hours:
        raise SettingsError(f"nothing lies between {since:%Y-%m-%d %H:%M} and {until:%Y-%m-%d %H:%M} (UTC)")
    return hours


def hour_key(hour: Hour) -> str:
    """Dagster's partition key of an hour: `2026-11-22-10:00`."""
    return hour_start(hour).strftime("%Y-%m-%d-%H:%M")


def parse_hour_key(key: str) -> Hour:
    """The hour of a Dagster partition key; `ValueError` when it is none."""
    return hour_of(datetime.strptime(key, "%Y-%m-%d-%H:%M").replace(tzinfo=UTC))


def hour_folder(hour: Hour) -> str:
    """The Hive-style folder of an hour: `year=2026/month=11/day=22/hour=10`."""
    return hour_start(hour).strftime("year=%Y/month=%m/day=%d/hour=%H")


def parse_hour_folder(path: str) -> Hour:
    """The hour of a path that contains `year=…/month=…/day=…/hour=…`; `ValueError` when it has none."""
    parts = dict(part.split("=", 1) for part in path.split("/") if "=" in part)
    try:
        year, month, day, hour = (int(parts[name]) for name in ("year", "month", "day", "hour"))
    except KeyError as error:
        raise ValueError(f"{path!r} names no {error.args[0]}") from None
    return hour_of(datetime(year, month, day, hour, tzinfo=UTC))
