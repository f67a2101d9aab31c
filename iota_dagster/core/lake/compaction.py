"""Compaction: an hour's many small files become few large ones, as the hour's next generation."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.hours import Hour, hour_key, hour_of
from iota_dagster.core.lake import rewrite
from iota_dagster.core.lake.parquet import require_whole
from iota_dagster.core.lake.publication import Join, Lake
from iota_dagster.core.store import lake_upkeep
from iota_dagster.core.store.lake_catalog import LakeFile
from iota_dagster.core.store.lake_upkeep import HourFiles

SETTLED_HOURS = 3
"""Hours that are younger still get most of their files."""

JOINED_BYTES = 256 << 20
"""A joined file holds files of so many bytes together at most."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompactionPolicy:
    """When housekeeping joins files: `files` small ones in an hour, at most `hours` hours in one pass."""

    files: int = 8  # 0: never
    small: int = 64 << 20  # bytes: larger files stay as they are
    joined: int = JOINED_BYTES
    hours: int = 500


def compact(lake: Lake, table: str, hour: Hour, schema: pa.Schema, joined: int = JOINED_BYTES) -> bool:
    """Join an hour's files into as few as hold `joined` bytes each; False when there is nothing to join.

    Rows and their order within a batch stay as they are. The old files remain for readers that have begun, until
    maintenance removes them.
    """
    choose = partial(groups_of, small=joined, joined=joined)
    return lake.rewrite_hour(table, hour, choose, _join(lake, table, hour, schema))


def due(lake: Lake, policy: CompactionPolicy, now: datetime) -> list[HourFiles]:
    """The hours whose small files one pass would join. Late files bring an old hour back here."""
    if not policy.files:
        return []
    with lake.database.read() as connection:
        return lake_upkeep.crowded_hours(
            connection,
            smaller_than=policy.small,
            at_least=max(2, policy.files),
            before=hour_of(now) - SETTLED_HOURS + 1,
            limit=policy.hours,
        )


def compact_due(
    lake: Lake, schemas: Mapping[str, pa.Schema], policy: CompactionPolicy, now: datetime
) -> list[HourFiles]:
    """One pass over the hours with many small files; those that it joined. `schemas`: the tables that are known.

    An hour that cannot be read is logged and left as it is: the others go on.
    """
    done = []
    choose = partial(groups_of, small=policy.small, joined=policy.joined)
    for item in due(lake, policy, now):
        if item.table not in schemas:
            continue
        try:
            join = _join(lake, item.table, item.hour, schemas[item.table])
            if lake.rewrite_hour(item.table, item.hour, choose, join):
                done.append(item)
        except Outage:
            raise
        except (IotaError, OSError, pa.ArrowException) as error:
            _log.error("%s, hour %s cannot be compacted: %s", item.table, hour_key(item.hour), error)
    return done


def groups_of(files: Iterable[LakeFile], *, small: int, joined: int) -> list[list[LakeFile]]:
    """The files below `small` bytes, the smallest first, in groups of at most `joined` bytes; no group of one."""
    groups: list[list[LakeFile]] = []
    total = 0
    for item in sorted(files, key=lambda item: (item.bytes, item.source)):
        if item.bytes >= small:
            break
        if not groups or total + item.bytes > joined:
            groups.append([])
            total = 0
        groups[-1].append(item)
        total += item.bytes
    return [group for group in groups if len(group) > 1]


def _join(lake: Lake, table: str, hour: Hour, schema: pa.Schema) -> Join:
    def join(files: Sequence[LakeFile], target: Path) -> int:
        ordered = sorted(files, key=lambda item: item.source)
        for item in ordered:
            require_whole(lake.storage, item.path, item.sha256, item.bytes)
        rows = rewrite.join(lake.storage, [item.path for item in ordered], schema, target)
        expected = sum(item.rows for item in ordered)
        if rows != expected:
            raise IotaError(
                f"{table}, hour {hour_key(hour)}: its files hold {rows:,} rows, the store says {expected:,}. "
                "They stay as they are; do the hours of their batches again"
            )
        return rows

    return join
