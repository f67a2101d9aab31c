"""Entering log objects into the ledger: what a key, a message or a listing says, made a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from iota_dagster.core.arrival.object_key import KeyKind, parse_object_key
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import ObjectRef, ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.core.store.database import Database, chunked


@dataclass(frozen=True, slots=True)
class Registered:
    """How many objects a listing held, and how many of them the ledger did not have."""

    listed: int
    new: int


@dataclass(frozen=True, slots=True)
class Origin:
    """The integration that objects belong to; account and region are for keys that name none."""

    integration: str
    account: str | None = None
    region: str | None = None


def register_objects(
    database: Database,
    refs: Iterable[ObjectRef],
    integration: str,
    account: str | None = None,
    region: str | None = None,
) -> Registered:
    """Register listed objects as pending; what the ledger has already stays as it is. Folder markers are left out."""
    origin = Origin(integration, account, region)
    listed = new = 0
    for part in chunked(refs, 500):
        with database.begin() as connection:
            for ref in sorted(filter(is_log, part), key=registering_order):
                listed += 1
                new += register_object(connection, ref, origin, datetime.now(UTC))
    return Registered(listed, new)


def registering_order(ref: ObjectRef) -> tuple[str, str, str]:
    """In which order one transaction registers objects.

    On PostgreSQL a new row waits for another transaction's of the same object: two that register the same objects in
    different orders would wait for each other.
    """
    return ref.bucket, ref.key, ref.etag or ""


def is_log(ref: ObjectRef) -> bool:
    """Whether an object may hold logs: a folder marker and a service's test file do not."""
    return parse_object_key(ref.key).kind is not KeyKind.SKIP


def register_object(
    connection: sa.Connection,
    ref: ObjectRef,
    origin: Origin,
    now: datetime,
    status: ObjectStatus = ObjectStatus.PENDING,
    error: str | None = None,
) -> bool:
    """Register one object; whether that gives somebody something to do.

    The delivery hour is the key's, else the hour of the last modification.
    """
    facts = parse_object_key(ref.key)
    hour = facts.delivery_hour
    return ledger.register(
        connection,
        ref,
        integration=origin.integration,
        delivery_hour=hour if hour is not None else hour_of(ref.last_modified or now),
        kind="digest" if facts.kind is KeyKind.DIGEST else "log",
        account=facts.account or origin.account,
        region=facts.region or origin.region,
        now=now,
        status=status,
        error=error,
    )
