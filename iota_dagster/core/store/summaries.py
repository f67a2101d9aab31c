"""What was added to the store between two moments: the figures that a command prints when it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.store import lake_catalog
from iota_dagster.core.store.schema import alerts, log_objects, matches


@dataclass(frozen=True, slots=True)
class Mark:
    """The store's totals at one moment."""

    totals: Mapping[str, int]
    rows: Mapping[str, int]


def mark(connection: sa.Connection) -> Mark:
    """The totals now."""
    c = log_objects.c
    processed = c.status.in_((ObjectStatus.DONE, ObjectStatus.QUARANTINED))
    sums = [sa.func.coalesce(sa.func.sum(column), 0) for column in (c.records, c.rows, c.duplicates, c.quarantined)]
    row = connection.execute(sa.select(sa.func.count(), *sums).select_from(log_objects).where(processed)).one()
    names = ("objects", "records", "events", "duplicates", "quarantined")
    totals = {name: int(value) for name, value in zip(names, row, strict=True)}
    for name, table in (("matches", matches), ("alerts", alerts)):
        totals[name] = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
    return Mark(totals, lake_catalog.table_rows(connection))


def since(connection: sa.Connection, before: Mark) -> dict[str, Any]:
    """What has been added since a mark; `rows` by lake table, without tables that did not change."""
    now = mark(connection)
    added: dict[str, Any] = {name: value - before.totals[name] for name, value in now.totals.items()}
    rows = {table: count - before.rows.get(table, 0) for table, count in now.rows.items()}
    return added | {"rows": {table: count for table, count in sorted(rows.items()) if count}}
