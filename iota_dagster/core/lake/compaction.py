"""Compaction: an hour's many small files become one, as the hour's next generation."""

from __future__ import annotations

import uuid
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.hours import Hour
from iota_dagster.core.lake import rewrite
from iota_dagster.core.lake.publication import Lake, NewFile
from iota_dagster.core.store.lake_catalog import LakeHour


def compact(lake: Lake, table: str, hour: Hour, schema: pa.Schema) -> bool:
    """Join the files of an hour; False when there are fewer than two.

    Rows and their order within a batch stay as they are. The old files remain for readers that have begun, until
    maintenance removes them.
    """
    source = f"c-{uuid.uuid4().hex[:20]}"
    target: Path = lake.scratch / f"{source}.parquet"

    def build(state: LakeHour) -> NewFile | None:
        if len(state.files) < 2:
            return None
        rows = rewrite.join(lake.storage, [item.path for item in state.files], schema, target)
        return NewFile.of(target, rows)

    try:
        return lake.rewrite_hour(table, hour, source, build)
    finally:
        target.unlink(missing_ok=True)
