"""Sending what the outbox holds: each alert once to each of its destinations, whatever dies on the way.

A delivery is claimed, sent and marked in this order, one by one, so a crash leaves at worst one that is sent but not
marked; before an attempt that is not the first the destination is asked whether it has it already.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeVar

import sqlalchemy as sa

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.destination import Destination, Unavailable
from iota_dagster.core.alerting.outbox import DEFAULT_RETRY, RetryPolicy
from iota_dagster.core.errors import DeliveryFailed, Outage
from iota_dagster.core.model import Delivery

LEASE = timedelta(minutes=5)
"""How long a claimed delivery is left to its sender."""
LONGEST = timedelta(minutes=1)
"""How long a call goes on to the next delivery: a run that sends has other work to do, and others send as well."""

_PAUSE = timedelta(seconds=2)  # between two tries to tell a store that is away
_Noted = TypeVar("_Noted")


class Store(Protocol):
    """What is needed of the store; `store.database.Database` is one."""

    def begin(self) -> AbstractContextManager[sa.Connection]:
        """A write transaction."""
        ...

    def read(self) -> AbstractContextManager[sa.Connection]:
        """A read-only transaction."""
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

    def __add__(self, later: DeliveryReport) -> DeliveryReport:
        """Both together."""
        names = sorted(self.by_destination.keys() | later.by_destination.keys())
        mine, others = self.by_destination, later.by_destination
        return DeliveryReport({name: mine.get(name, Tally()) + others.get(name, Tally()) for name in names})

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
    wait: Callable[[float], object] = time.sleep,
    policy: RetryPolicy = DEFAULT_RETRY,
) -> DeliveryReport:
    """Send what is due by now, one delivery of each destination in turn; returns when none is left, or after `LONGEST`.

    `owner` names this sender and must be its own. No failure of a destination stops the others or is raised: it is
    kept with the delivery and reported, and nothing is tried twice in one call. What is due at a destination that is
    `Unavailable` waits for a later call. Only the store's own errors are raised.
    """
    sender = _Sender(store, {destination.name: destination for destination in destinations}, owner, clock, wait, policy)
    tallies: dict[str, Tally] = {}
    began = clock()
    with store.read() as connection:
        owed = deque(outbox.owed(connection, began))
    while owed and clock() - began < LONGEST:
        name = owed.popleft()
        tally = sender.send_next(name, began)
        if tally is not None:
            tallies[name] = tallies.get(name, Tally()) + tally
            owed.append(name)
    return DeliveryReport(dict(sorted(tallies.items())))


@dataclass(frozen=True, slots=True)
class _Sender:
    """Who sends, and by what."""

    store: Store
    destinations: Mapping[str, Destination]
    owner: str
    clock: Callable[[], datetime]
    wait: Callable[[float], object]
    policy: RetryPolicy

    def send_next(self, destination: str, due: datetime) -> Tally | None:
        """One attempt, and its mark in the outbox; None when nothing is due by `due` (any more).

        Where the destination is unavailable, all that is due by now waits as long as after a first attempt.
        """
        until = self.clock() + LEASE
        with self.store.begin() as connection:
            delivery = outbox.claim_next(connection, destination, self.owner, due, until)
        if delivery is None:
            return None
        try:
            _send(self.destinations.get(destination), delivery)
        except Exception as error:  # a fault in one destination's code must not keep alerts from the others
            return self._failed(delivery, error, until)
        sent_at = self.clock()
        self._note(lambda connection: outbox.mark_sent(connection, delivery, sent_at), until)
        return Tally(sent=1)

    def _failed(self, delivery: Delivery, error: Exception, until: datetime) -> Tally:
        reason = str(error) if isinstance(error, DeliveryFailed) else f"{type(error).__name__}: {error}"
        final = isinstance(error, DeliveryFailed) and not error.retry_helps
        now = self.clock()

        def write(connection: sa.Connection) -> bool:
            if isinstance(error, Unavailable):
                outbox.put_off(connection, delivery.destination, now, now + self.policy.wait(1))
            return outbox.mark_failed(connection, delivery, self.owner, reason, now, policy=self.policy, final=final)

        again = self._note(write, until)
        return Tally(retried=int(again), failed=int(not again), error=reason)

    def _note(self, write: Callable[[sa.Connection], _Noted], until: datetime) -> _Noted:
        """Write down what became of an attempt; an outage is waited out while nobody else may claim the delivery."""
        while True:
            try:
                with self.store.begin() as connection:
                    return write(connection)
            except Outage:
                if self.clock() + _PAUSE >= until:
                    raise
            self.wait(_PAUSE.total_seconds())


def _send(destination: Destination | None, delivery: Delivery) -> None:
    """Send unless it has arrived before, or must not go any more."""
    if destination is None:
        name = delivery.destination
        raise DeliveryFailed(f"no destination {name!r} is configured: add it, or correct routing and rules")
    if delivery.attempts > 0 and destination.was_delivered(delivery):
        return
    if delivery.alert.status == "withdrawn":
        raise _Never("the alert was withdrawn before it could be sent")
    destination.send(delivery)


class _Never(DeliveryFailed):
    """A delivery that no retry can help."""

    retry_helps = False
