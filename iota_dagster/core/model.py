"""The words of the product as frozen values: what passes between the layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from iota_dagster.core.hours import Hour


class ObjectStatus(StrEnum):
    """Where a log object stands in the ledger."""

    PENDING = "pending"  # registered; no batch has claimed it
    CLAIMED = "claimed"  # member of a batch that is not published yet
    DONE = "done"  # rows in the lake, matches in the store
    QUARANTINED = "quarantined"  # could not be processed; see quarantine
    MISSING = "missing"  # not in its bucket
    SUPERSEDED = "superseded"  # overwritten; its successor is an object of its own
    REFUSED = "refused"  # its bucket is not configured, or access is denied


class BatchStatus(StrEnum):
    """Where a batch stands. Nothing returns from `committed` to `open`."""

    OPEN = "open"  # prepared by a run; holds nothing yet
    COMMITTED = "committed"  # its ids are admitted; publishing goes on until it succeeds
    DONE = "done"  # published
    SPLIT = "split"  # given up before its commit: its objects went to other batches, or to quarantine


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """What a notification or a listing says of an object; `etag` and `size` may be unknown."""

    bucket: str
    key: str
    etag: str | None = None
    size: int | None = None
    version_id: str | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class LogObject:
    """One registered log object. (bucket, key, etag) is its identity, `id` its row in the ledger."""

    id: int
    bucket: str
    key: str
    etag: str
    size: int
    integration: str
    account: str | None
    region: str | None
    delivery_hour: Hour
    status: ObjectStatus
    kind: str  # "log" or "digest"
    content_sha256: str | None = None
    version_id: str | None = None
    first_completion: bool = True  # it has never been done: only then can its matches page


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch: its members, its state and, once committed, the folder of its work files.

    `revision` counts its outputs: 1 for the first, one more each time it is done again. `created_at` is the
    `p_parse_time` of every row it ever writes, so that doing it again writes the same rows. `lake_at` and `alerts_at`
    say when this revision was published there.
    """

    id: str
    delivery_hour: Hour
    status: BatchStatus
    revision: int
    attempts: int
    created_at: datetime
    work: str | None
    lake_at: datetime | None = None
    alerts_at: datetime | None = None
    objects: tuple[LogObject, ...] = ()


@dataclass(frozen=True, slots=True)
class QuarantineItem:
    """A record, or a whole object (`ordinal` None), that could not be processed."""

    object_id: int
    reason: str
    detail: str
    ordinal: int | None = None
    byte_offset: int | None = None  # in the decompressed content
    size: int = 0
    sample: bytes = b""  # the record whole, up to the record limit


@dataclass(frozen=True, slots=True)
class ObjectOutcome:
    """One object's share of the accounting: `records = rows + duplicates + quarantined`."""

    object_id: int
    records: int = 0
    rows: int = 0
    duplicates: int = 0
    quarantined: int = 0
    content_sha256: str | None = None
    content_bytes: int = 0
    status: ObjectStatus = ObjectStatus.DONE
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """One (rule, event) hit; `id` is derived from both, so that judging again is an upsert."""

    id: str
    rule_id: str
    log_type: str
    event_id: str
    event_hour: Hour
    event_time: datetime
    dedup: str
    period_minutes: int
    threshold: int
    severity: str
    title: str
    alert_id: str
    create_alert: bool = True
    unique_value: str | None = None
    rule_version: str = ""
    description: str = ""
    runbook: str = ""
    reference: str = ""
    destinations: tuple[str, ...] | None = None  # None: the configured routing
    context: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)  # what correlation rules ask of its event, by path
    p_account_id: str | None = None
    p_region: str | None = None
    p_source_bucket: str = ""
    p_source_key: str = ""


@dataclass(frozen=True, slots=True)
class Alert:
    """Matches of one rule with one dedup string inside one dedup period (a fixed slice of event time)."""

    id: str
    rule_id: str
    dedup: str
    period_start: datetime
    period_minutes: int
    severity: str
    title: str
    matches: int
    first_event_time: datetime
    last_event_time: datetime
    status: str  # "open", "withdrawn"
    log_type: str = ""
    description: str = ""
    runbook: str = ""
    reference: str = ""
    context: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One alert on its way to one destination: a row of the outbox."""

    id: str
    alert: Alert
    destination: str
    attempts: int
