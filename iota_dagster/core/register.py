"""Entering log objects into the ledger: what a key or a listing says, made a row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.object_key import parse_object_key
from iota_dagster.core.store import ledger
from iota_dagster.core.store.database import Database, chunked


@dataclass(frozen=True, slots=True)
class Registered:
    """How many objects a listing held, and how many of them the ledger did not have."""

    listed: int
    new: int


def register_objects(
    database: Database,
    refs: Iterable[ObjectRef],
    integration: str,
    account: str | None = None,
    region: str | None = None,
) -> Registered:
    """Register listed objects as pending; what the ledger has already stays as it is.

    The delivery hour is the key's, else the hour of the last modification. Folder markers are left out.
    """
    listed = new = 0
    for part in chunked(refs, 500):
        with database.begin() as connection:
            for ref in part:
                facts = parse_object_key(ref.key)
                if facts.kind == "skip":
                    continue
                now = datetime.now(UTC)
                hour = facts.delivery_hour
                listed += 1
                new += ledger.register(
                    connection,
                    ref,
                    integration=integration,
                    delivery_hour=hour if hour is not None else hour_of(ref.last_modified or now),
                    kind="digest" if facts.kind == "digest" else "log",
                    account=facts.account or account,
                    region=facts.region or region,
                    now=now,
                )
    return Registered(listed, new)
