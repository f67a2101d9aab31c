"""Objects -> part files: decode, classify, read; every record ends as a row or in quarantine.

`ingest` is one plain function over values, so that it runs in a spawned worker process as well as in the run's own; it
imports neither Dagster nor pandas. Dedup comes later: rows here may be copies of each other.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from iota_dagster.core.ingest.ingest_model import Ingested, IngestJob, IngestOptions, IngestTask, Part
from iota_dagster.core.ingest.parts import PartFiles
from iota_dagster.core.ingest.tally import ObjectTally
from iota_dagster.core.reading.chunk import Chunk
from iota_dagster.core.reading.records import open_records
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.classifier import AskingOrder, Classifier
from iota_dagster.core.sources.headers import headers_within
from iota_dagster.core.sources.registry import use_log_types

__all__ = ["IngestJob", "IngestOptions", "IngestTask", "Ingested", "Part", "ingest", "run_job"]

UNCLASSIFIED = "unclassified"
_ORDER = AskingOrder()


def ingest(
    tasks: Sequence[IngestTask], folder: Path, prefix: str, options: IngestOptions
) -> tuple[list[Ingested], list[Part]]:
    """Read objects, in order, into part files `{prefix}-{number}.arrow` in `folder`.

    Per object `records` = rows in the parts + quarantine items. No content raises; an `OSError` of a local file does,
    and then no part file is left.
    """
    use_log_types(options.user_types)
    with no_collector(), PartFiles(folder, prefix, options) as parts:
        read = [_read_object(task, parts, options) for task in tasks]
        parts.finish()
        return [tally.result(sha256, size) for tally, sha256, size in read], parts.parts


def run_job(job: IngestJob) -> tuple[list[Ingested], list[Part]]:
    """`ingest` as a worker calls it."""
    return ingest(job.tasks, job.folder, job.prefix, job.options)


def _read_object(task: IngestTask, parts: PartFiles, options: IngestOptions) -> tuple[ObjectTally, str, int]:
    tally = ObjectTally(task, options)
    sources = SOURCES.values()
    classifier = Classifier(sources, task.object.key, task.log_types, _ORDER)
    with open(task.path, "rb") as stream:
        headers = headers_within(sources, task.log_types)
        reader = open_records(stream, options.limits, headers=headers, header=task.header)
        for chunk in reader:
            if task.object.kind != "digest":  # a digest lists files and holds no events
                _take(chunk, tally, classifier, parts)
    return tally, reader.content_sha256, reader.content_bytes


def _take(chunk: Chunk, tally: ObjectTally, classifier: Classifier, parts: PartFiles) -> None:
    for damage in chunk.damages:
        tally.reject(
            damage.reason,
            damage.detail,
            ordinal=damage.ordinal,
            offset=damage.byte_offset,
            data=damage.data,
            size=damage.size,
        )
    for source, start, stop in classifier.runs(chunk.records, chunk.header):
        if source is not None:
            parts.add(tally, source, chunk, start, stop)
            continue
        record = chunk.records[start]
        tally.reject(
            UNCLASSIFIED,
            partial(classifier.refusal, record),
            ordinal=chunk.ordinals[start],
            offset=chunk.offset(start),
            data=record,
        )


@contextmanager
def no_collector() -> Iterator[None]:
    """No cyclic garbage arises inside; looking for it among hundreds of thousands of young objects takes long."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
