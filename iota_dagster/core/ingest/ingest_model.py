"""What goes into `ingest.ingest` and what comes out: plain values that cross a process border."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from iota_dagster.core.model import LogObject, QuarantineItem
from iota_dagster.core.reading.decode import DecodeLimits
from iota_dagster.core.sources.user_schema import UserSchema


@dataclass(frozen=True, slots=True)
class IngestTask:
    """One log object to read; its content lies in the local file `path`."""

    position: int
    """The object's place in its batch: rows are in the order of (position, ordinal)."""
    object: LogObject
    path: str
    log_types: tuple[str, ...] | None
    """The types its integration declares; None: any."""
    header: bytes | None = None
    """What its integration declares to stand above lines that come without a header."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What holds for every object of a batch."""

    batch_id: str
    parse_time: datetime
    limits: DecodeLimits
    part_bytes: int = 64 << 20
    """A part file is closed once it holds this many bytes of raw records."""
    max_hours_per_object: int = 768
    """An object's event hours: AWS delivers again for 30 days, and no honest object spans more than that and a bit."""
    quarantine_records: int = 10_000
    """Past this many an object's bad records share one item, so that a hostile object cannot fill the memory."""
    quarantine_sample_bytes: int = 4 << 20
    """Past this many bytes of samples an object's further samples are shortened."""
    user_types: tuple[UserSchema, ...] = ()
    """The user's own log types: a worker process knows no others."""


@dataclass(frozen=True, slots=True)
class IngestJob:
    """What one worker gets at a time: neighbouring objects of a batch, read into parts of one prefix."""

    tasks: tuple[IngestTask, ...]
    folder: Path
    prefix: str
    options: IngestOptions


@dataclass(frozen=True, slots=True)
class Part:
    """One Arrow IPC file of rows of one log type."""

    path: str
    """The file's name in the work folder."""
    log_type: str
    rows: int


@dataclass(frozen=True, slots=True)
class Ingested:
    """One object's share: `records` = its rows in the parts + its quarantine items."""

    position: int
    object_id: int
    records: int
    quarantine: tuple[QuarantineItem, ...]
    content_sha256: str
    content_bytes: int
