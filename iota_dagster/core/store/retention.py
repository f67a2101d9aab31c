"""What the store says may be thrown away: files that nothing refers to any more, or that can be made again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.model import BatchStatus
from iota_dagster.core.store.commit import EventHour
from iota_dagster.core.store.database import chunked
from iota_dagster.core.store.schema import admissions, batches, log_objects


def work_in_use(connection: sa.Connection, batch_ids: Collection[str], done_before: datetime) -> set[str]:
    """Of some batches, the work folders that must stay: not published yet, or published a short while ago."""
    keep: set[str] = set()
    for ids in chunked(batch_ids):
        rows = connection.execute(
            sa.select(batches.c.work).where(
                batches.c.id.in_(ids),
                batches.c.work.is_not(None),
                sa.or_(batches.c.status != BatchStatus.DONE, batches.c.committed_at >= done_before),
            )
        )
        keep |= set(rows.scalars())
    return keep


def quiet_hours(connection: sa.Connection, before: datetime) -> list[EventHour]:
    """Event hours whose last admission lies before a moment."""
    rows = connection.execute(
        sa.select(admissions.c.log_type, admissions.c.hour)
        .group_by(admissions.c.log_type, admissions.c.hour)
        .having(sa.func.max(admissions.c.committed_at) < before)
        .order_by(admissions.c.log_type, admissions.c.hour)
    )
    return [(row.log_type, row.hour) for row in rows]


def referenced_id_files(connection: sa.Connection, files: Collection[str]) -> set[str]:
    """Which of some id files an admission names."""
    found: set[str] = set()
    for part in chunked(files):
        found |= set(connection.execute(sa.select(admissions.c.file).where(admissions.c.file.in_(part))).scalars())
    return found


def known_keys(connection: sa.Connection, bucket: str, keys: Collection[str]) -> set[str]:
    """Which of some keys of a bucket the ledger names."""
    c, found = log_objects.c, set[str]()
    for part in chunked(keys):
        found |= set(connection.execute(sa.select(c.key).where(c.bucket == bucket, c.key.in_(part))).scalars())
    return found
