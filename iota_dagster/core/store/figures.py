"""Figures in the store: each batch's own, and their totals, which is what `/metrics` shows.

A batch's figures are written in the transaction that commits or publishes it, and the totals grow by what is new in
them: so a step that is repeated, by whomever, adds nothing. A total never goes back, since Prometheus would take that
for a restart at zero: of a batch that is done again the larger value counts, and of its durations the first ones.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from iota_dagster.core.alerting.paging import oldest_to_send
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.figures import Figures, Series, Step
from iota_dagster.core.observability.metrics import Family, Kind, family_of
from iota_dagster.core.store.database import Database, chunked, upsert
from iota_dagster.core.store.schema import alerts, batch_figures, batches, figure_totals, log_objects

Values = Mapping[Series, float]


@dataclass(frozen=True, slots=True)
class Arrival:
    """When a log object was delivered to its bucket, as far as that is known, and registered in the ledger."""

    delivered: datetime | None
    registered: datetime


@dataclass(frozen=True, slots=True)
class Total:
    """One series of the totals; `since` says when it first appeared."""

    name: str
    labels: tuple[str, ...]
    value: float
    since: datetime


def record(connection: sa.Connection, batch_id: str, step: Step, found: Figures, now: datetime) -> None:
    """Write a step's figures, in the step's own transaction; the same again changes nothing.

    The caller holds a lock on the batch, so that no two write the same step at once.
    """
    if not found.values:
        return
    c = batch_figures.c
    query = sa.select(c.figures).where(c.batch_id == batch_id, c.step == step)
    before = decoded(connection.execute(query).scalar())
    after = merged(before, found.values)
    grown = {series: value - before.get(series, 0) for series, value in after.items() if value != before.get(series)}
    if not grown:
        return
    row = {"batch_id": batch_id, "step": step.value, "figures": _encoded(after)}
    connection.execute(upsert(connection, batch_figures), row)
    add(connection, {key: after[key] if _is_latest(key) else value for key, value in grown.items()}, now)


def merged(before: Values, now: Values) -> dict[Series, float]:
    """A batch's figures after one more revision: of numbers the larger, of durations those of the first time.

    What another version of iota wrote under names that this one does not know stays as it is.
    """
    families = {family_of(name) for name, _ in before}
    timed = {family.name for family in families if family is not None and family.kind is Kind.HISTOGRAM}
    after = dict(before)
    for series, value in now.items():
        if _family(series).name not in timed:
            after[series] = max(value, before.get(series, value))
    return after


def add(connection: sa.Connection, values: Values, now: datetime) -> None:
    """Add to the totals, always in one order, so that two transactions wait for each other but never deadlock."""
    c = figure_totals.c
    new: sa.ColumnElement[float] = sa.literal_column("excluded.value", sa.Double)
    for latest in (False, True):
        rows = [
            {"name": series[0], "labels": json.dumps(series[1]), "value": value, "since": now}
            for series, value in sorted(values.items())
            if _is_latest(series) is latest
        ]
        if rows:
            value = sa.case((new > c.value, new), else_=c.value) if latest else c.value + new
            connection.execute(upsert(connection, figure_totals, update=(), assign={"value": value}), rows)


def flush(database: Database, now: datetime) -> None:
    """Add this process's transactions to the totals: what no batch owns, and a killed process takes with it."""
    found, taken = Figures(), database.operations.take()
    for (operation, status), (count, seconds) in taken.items():
        found.add(metrics.STORE_OPERATIONS, operation, status, value=count)
        found.add(metrics.STORE_SECONDS, operation, value=seconds)
    try:
        with database.begin() as connection:
            add(connection, found.values, now)
    except BaseException:
        database.operations.give_back(taken)
        raise


def totals(connection: sa.Connection) -> list[Total]:
    """All totals, the oldest series first."""
    c = figure_totals.c
    rows = connection.execute(sa.select(figure_totals).order_by(c.since, c.name, c.labels))
    return [Total(row.name, tuple(json.loads(row.labels)), row.value, row.since) for row in rows]


def arrivals(connection: sa.Connection, batch_id: str) -> dict[int, Arrival]:
    """When a batch's objects arrived, by their id."""
    c = log_objects.c
    rows = connection.execute(sa.select(c.id, c.last_modified, c.registered_at).where(c.batch_id == batch_id))
    return {row.id: Arrival(row.last_modified, row.registered_at) for row in rows}


def since_commit(connection: sa.Connection, batch_id: str, now: datetime) -> list[float]:
    """The seconds since a batch was first committed; nothing for one that has been done again, or is no batch."""
    c = batches.c
    query = sa.select(c.committed_at).where(c.id == batch_id, c.revision == 1, c.committed_at.is_not(None))
    return [(now - moment).total_seconds() for moment in connection.execute(query).scalars()]


def record_alerts(
    connection: sa.Connection, batch_id: str, created: Iterable[str], now: datetime, notify_within: timedelta
) -> None:
    """Count the alerts that a batch, or a unit of a correlation rule, brought; lags of those young enough to page."""
    found, fresh, c = Figures(), list[float](), alerts.c
    for ids in chunked(created):
        query = sa.select(c.severity, c.rule_id, c.last_event_time).where(c.id.in_(ids))
        for alert in connection.execute(query):
            found.add(metrics.ALERTS, alert.severity, alert.rule_id)
            if alert.last_event_time >= oldest_to_send(now, notify_within):
                fresh.append((now - alert.last_event_time).total_seconds())
    found.observe(metrics.LAG, "event_to_alert", seconds=fresh)
    if fresh:
        found.observe(metrics.LAG, "committed_to_alert", seconds=since_commit(connection, batch_id, now) * len(fresh))
    add(connection, found.values, now)  # an alert comes to be once: there is nothing to compare with


def _is_latest(series: Series) -> bool:
    """Whether a total is the largest of its values instead of their sum: a moment."""
    return _family(series).kind is Kind.GAUGE


def _family(series: Series) -> Family:
    family = family_of(series[0])
    assert family is not None, f"{series[0]} is no metric of ours"
    return family


def _encoded(values: Values) -> bytes:
    """Packed: hundreds of rules make a tenth of their text."""
    rows = [(name, labels, value) for (name, labels), value in sorted(values.items())]
    return zlib.compress(json.dumps(rows, separators=(",", ":")).encode(), 1)


def decoded(data: bytes | None) -> dict[Series, float]:
    """A step's figures as the store keeps them, unpacked."""
    rows = json.loads(zlib.decompress(data)) if data else []
    return {(name, tuple(labels)): value for name, labels, value in rows}
