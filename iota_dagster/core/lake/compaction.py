"""Compaction: an hour's many small files become few large ones, as the hour's next generation."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.errors import IotaError, Outage
from iota_dagster.core.hours import Hour, hour_key, hour_of
from iota_dagster.core.lake import rewrite
from iota_dagster.core.lake.publication import Choose, Lake, NewFile
from iota_dagster.core.store import lake_upkeep
from iota_dagster.core.store.lake_catalog import LakeFile
from iota_dagster.core.store.lake_upkeep import HourFiles

SETTLED_HOURS = 3
"""Hours that are younger still get most of their files."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CompactionPolicy:
    """When housekeeping joins files: `files` small ones in an hour, at most `hours` hours in one pass."""

    files: int = 8  # 0: never
    small: int = 64 << 20  # bytes: larger files stay as they are
    joined: int = 256 << 20  # bytes that go into one file at most
    hours: int = 500


def compact(lake: Lake, table: str, hour: Hour, schema: pa.Schema) -> bool:
    """Join all files of an hour; False when there are fewer than two.

    Rows and their order within a batch stay as they are. The old files remain for readers that have begun, until
    maintenance removes them.
    """
    return _join(lake, table, hour, schema, lambda files: files if len(files) > 1 else ())


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
    for item in due(lake, policy, now):
        if item.table not in schemas:
            continue
        try:
            if _join(lake, item.table, item.hour, schemas[item.table], _small_files(policy)):
                done.append(item)
        except Outage:
            raise
        except (IotaError, OSError, pa.ArrowException) as error:
            _log.error("%s, hour %s cannot be compacted: %s", item.table, hour_key(item.hour), error)
    return done


def _small_files(policy: CompactionPolicy) -> Choose:
    """Small files, the smallest first, as many as fit into one."""

    def choose(files: Sequence[LakeFile]) -> Sequence[LakeFile]:
        chosen: list[LakeFile] = []
        total = 0
        for item in sorted(files, key=lambda item: (item.bytes, item.source)):
            total += item.bytes
            if item.bytes >= policy.small or total > policy.joined:
                break
            chosen.append(item)
        return chosen if len(chosen) > 1 else ()

    return choose


def _join(lake: Lake, table: str, hour: Hour, schema: pa.Schema, choose: Choose) -> bool:
    source = f"c-{uuid.uuid4().hex[:20]}"
    target: Path = lake.scratch / f"{source}.parquet"

    def build(files: Sequence[LakeFile]) -> NewFile:
        ordered = sorted(files, key=lambda item: item.source)
        rows = rewrite.join(lake.storage, [item.path for item in ordered], schema, target)
        expected = sum(item.rows for item in ordered)
        if rows != expected:
            raise IotaError(
                f"{table}, hour {hour_key(hour)}: its files hold {rows:,} rows, the store says {expected:,}. "
                "They stay as they are; do the hours of their batches again"
            )
        return NewFile.of(target, rows)

    try:
        return lake.rewrite_hour(table, hour, source, choose, build)
    finally:
        target.unlink(missing_ok=True)
