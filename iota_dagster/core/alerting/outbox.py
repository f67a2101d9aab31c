"""The outbox: one row for each alert and destination, written with the alert, sent afterwards.

A row is `pending`, then `sending` under a lease (`next_attempt_at` is its end), then `sent` or `failed`; an attempt
that failed makes it `pending` again, later each time. A sender that dies leaves a lease that runs out: whoever claims
the row next sees by `attempts` that it may have been sent already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.alerting.ids import delivery_id
from iota_dagster.core.alerting.text import storable_text
from iota_dagster.core.model import Alert, Delivery
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.schema import alerts, as_values, deliveries

_STARTED = ("sending", "sent")
_UNSENT = ("pending", "sending")
_ERROR_LENGTH = 1_000


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait after a failed attempt (`first`, doubled each time up to `longest`), and how many to make.

    The default gives a destination a day to come back.
    """

    first: timedelta = timedelta(seconds=30)
    longest: timedelta = timedelta(hours=1)
    attempts: int = 31

    def wait(self, attempts: int) -> timedelta:
        """The wait after that many failed attempts."""
        doublings = min(max(attempts - 1, 0), 20)
        return min(self.first * (1 << doublings), self.longest)


DEFAULT_RETRY = RetryPolicy()


def put(connection: sa.Connection, destinations: Mapping[str, Sequence[str]], now: datetime) -> int:
    """Write a pending row for each destination of each alert, given by id; returns how many."""
    rows = [
        {
            "id": delivery_id(alert, name),
            "alert_id": alert,
            "destination": name,
            "status": "pending",
            "created_at": now,
            "next_attempt_at": now,
        }
        for alert, names in destinations.items()
        for name in sorted(set(names))
    ]
    for chunk in chunked(rows):
        connection.execute(insert_ignore(connection, deliveries), chunk)
    return len(rows)


def take_back(connection: sa.Connection, alert_ids: Sequence[str]) -> set[str]:
    """Remove what is not on its way yet; returns those of the alerts that people have seen, or may have."""
    mine = deliveries.c.alert_id.in_(alert_ids)
    # First the deletion, which waits for a claim in progress: only then is it certain what is left.
    connection.execute(sa.delete(deliveries).where(mine, deliveries.c.status.not_in(_STARTED)))
    return set(connection.scalars(sa.select(deliveries.c.alert_id).where(mine)))


def statuses(connection: sa.Connection, alert_ids: Iterable[str]) -> dict[str, set[str]]:
    """The statuses of the rows of some alerts; an alert without a row is left out."""
    found: dict[str, set[str]] = defaultdict(set)
    for chunk in chunked(alert_ids):
        query = sa.select(deliveries.c.alert_id, deliveries.c.status).where(deliveries.c.alert_id.in_(chunk))
        for alert_id, status in connection.execute(query):
            found[alert_id].add(status)
    return dict(found)


def owed(connection: sa.Connection, moment: datetime) -> list[str]:
    """The destinations of what is due by a moment; those that have failed the least with what they are owed first."""
    c = deliveries.c
    query = sa.select(c.destination).where(c.status.in_(_UNSENT)).group_by(c.destination)
    due = query.having(sa.func.min(c.next_attempt_at) <= moment)
    return list(connection.scalars(due.order_by(sa.func.max(c.attempts), c.destination)))


def claim_next(
    connection: sa.Connection, destination: str, owner: str, due: datetime, until: datetime
) -> Delivery | None:
    """Take a delivery to a destination until a moment: one that is due by `due`, or whose sender's lease ended by then.

    Those that were tried least go first, then the oldest: one that its destination does not stomach stops no other.
    `attempts` of a delivery counts the attempts before this one: above 0 it may have been sent already. None when there
    is nothing to take. Two callers never get the same row, nor does one wait for the other.
    """
    c = deliveries.c
    query = sa.select(c.id).where(c.destination == destination, _due(due))
    first = query.order_by(c.attempts, c.next_attempt_at, c.id).limit(1).with_for_update(skip_locked=True)
    wanted = connection.scalar(first)
    if wanted is None:
        return None
    taken = {"status": "sending", "owner": owner, "attempts": c.attempts + 1, "next_attempt_at": until, "error": None}
    connection.execute(sa.update(deliveries).where(c.id == wanted).values(taken))
    columns = [column.label(f"delivery_{column.name}") for column in deliveries.columns]
    claimed = sa.select(alerts, *columns).join(deliveries, c.alert_id == alerts.c.id).where(c.id == wanted)
    return _delivery(connection.execute(claimed).mappings().one())


def put_off(connection: sa.Connection, destination: str, due: datetime, until: datetime) -> None:
    """Let what is due at a destination by `due` wait until a later moment; it counts as no attempt.

    Rows that somebody claims or takes back meanwhile are left to them, not waited for.
    """
    c = deliveries.c
    waiting = sa.select(c.id).where(c.destination == destination, _due(due)).with_for_update(skip_locked=True)
    connection.execute(sa.update(deliveries).where(c.id.in_(waiting)).values(next_attempt_at=until))


def mark_sent(connection: sa.Connection, delivery: Delivery, now: datetime) -> None:
    """Note that a destination has the alert: a fact, whoever holds the lease by now."""
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery.id)
        .values(status="sent", owner=None, sent_at=now, error=None)
    )


def mark_failed(
    connection: sa.Connection,
    delivery: Delivery,
    owner: str,
    error: str,
    now: datetime,
    *,
    policy: RetryPolicy = DEFAULT_RETRY,
    final: bool = False,
) -> bool:
    """Note a failed attempt; returns whether there will be another. `final`: no retry can help.

    Does nothing when the lease has run out and another sender has the row.
    """
    attempts = delivery.attempts + 1
    again = not final and attempts < policy.attempts
    connection.execute(
        sa.update(deliveries)
        .where(deliveries.c.id == delivery.id, deliveries.c.owner == owner, deliveries.c.status == "sending")
        .values(
            status="pending" if again else "failed",
            owner=None,
            error=storable_text(error)[:_ERROR_LENGTH],
            next_attempt_at=now + policy.wait(attempts),
        )
    )
    return again


def retry_given_up(connection: sa.Connection, destination: str, now: datetime) -> tuple[int, datetime | None]:
    """Make what a destination was given up on due again; returns how many, and when the oldest came to be.

    Withdrawn alerts stay given up. One attempt stays counted: the destination is asked first whether it has the alert.
    """
    c = deliveries.c
    withdrawn = sa.select(alerts.c.id).where(alerts.c.status == "withdrawn")
    mine = (c.destination == destination, c.status == "failed", c.alert_id.not_in(withdrawn))
    again = sa.update(deliveries).where(*mine).returning(c.created_at)
    found = connection.scalars(again.values(status="pending", attempts=1, next_attempt_at=now)).all()
    return len(found), min(found, default=None)


def give_up(connection: sa.Connection, destination: str) -> int:
    """Make no further attempt at what waits for a destination; returns how many. What is being sent is left alone."""
    waiting = (deliveries.c.destination == destination, deliveries.c.status == "pending")
    return connection.execute(sa.update(deliveries).where(*waiting).values(status="failed")).rowcount


def _due(moment: datetime) -> sa.ColumnElement[bool]:
    return deliveries.c.status.in_(_UNSENT) & (deliveries.c.next_attempt_at <= moment)


def _delivery(row: Mapping[Any, Any]) -> Delivery:
    return Delivery(
        id=row["delivery_id"],
        alert=Alert(**as_values(row, alerts)),
        destination=row["delivery_destination"],
        attempts=row["delivery_attempts"] - 1,
    )
