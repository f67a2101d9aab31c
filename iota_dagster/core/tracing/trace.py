"""What a trace says: its parts as values, and its answer in a sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from iota_dagster.core.hours import hour_key
from iota_dagster.core.lake.lookup import Row
from iota_dagster.core.model import Alert
from iota_dagster.core.store.alert_lineage import DeliveryRecord, MatchRecord
from iota_dagster.core.store.held import Held
from iota_dagster.core.store.lineage import (
    Against,
    BatchRecord,
    LedgerObject,
    RowFile,
)
from iota_dagster.core.tracing.id_search import Located


class Fate(StrEnum):
    """What a trace came to."""

    ROW = "row"  # the event is in the lake
    COMMITTED = "committed"  # admitted; its row is not published yet
    DUPLICATE = "duplicate"  # the object's copy was set aside: another one is the row
    QUARANTINED = "quarantined"
    OBJECT = "object"  # asked for a log object
    ALERT = "alert"  # asked for an alert, or for a match that is on no event
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Trace:
    """What is known of one event, object or alert; `told` says it in a sentence, `events` are an alert's."""

    asked: str
    fate: Fate
    told: str
    event: Located | None = None
    objects: tuple[LedgerObject, ...] = ()
    batches: tuple[BatchRecord, ...] = ()
    files: tuple[RowFile, ...] = ()
    row: Row | None = None
    duplicates: tuple[Against, ...] = ()
    quarantine: tuple[Held, ...] = ()
    matches: tuple[MatchRecord, ...] = ()
    alerts: tuple[Alert, ...] = ()
    deliveries: tuple[DeliveryRecord, ...] = ()
    events: tuple[Trace, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Scope:
    """Where to look for an event; without `hours` in all whose id files are kept (admissions `kept_since`)."""

    kept_since: datetime
    hours: range | None = None
    log_types: tuple[str, ...] = ()


def row_told(event: Located, row: Row) -> str:
    """The answer for an event that is in the lake."""
    where = f"{row['p_source_bucket']}/{row['p_source_key']}"
    return f"In the lake: record {row['p_source_line']} of {where}, admitted by batch {event.batch_id}."


def committed_told(event: Located) -> str:
    """The answer for an event whose row is still to come."""
    hour = hour_key(event.hour)
    return f"Admitted to {hour} by batch {event.batch_id}; its row is not in the lake yet, publishing goes on."


def object_told(objects: Sequence[LedgerObject]) -> str:
    """The answer for a log object, given all contents that its key had."""
    newest = objects[-1]
    more = f"; {len(objects) - 1} other contents of this key are known" if len(objects) > 1 else ""
    reason = f" ({newest.error})" if newest.error else ""
    return f"A log object, {newest.status}{reason}{more}."


def not_in(asked: str, objects: Sequence[LedgerObject], held: tuple[Held, ...]) -> Trace:
    """The answer for an event that an object has not brought: it is in quarantine, or nobody knows it."""
    place, status = objects[-1].place, objects[-1].status
    if held:
        told = f"In quarantine: {held[0].reason} (item {held[0].id}). {place} brought no row with this id."
        return Trace(asked, Fate.QUARANTINED, told, objects=tuple(objects), quarantine=held)
    told = f"Unknown: no event that {place} ({status}) brought, or counted as a duplicate, has this id."
    return Trace(asked, Fate.UNKNOWN, told, objects=tuple(objects))


def of_copy(found: Trace, objects: Sequence[LedgerObject], held: tuple[Held, ...], holders: Collection[str]) -> Trace:
    """A trace of the event's row as one of the copy in an object.

    `holders` are the batches that a duplicate of the object's batches can be one of. The store counts duplicates and
    does not list them, so that only the object itself could prove that it holds the event.
    """
    if found.row is None or found.event is None:
        return found
    source = found.row["p_source_bucket"], found.row["p_source_key"]
    if any((item.bucket, item.key) == source for item in objects):
        return found
    together = (*objects, *found.objects)
    place, row = objects[-1].place, f"{source[0]}/{source[1]} (batch {found.event.batch_id})"
    if held:
        told = f"In quarantine: the copy in {place} differs from the row, which came from {row}."
        return replace(found, fate=Fate.QUARANTINED, told=told, objects=together, quarantine=held)
    counted = sum(item.duplicates for item in objects)
    if counted and found.event.batch_id in holders:
        told = f"A duplicate, one of {counted:,} that {place} had (if it held this event): the row came from {row}."
        return replace(found, fate=Fate.DUPLICATE, told=told, objects=together)
    told = f"Unknown: {place} has no copy of this event; its row came from {row}."
    return replace(found, fate=Fate.UNKNOWN, told=told, objects=together)
