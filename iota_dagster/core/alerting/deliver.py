"""Sending what the outbox holds: each alert once to each of its destinations, whatever dies on the way.

A delivery is claimed, sent and marked in this order, so a crash leaves at worst one that is sent but not marked; before
an attempt that is not the first the destination is asked whether it has it already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol

import sqlalchemy as sa

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.destination import Destination
from iota_dagster.core.alerting.outbox import DEFAULT_RETRY, RetryPolicy
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery

LEASE = timedelta(minutes=5)
"""How long a claimed delivery is left to its sender."""

_AT_ONCE = 10  # few enough that slow destinations stay within the lease


class Store(Protocol):
    """The one thing that is needed of the store; `store.database.Database` is one."""

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A write transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some deliveries: sent, to be tried again, given up; and the last error's words."""

    sent: int = 0
    retried: int = 0
    failed: int = 0
    error: str | None = None

    def __add__(self, other: Tally) -> Tally:
        """Both together; of two errors the later one, which is the right-hand one's."""
        return Tally(
            self.sent + other.sent,
            self.retried + other.retried,
            self.failed + other.failed,
            other.error or self.error,
        )


@dataclass(frozen=True, slots=True)
class DeliveryReport:
    """What `deliver_due` did, in all and by destination."""

    by_destination: Mapping[str, Tally] = field(default_factory=dict)

    @property
    def total(self) -> Tally:
        """The sum over all destinations."""
        return sum(self.by_destination.values(), Tally())

    @property
    def sent(self) -> int:
        """Deliveries that arrived."""
        return self.total.sent

    @property
    def retried(self) -> int:
        """Deliveries that did not arrive and will be tried again."""
        return self.total.retried

    @property
    def failed(self) -> int:
        """Deliveries that were given up."""
        return self.total.failed


def deliver_due(
    store: Store,
    destinations: Iterable[Destination],
    owner: str,
    *,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    policy: RetryPolicy = DEFAULT_RETRY,
) -> DeliveryReport:
    """Send every delivery that is due; returns when none is left.

    `owner` names this sender and must be its own. No failure of a destination stops the others or is raised: it is
    kept with the delivery and reported. Only the store's own errors are raised.
    """
    known = {destination.name: destination for destination in destinations}
    tallies: dict[str, Tally] = {}
    while claimed := _claim(store, owner, clock()):
        for delivery in claimed:
            tally = _deliver(store, known.get(delivery.destination), delivery, owner, clock, policy)
            tallies[delivery.destination] = tallies.get(delivery.destination, Tally()) + tally
    return DeliveryReport(dict(sorted(tallies.items())))


def _claim(store: Store, owner: str, now: datetime) -> list[Delivery]:
    with store.begin() as connection:
        return outbox.claim_due(connection, owner, now, LEASE, _AT_ONCE)


def _deliver(
    store: Store,
    destination: Destination | None,
    delivery: Delivery,
    owner: str,
    clock: Callable[[], datetime],
    policy: RetryPolicy,
) -> Tally:
    """One attempt, and its mark in the outbox."""
    try:
        _send(destination, delivery)
    except Exception as error:  # a fault in one destination's code must not keep alerts from the others
        reason = str(error) if isinstance(error, DeliveryFailed) else f"{type(error).__name__}: {error}"
        final = isinstance(error, DeliveryFailed) and not error.retry_helps
        with store.begin() as connection:
            again = outbox.mark_failed(connection, delivery, owner, reason, clock(), policy=policy, final=final)
        return Tally(retried=int(again), failed=int(not again), error=reason)
    with store.begin() as connection:
        outbox.mark_sent(connection, delivery, clock())
    return Tally(sent=1)


def _send(destination: Destination | None, delivery: Delivery) -> None:
    """Send unless it has arrived before, or must not go any more."""
    if destination is None:
        raise _Never(f"no destination {delivery.destination!r} is configured: add it, or correct the routing")
    if delivery.attempts > 0 and destination.was_delivered(delivery):
        return
    if delivery.alert.status == "withdrawn":
        raise _Never("the alert was withdrawn before it could be sent")
    destination.send(delivery)


class _Never(DeliveryFailed):
    """A delivery that no retry can help."""

    retry_helps = False
