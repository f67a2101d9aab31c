"""The outbox, and sending what it holds, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.deliver import LEASE, LONGEST, DeliveryReport, Tally, deliver_due
from iota_dagster.core.alerting.destination import Unavailable
from iota_dagster.core.alerting.ids import delivery_id
from iota_dagster.core.alerting.outbox import RetryPolicy
from iota_dagster.core.errors import DeliveryFailed, Outage
from iota_dagster.core.model import Delivery
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.due_deliveries import overdue
from iota_dagster.core.store.schema import alerts, deliveries, metadata
from iota_dagster.destinations.json_lines import JsonLinesFile
from tests.core.alerting.cases import START, a_delivery, an_alert, at


@pytest.fixture
def store(store_url: str) -> Iterator[Database]:
    database = Database(store_url)
    with database.begin() as connection:
        metadata.create_all(connection, tables=[alerts, deliveries])
    yield database
    database.dispose()


def put(store: Database, *destinations: str, alert: str = "a1", minutes: float = 0, **fields: Any) -> None:
    with store.begin() as connection:
        connection.execute(sa.insert(alerts), asdict(an_alert(alert, **fields)))
        outbox.put(connection, {alert: destinations}, at(minutes))


def claim(store: Database, owner: str, minutes: float, destination: str = "file") -> Delivery | None:
    with store.begin() as connection:
        return outbox.claim_next(connection, destination, owner, at(minutes), at(minutes) + LEASE)


def rows(store: Database) -> list[Any]:
    with store.read() as connection:
        return list(connection.execute(sa.select(deliveries).order_by(deliveries.c.alert_id, deliveries.c.destination)))


def send(store: Database, *destinations: Any, minutes: float = 0, policy: RetryPolicy | None = None) -> DeliveryReport:
    return deliver_due(store, destinations, "me", clock=lambda: at(minutes), policy=policy or outbox.DEFAULT_RETRY)


@dataclass
class Place:
    """A destination in memory that fails as it is told to."""

    name: str
    fail: Callable[[Delivery], None] = lambda delivery: None
    knows: bool | None = None
    got: list[str] = field(default_factory=list)

    def send(self, delivery: Delivery) -> None:
        self.fail(delivery)
        self.got.append(delivery.alert.id)

    def was_delivered(self, delivery: Delivery) -> bool | None:
        return self.knows


def unreachable(delivery: Delivery) -> None:
    raise DeliveryFailed("no answer")


@dataclass
class Clock:
    """A clock that stands still but for those who wait."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def send(self, store: Any, *destinations: Any) -> DeliveryReport:
        return deliver_due(store, destinations, "me", clock=self, wait=self.wait)


@dataclass
class Leaving:
    """A store that answers nobody before a moment."""

    store: Database
    clock: Clock
    back: datetime = START

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        if self.clock() < self.back:
            raise Outage("the database is locked")
        with self.store.begin() as connection:
            yield connection

    def read(self) -> AbstractContextManager[sa.Connection]:
        return self.store.read()


def test_rows_are_written_once(store: Database) -> None:
    put(store, "mail", "file", "mail")
    with store.begin() as connection:
        outbox.put(connection, {"a1": ["file"]}, at(1))
    assert [(row.destination, row.status, row.attempts) for row in rows(store)] == [
        ("file", "pending", 0),
        ("mail", "pending", 0),
    ]


def test_a_row_is_claimed_by_one_and_by_another_only_when_the_lease_is_over(store: Database) -> None:
    put(store, "file")
    first = claim(store, "one", 0)
    assert first
    assert (first.alert, first.destination, first.attempts) == (an_alert(), "file", 0)
    assert claim(store, "two", 4.9) is None
    second = claim(store, "two", 5)
    assert second
    assert second.attempts == 1


def test_the_oldest_are_claimed_first_and_none_before_its_time(store: Database) -> None:
    for minutes, name in ((3, "c"), (1, "a"), (2, "b"), (9, "d")):
        put(store, "file", alert=name, minutes=minutes)
    found = [claim(store, "me", 5) for _ in range(4)]
    assert [delivery and delivery.alert.id for delivery in found] == ["a", "b", "c", None]


def test_what_was_tried_least_is_claimed_first(store: Database) -> None:
    put(store, "file", alert="old")
    assert claim(store, "dead", 0)
    put(store, "file", alert="new", minutes=9)
    found = [claim(store, "me", 9) for _ in range(2)]
    assert [delivery and delivery.alert.id for delivery in found] == ["new", "old"]


def test_destinations_that_have_failed_come_last_and_those_that_are_owed_nothing_not_at_all(store: Database) -> None:
    for destination, minutes in (("chat", 0), ("pager", 0), ("mail", 9)):
        put(store, destination, alert=destination, minutes=minutes)
    assert claim(store, "dead", 0, "chat")
    with store.read() as connection:
        assert outbox.owed(connection, at(4)) == ["pager"]
        assert outbox.owed(connection, at(5)) == ["pager", "chat"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_two_senders_at_once_share_the_rows_without_waiting(store: Database) -> None:
    put(store, "file", alert="a")
    put(store, "file", alert="b")
    with store.begin() as one, store.begin() as two:
        found = [outbox.claim_next(each, "file", "me", at(0), at(5)) for each in (one, two, one, two)]
        outbox.put_off(two, "file", at(5), at(9))
    assert [delivery and delivery.alert.id for delivery in found] in (["a", "b", None, None], ["b", "a", None, None])
    assert [row.next_attempt_at for row in rows(store)].count(at(9)) == 1  # the other's is left to it


def test_a_sender_that_lost_its_lease_cannot_mark_a_failure_but_can_say_that_it_sent(store: Database) -> None:
    put(store, "file")
    late = claim(store, "one", 0)
    assert late
    assert claim(store, "two", 6)
    with store.begin() as connection:
        outbox.mark_failed(connection, late, "one", "slow", at(7))
    assert (rows(store)[0].status, rows(store)[0].owner) == ("sending", "two")
    with store.begin() as connection:
        outbox.mark_sent(connection, late, at(8))
    assert (rows(store)[0].status, rows(store)[0].sent_at) == ("sent", at(8))


def test_waits_grow_up_to_the_longest() -> None:
    policy = RetryPolicy(first=timedelta(seconds=30), longest=timedelta(minutes=10))
    assert [policy.wait(n).total_seconds() for n in (1, 2, 3, 6, 99)] == [30, 60, 120, 600, 600]
    waits = (outbox.DEFAULT_RETRY.wait(n) for n in range(1, outbox.DEFAULT_RETRY.attempts))
    assert timedelta(days=1) <= sum(waits, timedelta()) < timedelta(days=1.2)


def test_alerts_reach_a_file_once(store: Database, tmp_path: Path) -> None:
    for number in range(25):
        put(store, "file", alert=f"a{number}")
    file = JsonLinesFile("file", tmp_path / "alerts.jsonl")
    assert send(store, file).by_destination == {"file": Tally(sent=25)}
    assert send(store, file) == DeliveryReport()
    assert len(file.path.read_text().splitlines()) == 25
    assert {row.status for row in rows(store)} == {"sent"}


def test_one_failing_destination_does_not_stop_the_others(store: Database) -> None:
    def faulty(delivery: Delivery) -> None:
        raise KeyError("x")

    put(store, "chat", "file", "mail")
    file = Place("file")
    report = send(store, Place("chat", unreachable), file, Place("mail", faulty))
    assert (report.sent, report.retried, report.failed) == (1, 2, 0)
    assert file.got == ["a1"]
    assert [row.error for row in rows(store)] == ["no answer", None, "KeyError: 'x'"]
    assert report.by_destination["chat"] == Tally(retried=1, error="no answer")


def test_a_destination_that_hangs_keeps_the_others_waiting_for_one_attempt_and_loses_none(store: Database) -> None:
    clock = Clock()

    def hang(delivery: Delivery) -> None:
        clock.wait(10)
        raise Unavailable("no answer")

    for number in range(100):
        put(store, "chat", alert=f"a{number:02}")
    put(store, "pager", alert="now")
    pager = Place("pager", lambda delivery: times.append(clock()))
    times: list[datetime] = []
    report = clock.send(store, Place("chat", hang), pager)
    assert (report.sent, report.retried, report.failed) == (1, 1, 0)
    assert times == [clock()] == [START + timedelta(seconds=10)]
    assert sorted(row.attempts for row in rows(store) if row.destination == "chat") == [0] * 99 + [1]
    assert clock.send(store, Place("chat", hang)) == DeliveryReport()  # nor does the next run find it out anew
    clock.wait(60)
    chat = Place("chat")
    assert clock.send(store, chat).sent == 100
    assert len(set(chat.got)) == 100


def test_an_alert_that_its_destination_chokes_on_does_not_keep_it_from_the_others(store: Database) -> None:
    def choke(delivery: Delivery) -> None:
        if delivery.alert.id == "a":
            raise Unavailable("no answer")

    for name, minutes in (("a", -2), ("b", -1), ("c", 0)):
        put(store, "chat", alert=name, minutes=minutes)
    chat = Place("chat", choke)
    assert send(store, chat).sent == 0
    assert send(store, chat, minutes=1).sent == 2
    assert [(row.status, row.attempts) for row in rows(store)] == [("pending", 2), ("sent", 1), ("sent", 1)]


def test_a_slow_destination_takes_turns_with_the_others_and_leaves_what_takes_long_to_later_calls(
    store: Database,
) -> None:
    clock = Clock()
    for number in range(20):
        put(store, "chat", alert=f"a{number:02}")
    for name in ("now", "then"):
        put(store, "pager", alert=name)
    times: list[datetime] = []
    chat = Place("chat", lambda delivery: clock.wait(9))
    pager = Place("pager", lambda delivery: times.append(clock()))
    first = clock.send(store, chat, pager)
    assert [moment - START for moment in times] == [timedelta(seconds=9), timedelta(seconds=18)]
    assert LONGEST <= clock() - START < LONGEST + timedelta(seconds=9)
    assert 2 < first.sent < 22
    with store.read() as connection:
        assert overdue(connection, clock() - LONGEST)  # so the sensor asks for a run that goes on
    while clock.send(store, chat, pager).sent:
        pass
    assert len(chat.got) == len(set(chat.got)) == 20


def test_nothing_is_tried_twice_in_one_call_however_long_it_takes(store: Database) -> None:
    clock = Clock()

    def slow(delivery: Delivery) -> None:
        clock.wait(16)
        raise DeliveryFailed("internal error")

    for name in "abc":
        put(store, "chat", alert=name)
    assert clock.send(store, Place("chat", slow)).retried == 3
    assert min(row.next_attempt_at for row in rows(store)) < clock() < START + LONGEST


def test_a_failed_attempt_is_repeated_later_and_not_for_ever(store: Database) -> None:
    put(store, "chat")
    policy = RetryPolicy(first=timedelta(minutes=1), attempts=3)
    chat = Place("chat", unreachable)
    outcomes = [send(store, chat, minutes=minutes, policy=policy) for minutes in (0, 0.9, 1, 2.9, 3, 99)]
    assert [(report.retried, report.failed) for report in outcomes] == [(1, 0), (0, 0), (1, 0), (0, 0), (0, 1), (0, 0)]
    assert (rows(store)[0].status, rows(store)[0].attempts) == ("failed", 3)


def test_a_destination_that_comes_back_gets_what_it_missed(store: Database) -> None:
    put(store, "chat")
    send(store, Place("chat", unreachable))
    chat = Place("chat")
    assert send(store, chat, minutes=1).sent == 1
    assert (chat.got, rows(store)[0].error) == (["a1"], None)


def test_an_error_that_no_retry_helps_is_final(store: Database) -> None:
    class Refused(DeliveryFailed):
        retry_helps = False

    def refuse(delivery: Delivery) -> None:
        raise Refused("bad token")

    put(store, "chat")
    assert send(store, Place("chat", refuse)).failed == 1
    assert (rows(store)[0].status, rows(store)[0].error) == ("failed", "bad token")


def test_a_destination_that_is_not_configured_is_named(store: Database) -> None:
    put(store, "pager")
    assert send(store, Place("file")).retried == 1
    assert rows(store)[0].error == "no destination 'pager' is configured: add it, or correct routing and rules"


def test_a_sender_with_older_settings_takes_no_alert_from_a_new_destination(store: Database) -> None:
    put(store, "pager")
    send(store, Place("file"))
    pager = Place("pager")
    assert send(store, pager, minutes=1).sent == 1
    assert pager.got == ["a1"]


def test_a_destination_that_is_never_configured_is_given_up_after_a_day(store: Database) -> None:
    put(store, "pager")
    reports = [send(store, minutes=60 * hour) for hour in range(32)]
    assert sum(report.failed for report in reports) == 1
    assert (rows(store)[0].status, rows(store)[0].attempts) == ("failed", 31)


def test_a_crash_between_sending_and_marking_does_not_send_twice(store: Database, tmp_path: Path) -> None:
    put(store, "file")
    file = JsonLinesFile("file", tmp_path / "alerts.jsonl")
    delivery = claim(store, "dead", 0)
    assert delivery
    file.send(delivery)
    assert send(store, file, minutes=1) == DeliveryReport()
    assert send(store, file, minutes=5).sent == 1
    assert len(file.path.read_text().splitlines()) == 1


def test_a_store_that_is_away_when_an_alert_is_sent_is_waited_for(store: Database) -> None:
    leaving = Leaving(store, clock := Clock())

    def send_and_lock(delivery: Delivery) -> None:
        leaving.back = at(4)

    put(store, "chat")
    chat = Place("chat", send_and_lock)
    assert clock.send(leaving, chat).sent == 1
    assert (rows(store)[0].status, rows(store)[0].sent_at) == ("sent", START)
    clock.wait(600)
    assert clock.send(store, chat) == DeliveryReport()
    assert chat.got == ["a1"]


def test_a_store_that_stays_away_is_waited_for_as_long_as_the_lease_lasts(store: Database) -> None:
    leaving = Leaving(store, clock := Clock())

    def fail_and_lock(delivery: Delivery) -> None:
        leaving.back = at(99)
        raise DeliveryFailed("no answer")

    put(store, "chat")
    with pytest.raises(Outage):
        clock.send(leaving, Place("chat", fail_and_lock))
    assert timedelta(minutes=4.9) <= clock() - START < LEASE


def test_what_was_given_up_is_sent_again_when_somebody_asks_for_it(store: Database, tmp_path: Path) -> None:
    file = JsonLinesFile("file", tmp_path / "alerts.jsonl")
    once = RetryPolicy(attempts=1)
    for name, minutes in (("a1", 0), ("a2", 1)):
        put(store, "file", "chat", alert=name, minutes=minutes)
    put(store, "file", alert="gone", status="withdrawn")
    assert send(store, Place("file", unreachable), Place("chat", unreachable), minutes=2, policy=once).failed == 5
    file.send(replace(a_delivery(), id=delivery_id("a2", "file")))  # it arrived, and nobody could say so
    with store.begin() as connection:
        assert outbox.retry_given_up(connection, "file", at(9)) == (2, at(0))
        assert outbox.retry_given_up(connection, "file", at(9)) == (0, None)
    assert send(store, file, Place("chat"), minutes=9).sent == 2
    assert len(file.path.read_text().splitlines()) == 2
    assert [row.status for row in rows(store)] == ["failed", "sent", "failed", "sent", "failed"]


def test_a_crash_before_sending_loses_nothing(store: Database, tmp_path: Path) -> None:
    put(store, "file")
    assert claim(store, "dead", 0)
    file = JsonLinesFile("file", tmp_path / "alerts.jsonl")
    assert send(store, file, minutes=5).sent == 1
    assert len(file.path.read_text().splitlines()) == 1


@pytest.mark.parametrize(("knows", "status"), [(None, "failed"), (False, "failed"), (True, "sent")])
def test_a_withdrawn_alert_is_not_sent_any_more(store: Database, knows: bool | None, status: str) -> None:
    put(store, "chat", status="withdrawn")
    assert claim(store, "dead", 0, "chat")
    chat = Place("chat", knows=knows)
    send(store, chat, minutes=5)
    assert chat.got == []
    assert rows(store)[0].status == status


def test_an_endless_error_message_is_cut(store: Database) -> None:
    def shout(delivery: Delivery) -> None:
        raise DeliveryFailed("\0" + "x" * 9_999)

    put(store, "chat")
    send(store, Place("chat", shout))
    assert len(rows(store)[0].error) == 1_000


def test_the_clock_is_the_wall_clock_by_default(store: Database) -> None:
    put(store, "file", minutes=-(10**7))
    assert deliver_due(store, [Place("file")], "me").sent == 1
    assert isinstance(rows(store)[0].sent_at, datetime)
