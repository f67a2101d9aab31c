"""Work files of a log type that got a column between a batch's commit and its publication."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from iota_dagster.core.batch.work import WorkArea
from iota_dagster.core.hours import hour_of
from iota_dagster.core.ingest.ingest import IngestOptions, IngestTask, ingest
from iota_dagster.core.lake.schema import table_schema
from iota_dagster.core.lake.writer import write_hours
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.core.reading.content import DecodeLimits
from iota_dagster.core.sources import source_of
from iota_dagster.core.sources.registry import use_log_types
from tests.core.sources.user_types import PLAIN, schema_of

HOUR = hour_of(datetime(2025, 11, 22, 10, tzinfo=UTC))
MORE = PLAIN.replace("marks:", "  - {name: ignored, type: integer, description: No longer ignored}\nmarks:")


def test_rows_from_before_are_published_without_a_value_in_the_new_column(tmp_path: Path) -> None:
    content = tmp_path / "object"
    content.write_bytes(b"2025-11-22T10:00:00Z,5,opened\n2025-11-22T10:00:01Z,6,closed\n")
    item = LogObject(1, "doors", "doors.csv", "etag", 60, "main", None, None, HOUR, ObjectStatus.CLAIMED, "log")
    area = WorkArea(LocalStorage(tmp_path / "work"), tmp_path / "scratch")
    folder = area.create("batch")
    options = IngestOptions("batch", datetime(2025, 11, 22, 11, tzinfo=UTC), DecodeLimits())
    schema = schema_of(tmp_path, PLAIN)
    try:
        _, parts = ingest(
            [IngestTask(0, item, str(content), None)], folder.path, "p", replace(options, user_types=(schema,))
        )
        work = area.save(folder, parts, np.array([True, True]))
        use_log_types([schema_of(tmp_path, MORE)])
        written = write_hours(work, schema.log_type, table_schema(source_of(schema.log_type)), [HOUR], tmp_path)
        rows = pq.read_table(written[HOUR].path).to_pylist()
    finally:
        use_log_types(())
    assert [(row["note"], row["ignored"]) for row in rows] == [("opened", None), ("closed", None)]
