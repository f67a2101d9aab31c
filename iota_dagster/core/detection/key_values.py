"""What rules remember from event to event: counters, sets of texts and dictionaries under keys of their choice.

Every write carries a stamp, the time and the id of the event that was judged, and a read sees only what earlier
stamps have written. So an hour that is judged again, or a backtest, gives the same answers as the first time: it does
not see its own writes of then, and overwrites them. Within one event the rules see each other's writes, in the order
in which they run, as they would on the first time; nobody else's order matters.

A value ends some time after the *event* that wrote it. What rules call is in `rule_memory`.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol

import msgspec

VALUE_LIMIT = 400 * 1024
"""Bytes of one value, as JSON."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Stamp(NamedTuple):
    """When something was written, in event time: an aware moment, and the event's id for those of one moment."""

    event_time: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class StoredValue:
    """What a key holds: JSON (`count`, `strings`, `dictionary`), by whom it was written, and when it ends."""

    stamp: Stamp
    value: dict[str, Any]
    expires_at: datetime


class EarlierValues(Protocol):
    """Values that can be read: what the events before have left."""

    def read(self, key: str, before: Stamp) -> StoredValue | None:
        """The newest value of a key with a smaller stamp than this one, ended or not."""


class Values(EarlierValues, Protocol):
    """Where values are kept."""

    def write(self, key: str, stamp: Stamp, value: dict[str, Any], expires_at: datetime) -> None:
        """Keep a value; it replaces what the same stamp has written under the key before."""


class MemoryValues:
    """Values in memory, for tests, or as a layer over others: what is written stays here, `written` lists it."""

    def __init__(self, below: EarlierValues | None = None) -> None:
        self._below = below
        self._by_key: dict[str, list[StoredValue]] = {}

    def read(self, key: str, before: Stamp) -> StoredValue | None:
        """The newest earlier value, of this layer or the one below."""
        mine = self._by_key.get(key, ())
        index = bisect.bisect_left(mine, before, key=_stamp)
        found = mine[index - 1] if index else None
        below = self._below.read(key, before) if self._below is not None else None
        return found if below is None or (found is not None and found.stamp >= below.stamp) else below

    def write(self, key: str, stamp: Stamp, value: dict[str, Any], expires_at: datetime) -> None:
        """Keep a value in this layer."""
        mine = self._by_key.setdefault(key, [])
        index = bisect.bisect_left(mine, stamp, key=_stamp)
        replaced = index < len(mine) and mine[index].stamp == stamp
        mine[index : index + replaced] = [StoredValue(stamp, value, expires_at)]

    def written(self) -> Iterator[tuple[str, StoredValue]]:
        """Everything in this layer, by key and stamp."""
        for key, values in self._by_key.items():
            for value in values:
                yield key, value


def _stamp(stored: StoredValue) -> Stamp:
    return stored.stamp


class Session:
    """The values as the rules see them that judge one event after another; the engine calls `begin` for each."""

    __slots__ = ("_event", "_own", "_stamp", "_values")

    def __init__(self, values: Values) -> None:
        self._values = values
        self.begin({})

    def begin(self, event: Mapping[str, Any]) -> None:
        """Turn to an event. Its stamp is read when a rule asks; one without an envelope is of 1970."""
        self._event = event
        self._stamp: Stamp | None = None
        self._own: dict[str, StoredValue] | None = None

    @property
    def stamp(self) -> Stamp:
        """The current event's stamp."""
        if self._stamp is None:
            self._stamp = Stamp(_moment(self._event.get("p_event_time")), str(self._event.get("p_event_id") or ""))
        return self._stamp

    def load(self, key: str) -> StoredValue | None:
        """What a key holds for the current event: written by it, or before it; None when there is nothing (left)."""
        found = (self._own or {}).get(key) or self._values.read(key, self.stamp)
        return found if found is not None and found.expires_at > self.stamp.event_time else None

    def save(self, key: str, value: dict[str, Any], expires_at: datetime) -> None:
        """Keep what the current event says of a key; `ValueError` when it is too large."""
        size = len(msgspec.json.encode(value))
        if size > VALUE_LIMIT:
            raise ValueError(f"the value of {key!r} takes {size:,} bytes; at most {VALUE_LIMIT:,} are kept")
        stored = StoredValue(self.stamp, value, expires_at)
        self._own = {**(self._own or {}), key: stored}
        self._values.write(key, stored.stamp, value, expires_at)


current: ContextVar[Session | None] = ContextVar("current", default=None)
"""The session of the event that is being judged."""


@contextmanager
def use(values: Values) -> Iterator[Session]:
    """A session over some values, which rules that run inside the block read and write."""
    session = Session(values)
    token = current.set(session)
    try:
        yield session
    finally:
        current.reset(token)


def _moment(text: Any) -> datetime:
    if text is None:
        return _EPOCH
    moment = datetime.fromisoformat(str(text))
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
