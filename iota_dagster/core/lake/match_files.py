"""Matches on their way into the lake: one Parquet file per event hour, and the units of work that are no batch.

A batch's matches follow from what it has committed, whoever publishes them. What a correlation rule or a scheduled
query finds may be something else when it is tried again: see `Lake.publish_unit`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.parquet import open_writer
from iota_dagster.core.lake.publication import Lake, NewFile
from iota_dagster.core.model import Match
from iota_dagster.core.store.lake_catalog import TableHour


def match_files(matches: Iterable[Match], owner: str, folder: Path) -> dict[TableHour, NewFile]:
    """The `alert_matches` files of a batch's or a unit's matches, written into a folder of this machine."""
    by_hour: dict[Hour, list[Match]] = {}
    for match in matches:
        by_hour.setdefault(match.event_hour, []).append(match)
    files = {}
    for hour, found in sorted(by_hour.items()):
        path = folder / f"{alert_matches.TABLE}-{hour}.parquet"
        with open_writer(path, alert_matches.SCHEMA) as writer:
            writer.write_table(alert_matches.matches_table(found, owner))
        files[alert_matches.TABLE, hour] = NewFile.of(path, len(found))
    return files


def publish_unit(
    lake: Lake, unit: str, matches: Iterable[Match], on_commit: Callable[[sa.Connection], bool]
) -> tuple[TableHour, ...]:
    """Make `matches` the unit's rows in `alert_matches`, in one transaction with `on_commit`; the hours that changed.

    `Superseded` when `on_commit` says that somebody else was first.
    """
    lake.scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="unit-", dir=lake.scratch) as folder:
        files = match_files(matches, unit, Path(folder))
        return tuple(lake.publish_unit(unit, files, (alert_matches.TABLE,), on_commit))
