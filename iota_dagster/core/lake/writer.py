"""Work files → Parquet files, one per lake table and event hour, in one pass with bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from iota_dagster.core.batch.work import WorkFolder
from iota_dagster.core.hours import Hour
from iota_dagster.core.lake.generation import NewFile
from iota_dagster.core.lake.parquet import open_writer
from iota_dagster.core.memory import release_memory

HOURS_AT_ONCE = 48
"""Open Parquet files of one pass; a batch that touches more hours takes more passes."""
BUFFER_BYTES = 64 << 20
"""Rows held over all open files; past it, the fullest one writes a row group."""


@dataclass(slots=True)
class _HourWriter:
    path: Path
    writer: pq.ParquetWriter
    rows: int = 0
    held: list[pa.RecordBatch] = field(default_factory=list)
    held_bytes: int = 0

    def add(self, batch: pa.RecordBatch) -> None:
        self.held.append(batch)
        self.held_bytes += batch.nbytes
        self.rows += batch.num_rows

    def flush(self) -> None:
        if self.held:
            self.writer.write_table(pa.Table.from_batches(self.held))
            self.held, self.held_bytes = [], 0


def write_hours(
    work: WorkFolder, log_type: str, schema: pa.Schema, hours: Sequence[Hour], target: Path
) -> Mapping[Hour, NewFile]:
    """Write the admitted rows of one log type, a Parquet file per event hour, into the folder `target`."""
    written: dict[Hour, NewFile] = {}
    for start in range(0, len(hours), HOURS_AT_ONCE):
        wanted = hours[start : start + HOURS_AT_ONCE]
        for hour, item in _one_pass(work, log_type, schema, wanted, target).items():
            written[hour] = NewFile.of(item.path, item.rows)
    release_memory()
    return written


def _one_pass(
    work: WorkFolder, log_type: str, schema: pa.Schema, hours: Sequence[Hour], target: Path
) -> Mapping[Hour, _HourWriter]:
    target.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        writers = {}
        for hour in hours:
            path = target / f"{log_type}-{hour}.parquet"
            writers[hour] = _HourWriter(path, stack.enter_context(open_writer(path, schema)))
        for batch, keep in work.masked(log_type, [*schema.names, "_hour"]):
            for hour, rows in _by_hour(batch, keep, schema.names):
                if hour in writers:
                    writers[hour].add(rows)
            if sum(item.held_bytes for item in writers.values()) > BUFFER_BYTES:
                max(writers.values(), key=lambda item: item.held_bytes).flush()
        for item in writers.values():
            item.flush()
    return writers


def _by_hour(
    batch: pa.RecordBatch, keep: NDArray[np.bool_], names: Sequence[str]
) -> Iterator[tuple[Hour, pa.RecordBatch]]:
    """The admitted rows of each event hour; each row is copied once at most."""
    hours = batch.column("_hour").to_numpy()
    rows = batch.select(names)
    for hour in np.unique(hours[keep]):
        wanted = keep & (hours == hour)
        yield int(hour), rows if wanted.all() else rows.filter(pa.array(wanted))
