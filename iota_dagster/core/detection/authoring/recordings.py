"""Recordings of attacks: CloudTrail files as AWS or a researcher keeps them, read whole into events for the rules."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from iota_dagster.core.reading.decode import Decoder

LOG_TYPE = "AWS.CloudTrail"
_ENDINGS = (".gz", ".json", ".jsonl", ".log")


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """One event: its id, its time (aware, UTC) and the record as rules get it, with our envelope in front."""

    id: str
    moment: datetime
    record: bytes


@dataclass(frozen=True, slots=True)
class Recording:
    """The events of some files, each id once; `left_out` counts records without an id or a time, and damaged ones."""

    events: tuple[RecordedEvent, ...]
    left_out: int


def read_recording(files: Iterable[Path]) -> Recording:
    """Read files, gzipped or not: a wrapper `{"Records": []}`, a list, lines, or any mix of them."""
    events: dict[str, RecordedEvent] = {}
    left_out = 0
    for record in (record for file in files for record in _records(file)):
        event = None if record is None else _event(record)
        if event is None:
            left_out += 1
        else:
            events.setdefault(event.id, event)
    return Recording(tuple(events.values()), left_out)


def log_files(folder: Path) -> Iterator[Path]:
    """The log files below a folder by path, or the one file that is named."""
    if folder.is_file():
        yield folder.resolve()
    for here, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(here, name).resolve() for name in sorted(names) if name.endswith(_ENDINGS))


def technique_name(file: Path) -> str:
    """A file's name without the endings of logs."""
    name = file.name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    return name


class _Marks(msgspec.Struct):
    eventID: str
    eventTime: datetime


_decode_marks = msgspec.json.Decoder(_Marks).decode


def _event(record: bytes) -> RecordedEvent | None:
    try:
        marks = _decode_marks(record)
    except msgspec.MsgspecError:
        return None
    moment = marks.eventTime.astimezone(UTC) if marks.eventTime.tzinfo else marks.eventTime.replace(tzinfo=UTC)
    envelope = {"p_log_type": LOG_TYPE, "p_event_id": marks.eventID, "p_event_time": f"{moment:%F %T.%fZ}"}
    return RecordedEvent(marks.eventID, moment, msgspec.json.encode(envelope)[:-1] + b"," + record[1:])


def _records(file: Path) -> Iterator[bytes | None]:
    """The records of a file; None for each that is damaged."""
    with file.open("rb") as stream:
        for chunk in Decoder(stream):
            yield from chunk.records
            yield from (None for _ in chunk.damages)
