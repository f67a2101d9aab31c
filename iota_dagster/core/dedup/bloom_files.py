"""Bloom filters in the state storage: one file per (log type, event hour).

A file is a line of JSON, the filter in pybloom's own format, and the SHA-256 (32 bytes) of all before. The line says
which hour it is for and which id files it covers, by name and checksum:

    {"format": "iota-bloom", "version": 1, "log_type": "AWS.CloudTrail", "hour": "2026-11-22-10:00",
     "capacity": 8192, "error_rate": 0.001, "count": 2817, "covers": [["ids/….ids", "<sha256>"], …]}

A filter is a convenience: one that is missing or does not verify is simply made again.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass, field
from typing import Any

from iota_dagster.core.dedup.bloom import IdFilter
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import Hour, hour_folder, hour_key
from iota_dagster.core.storage import Storage

_DIGEST = hashlib.sha256().digest_size
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class HourFilter:
    """A filter and the id files whose ids it holds, as (name, SHA-256)."""

    filter: IdFilter
    covers: set[tuple[str, str]] = field(default_factory=set)


def filter_path(log_type: str, hour: Hour) -> str:
    """Where the filter of an event hour is kept."""
    return f"bloom/{log_type}/{hour_folder(hour)}.bloom"


def load(storage: Storage, log_type: str, hour: Hour) -> HourFilter | None:
    """The saved filter; None when there is none or it does not verify. `Outage` when the storage does not answer."""
    path = filter_path(log_type, hour)
    try:
        content = storage.read(path)
    except FileNotFoundError:
        return None
    try:
        return _decode(content, log_type, hour)
    except (ValueError, KeyError, TypeError) as error:
        _log.warning("bloom filter %s is made again: %s", path, error)
        return None


def save(storage: Storage, log_type: str, hour: Hour, saved: HourFilter) -> None:
    """Keep a filter. A storage that does not take it is no error: the next look-up adds what is missing."""
    path = filter_path(log_type, hour)
    try:
        storage.write(path, _encode(log_type, hour, saved))
    except Outage as error:
        _log.warning("bloom filter %s was not saved: %s", path, error)


def _encode(log_type: str, hour: Hour, saved: HourFilter) -> bytes:
    filter = saved.filter
    head = _place(log_type, hour) | {
        "capacity": filter.capacity,
        "error_rate": filter.error_rate,
        "count": len(filter),
        "covers": sorted(saved.covers),
    }
    content = json.dumps(head).encode() + b"\n" + filter.to_bytes()
    return content + hashlib.sha256(content).digest()


def _decode(content: bytes, log_type: str, hour: Hour) -> HourFilter:
    body = memoryview(content)[:-_DIGEST]
    if hashlib.sha256(body).digest() != content[-_DIGEST:]:
        raise ValueError("its checksum does not match")
    line, _, bits = bytes(body).partition(b"\n")
    head: dict[str, Any] = json.loads(line)
    if any(head.get(name) != value for name, value in _place(log_type, hour).items()):
        raise ValueError("it is of another format or for another hour")
    return HourFilter(IdFilter.from_bytes(bits), {(file, sha256) for file, sha256 in head["covers"]})


def _place(log_type: str, hour: Hour) -> dict[str, Any]:
    return {"format": "iota-bloom", "version": 1, "log_type": log_type, "hour": hour_key(hour)}
