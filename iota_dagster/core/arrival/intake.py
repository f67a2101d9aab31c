"""Queue messages → the ledger: what they name is registered, and only then may they be deleted.

A message is deleted when all that it says is durable: its objects are rows of the ledger, the event that it brings is
spooled (see `spooling`), or its body is in quarantine. One that cannot be settled now (its object has to be looked up
and the role does not answer) stays in the queue and comes again after the visibility timeout.

Many messages are taken at once. Where that fails for whatever reason but an outage, they are taken one by one, and the
one that fails by itself goes to quarantine: no message can stop the queue.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial

import sqlalchemy as sa

from iota_dagster.core.arrival.notification import Message, MessageKind, read_message
from iota_dagster.core.arrival.register import Origin, is_log, register_object, registering_order
from iota_dagster.core.arrival.spooling import EventSpool, event_id
from iota_dagster.core.aws.queue import AT_ONCE, Received, SqsQueue
from iota_dagster.core.errors import ObjectError, ObjectMissing, Outage
from iota_dagster.core.isolating import isolated
from iota_dagster.core.model import ObjectRef, ObjectStatus
from iota_dagster.core.objects import ObjectReader
from iota_dagster.core.store import messages as message_store
from iota_dagster.core.store.database import Database

DRAIN_SECONDS = 3
"""How long messages are taken in before what they named is acted on."""
SPOOL_EVENTS, SPOOL_BYTES = 5_000, 8 << 20
"""Events of several rounds go into one object, until they are so many or so large."""
LOOKUPS = 8
"""Threads that look up objects whose message names no etag."""
UNKNOWN = Origin("unknown")
"""Of objects that no integration reads."""


class Outcome(StrEnum):
    """What became of a message."""

    REGISTERED = "registered"  # its objects are in the ledger
    NOISE = "noise"  # it says nothing that we need
    QUARANTINED = "quarantined"  # it cannot be read, in part at least: kept whole
    SPOOLED = "spooled"  # the event that it brings is in an object of ours
    HELD = "held"  # an object could not be looked up, or written, now: left in the queue


@dataclass(slots=True)
class Taken:
    """What was brought: messages by kind and outcome, objects named, those the ledger did not have, events spooled."""

    messages: Counter[tuple[MessageKind, Outcome]] = field(default_factory=Counter)
    objects: int = 0
    new: int = 0
    events: int = 0
    outages: list[str] = field(default_factory=list)

    @property
    def received(self) -> int:
        """All messages."""
        return self.messages.total()

    def by_outcome(self) -> dict[str, int]:
        """Messages by outcome."""
        found: Counter[str] = Counter()
        for (_, outcome), number in self.messages.items():
            found[outcome.value] += number
        return dict(found)


@dataclass(frozen=True, slots=True)
class _Entry:
    """An object as it is to be registered."""

    ref: ObjectRef
    origin: Origin
    status: ObjectStatus = ObjectStatus.PENDING
    error: str | None = None


@dataclass(frozen=True, slots=True)
class _Settled:
    """A message, what it says, and what is to be done about it."""

    received: Received
    message: Message
    outcome: Outcome
    entries: tuple[_Entry, ...] = ()
    outage: str | None = None

    @property
    def deletable(self) -> bool:
        return self.outcome is not Outcome.HELD

    def events(self) -> dict[bytes, bytes]:
        """The envelopes of the events that it brings, by what tells them from all others."""
        return {event_id(event, self.received.id): event.envelope for event in self.message.events}


@dataclass(slots=True)
class _Carried:
    """Messages that bring events, collected over some rounds, to be spooled together."""

    settled: list[_Settled] = field(default_factory=list)
    bytes: int = 0

    def add(self, item: _Settled) -> None:
        self.settled.append(item)
        self.bytes += sum(len(event.envelope) for event in item.message.events)

    @property
    def is_full(self) -> bool:
        return len(self.settled) >= SPOOL_EVENTS or self.bytes >= SPOOL_BYTES


@dataclass(frozen=True, slots=True)
class Intake:
    """Takes messages in. `origin_of(bucket, key)` names the integration that reads an object; None without one."""

    database: Database
    objects: ObjectReader
    origin_of: Callable[[str, str], Origin | None]
    spool: EventSpool
    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def drain(self, queue: SqsQueue, wait_seconds: int, most: int) -> Taken:
        """Wait for a first message, then take what there is for a few seconds, about `most` messages.

        Each round is stored and deleted before the next one is received, so that a process that dies holds few back.
        Only events wait for those of the next rounds: fewer and larger objects are made of them.
        """
        taken, carried = Taken(), _Carried()
        received = queue.receive(wait_seconds)
        end = time.monotonic() + DRAIN_SECONDS
        while received:
            is_stuck = not self._take(queue, received, taken, carried)
            if carried.is_full:
                is_stuck |= not self._spool(queue, carried.settled, taken)
                carried = _Carried()
            if taken.received + len(carried.settled) >= most or is_stuck or time.monotonic() > end:
                break
            received = queue.receive_many() if len(received) >= AT_ONCE else queue.receive()
        self._spool(queue, carried.settled, taken)
        return taken

    def _take(self, queue: SqsQueue, received: Sequence[Received], taken: Taken, carried: _Carried) -> bool:
        """Take one round in; False when all of it has to stay in the queue."""
        settled: list[_Settled] = []
        for item in isolated(received, self._settle, _spoiled):
            if item.outcome is Outcome.SPOOLED:
                carried.add(item)
            else:
                settled.append(item)
        if settled:
            self._end(queue, isolated(settled, partial(self._commit, taken), partial(self._give_up, taken)), taken)
        return len(settled) < len(received) or any(item.deletable for item in settled)

    def _spool(self, queue: SqsQueue, carried: Sequence[_Settled], taken: Taken) -> bool:
        """Make events durable; False when that is impossible now: their messages stay."""
        if not carried:
            return True
        try:
            ended = isolated(carried, partial(self._keep, taken), partial(self._give_up, taken))
        except Outage as outage:
            ended = self._commit(taken, [replace(item, outcome=Outcome.HELD) for item in carried])
            taken.outages.append(str(outage))
        self._end(queue, ended, taken)
        return any(item.deletable for item in ended)

    def _commit(self, taken: Taken, settled: Sequence[_Settled]) -> list[_Settled]:
        with self.database.begin() as connection:
            new = self._store(connection, settled)
        taken.new += new
        return list(settled)

    def _give_up(self, taken: Taken, item: _Settled, error: Exception) -> list[_Settled]:
        """Quarantine a message that cannot be made durable by itself either."""
        return self._commit(taken, _spoiled(item.received, error, item.message.kind))

    def _keep(self, taken: Taken, carried: Sequence[_Settled], forget: bool = False) -> Sequence[_Settled]:
        """Spool events; with `forget` their messages leave the quarantine."""

        def beside(connection: sa.Connection) -> None:
            self._store(connection, carried)
            for item in carried if forget else ():
                message_store.forget(connection, item.received.body)

        events: dict[bytes, bytes] = {}
        for item in carried:
            events |= item.events()
        taken.events += self.spool.keep(events, self.clock(), beside)
        return carried

    def _end(self, queue: SqsQueue, settled: Sequence[_Settled], taken: Taken) -> None:
        """Delete messages whose content is durable, and note what became of all."""
        queue.delete([item.received for item in settled if item.deletable])
        for item in settled:
            taken.messages[item.message.kind, item.outcome] += 1
            taken.objects += len(item.entries)
            if item.outage is not None:
                taken.outages.append(item.outage)

    def read_again(self, bodies: Sequence[str]) -> int:
        """Read messages of the quarantine once more; those that can be read now leave it. How many did."""
        settled = isolated([Received("", "", body) for body in bodies], self._settle, _spoiled)
        read = [item for item in settled if item.outcome in (Outcome.REGISTERED, Outcome.NOISE)]
        carried = [item for item in settled if item.outcome is Outcome.SPOOLED]
        left = isolated(read, self._release, _stays)
        return len(left) + len(isolated(carried, partial(self._keep, Taken(), forget=True), _stays))

    def _release(self, read: Sequence[_Settled]) -> Sequence[_Settled]:
        with self.database.begin() as connection:
            self._store(connection, read)
            for item in read:
                message_store.forget(connection, item.received.body)
        return read

    def _settle(self, received: Sequence[Received]) -> list[_Settled]:
        read = [(item, read_message(item.body)) for item in received]
        nameless = {ref for _, message in read for ref in message.objects if ref.etag is None and self._is_wanted(ref)}
        found = self._look_up(sorted(nameless, key=lambda ref: (ref.bucket, ref.key)))
        return [self._judge(item, message, found) for item, message in read]

    def _judge(self, item: Received, message: Message, found: Mapping[ObjectRef, _Entry | Outage]) -> _Settled:
        if message.kind is MessageKind.EVENTBRIDGE_EVENT:
            return _Settled(item, message, Outcome.SPOOLED)
        entries: list[_Entry] = []
        for ref in filter(self._is_wanted, message.objects):
            entry = found[ref] if ref in found else self._entry(ref)
            if isinstance(entry, Outage):
                return _Settled(item, message, Outcome.HELD, outage=str(entry))
            entries.append(entry)
        outcome = Outcome.REGISTERED if entries else Outcome.NOISE
        return _Settled(item, message, Outcome.QUARANTINED if message.problems else outcome, tuple(entries))

    def _is_wanted(self, ref: ObjectRef) -> bool:
        """Whether a message may register an object: what is spooled, or was about to be, is the spool's alone."""
        return is_log(ref) and not self.spool.owns(ref.bucket, ref.key)

    def _entry(self, ref: ObjectRef) -> _Entry:
        origin = self.origin_of(ref.bucket, ref.key)
        if origin is None:
            why = "no integration is configured for this bucket and prefix"
            return _Entry(ref, UNKNOWN, ObjectStatus.REFUSED, why)
        return _Entry(ref, origin)

    def _look_up(self, refs: Sequence[ObjectRef]) -> dict[ObjectRef, _Entry | Outage]:
        """The entries of objects whose message names no etag: CloudTrail's own notices."""
        if not refs:
            return {}
        with ThreadPoolExecutor(min(LOOKUPS, len(refs))) as pool:
            return dict(zip(refs, pool.map(self._look_up_one, refs), strict=True))

    def _look_up_one(self, ref: ObjectRef) -> _Entry | Outage:
        entry = self._entry(ref)
        if entry.status is not ObjectStatus.PENDING:
            return entry
        try:
            return replace(entry, ref=self.objects.head(ref.bucket, ref.key))
        except ObjectMissing as error:
            return replace(entry, status=ObjectStatus.MISSING, error=str(error))
        except ObjectError as error:
            return replace(entry, status=ObjectStatus.REFUSED, error=str(error))
        except Outage as outage:
            return outage

    def _store(self, connection: sa.Connection, settled: Sequence[_Settled]) -> int:
        """Make durable what the messages say; how many objects that gives somebody to do."""
        now, new = self.clock(), 0
        entries = [entry for item in settled for entry in item.entries]
        for entry in sorted(entries, key=lambda entry: registering_order(entry.ref)):
            new += register_object(connection, entry.ref, entry.origin, now, entry.status, entry.error)
        for item in settled:
            if item.outcome is Outcome.QUARANTINED:
                message_store.keep(connection, item.received.body, "; ".join(item.message.problems), now)
        counted = Counter((item.message.kind.value, item.outcome.value) for item in settled)
        message_store.count(connection, counted)
        return new


def _spoiled(received: Received, error: Exception, kind: MessageKind = MessageKind.UNREADABLE) -> tuple[_Settled, ...]:
    """A message that nobody foresaw."""
    message = Message(kind, problems=(f"{type(error).__name__}: {error}",))
    return (_Settled(received, message, Outcome.QUARANTINED),)


def _stays(item: _Settled, error: Exception) -> tuple[_Settled, ...]:
    """A message that stays in quarantine."""
    return ()


def origins(rules: Sequence[tuple[str, str, Origin]]) -> Callable[[str, str], Origin | None]:
    """The origin of an object by (bucket, prefix, origin) rules: the longest prefix of its bucket wins."""
    by_bucket: dict[str, list[tuple[str, Origin]]] = {}
    for bucket, prefix, origin in sorted(rules, key=lambda rule: -len(rule[1])):
        by_bucket.setdefault(bucket, []).append((prefix, origin))

    def of(bucket: str, key: str) -> Origin | None:
        found = _matching(by_bucket.get(bucket, ()), key)
        return next(found, None)

    return of


def _matching(rules: Sequence[tuple[str, Origin]], key: str) -> Iterator[Origin]:
    return (origin for prefix, origin in rules if key.startswith(prefix))
