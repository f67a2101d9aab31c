"""Matches on their way into the lake: one Parquet file per event hour, and the units of work that are no batch.

A batch's matches follow from what it has committed, whoever publishes them. What a correlation rule or a scheduled
query finds may be something else when it is tried again: see `Lake.publish_unit`.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import alert_matches, rewrite
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.lake.parquet import open_writer
from iota_dagster.core.lake.publication import Lake
from iota_dagster.core.model import Match
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.lake_catalog import TableHour

_log = logging.getLogger(__name__)
_ORDER = [("p_event_time", "ascending"), ("match_id", "ascending")]
"""As `alert_matches.matches_table` has its rows."""


def match_files(
    matches: Iterable[Match], owner: str, folder: Path, kept: Mapping[Hour, pa.Table] | None = None
) -> dict[TableHour, NewFile]:
    """The `alert_matches` files of a batch's or a unit's matches, written into a folder of this machine.

    `kept` are rows, by hour, that stay beside them.
    """
    by_hour: dict[Hour, list[Match]] = {hour: [] for hour in kept or {}}
    for match in matches:
        by_hour.setdefault(match.event_hour, []).append(match)
    files = {}
    for hour, found in sorted(by_hour.items()):
        rows = alert_matches.matches_table(found, owner)
        if kept and hour in kept:
            rows = pa.concat_tables([rows, kept[hour]]).sort_by(_ORDER)
        path = folder / f"{alert_matches.TABLE}-{hour}.parquet"
        with open_writer(path, alert_matches.SCHEMA) as writer:
            writer.write_table(rows)
        files[alert_matches.TABLE, hour] = NewFile.of(path, rows.num_rows)
    return files


def rows_of_rules(lake: Lake, owner: str, rules: Collection[str], found: Iterable[Match]) -> dict[Hour, pa.Table]:
    """What the lake has of a batch's matches of some rules, by hour, but for those `found` again.

    A file that is gone keeps nobody from writing the rest anew; what it had is back once these rules can be judged.
    """
    if not rules:
        return {}
    with lake.database.read() as connection:
        hours = lake_catalog.hours_of_batch(connection, owner, (alert_matches.TABLE,))
        files = [file for key in hours for file in lake_catalog.files_of(connection, *key) if owner in file.members]
    again, kept = pa.array([match.id for match in found], pa.string()), dict[Hour, pa.Table]()
    for file in files:
        if not lake.storage.exists(file.path):
            _log.error("%s is not in the lake: its matches of rules that cannot be judged now are missing", file.path)
            continue
        for rows in rewrite.row_groups(lake.storage, file.path):
            known = rewrite.conform(rows, alert_matches.SCHEMA)
            mine = pc.and_(pc.equal(known["p_batch"], owner), pc.is_in(known["rule_id"], pa.array(sorted(rules))))
            gone = known.filter(pc.and_(mine, pc.invert(pc.is_in(known["match_id"], again))))
            if gone.num_rows:
                kept[file.hour] = pa.concat_tables([kept[file.hour], gone]) if file.hour in kept else gone
    return kept


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
