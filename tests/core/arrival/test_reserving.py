"""Hours that a process keeps for itself: while it lives, renewed, and shortly after an abrupt end."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival import reserving as subject
from iota_dagster.core.arrival.reserving import RESERVED, reserving
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import hour_of
from iota_dagster.core.store import reserved_hours
from iota_dagster.core.store.database import Database

PAST = datetime(2001, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def reserved(store: Database, now: datetime | None = None) -> list[range]:
    with store.read() as connection:
        return reserved_hours.spans(connection, now or datetime.now(UTC))


def test_hours_are_reserved_for_as_long_as_the_block_runs(store: Database) -> None:
    with reserving(store, range(10, 20), DAY):
        assert reserved(store) == [range(10, 20)]
    assert reserved(store) == []


def test_a_block_that_fails_gives_its_hours_back(store: Database) -> None:
    with pytest.raises(RuntimeError), reserving(store, range(10, 20), DAY):
        raise RuntimeError
    assert reserved(store) == []


def test_two_that_overlap_do_not_give_back_what_the_other_has(store: Database) -> None:
    with reserving(store, range(10, 20), DAY):
        with reserving(store, range(15, 25), DAY):
            assert sorted(map(list, reserved(store))) == [list(range(10, 20)), list(range(15, 25))]
        assert reserved(store) == [range(10, 20)]


def test_a_reservation_is_renewed_before_it_ends(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert timedelta(seconds=subject.RENEWED_SECONDS) < RESERVED / 2
    kept, calls = reserved_hours.reserve, threading.Semaphore(0)
    ends: list[datetime] = []

    def reserve(connection: sa.Connection, holder: str, hours: range, until: datetime) -> None:
        kept(connection, holder, hours, until)
        ends.append(until)
        calls.release()

    monkeypatch.setattr(subject, "RENEWED_SECONDS", 0.01)
    monkeypatch.setattr(reserved_hours, "reserve", reserve)
    with reserving(store, range(10, 20), DAY):
        assert calls.acquire(timeout=30)
        assert calls.acquire(timeout=30), "once at the start, and again"
        assert reserved(store) == [range(10, 20)]
    assert ends[0] < ends[1]


def test_hours_that_may_still_page_are_nobodys_own(store: Database) -> None:
    now = hour_of(datetime.now(UTC))
    with reserving(store, range(now - 100, now + 1), DAY):
        (span,) = reserved(store)
    assert (span.start, span.stop) in ((now - 100, now - 24), (now - 100, now - 23)), "the hour may have just changed"
    with reserving(store, range(now - 10, now + 1), DAY):
        assert reserved(store) == []


def test_a_store_that_does_not_answer_spoils_no_work(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def outage(*_: object) -> None:
        raise Outage("the store did not answer")

    with reserving(store, range(10, 20), DAY):
        monkeypatch.setattr(reserved_hours, "release", outage)
    assert reserved(store) == [range(10, 20)], "it ends by itself"
    monkeypatch.setattr(reserved_hours, "forget_ended", outage)
    with reserving(store, range(15, 25), DAY):
        assert reserved(store) == [range(10, 20)]


def test_what_was_killed_keeps_its_hours_for_a_moment_only(store: Database) -> None:
    with store.begin() as connection:
        reserved_hours.reserve(connection, "killed", range(10, 20), PAST + RESERVED)
    assert reserved(store, PAST) == [range(10, 20)]
    assert reserved(store, PAST + RESERVED) == []
    with reserving(store, range(15, 25), DAY):
        assert reserved(store, PAST) == [range(15, 25)], "its row is struck by the next one"
