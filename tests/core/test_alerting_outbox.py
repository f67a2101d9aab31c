"""The outbox, and sending what it holds, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.deliver import LEASE, DeliveryReport, Tally, deliver_due
from iota_dagster.core.alerting.outbox import RetryPolicy
from iota_dagster.core.errors import DeliveryFailed
from iota_dagster.core.model import Delivery
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alerts, deliveries, metadata
from iota_dagster.destinations.json_lines import JsonLinesFile
from tests.core.alerting_cases import an_alert, at


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


def claim(store: Database, owner: str, minutes: float, limit: int = 10) -> list[Delivery]:
    with store.begin() as connection:
        return outbox.claim_due(connection, owner, at(minutes), timedelta(minutes=5), limit)


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
    (first,) = claim(store, "one", 0)
    assert (first.alert, first.destination, first.attempts) == (an_alert(), "file", 0)
    assert claim(store, "two", 4.9) == []
    (second,) = claim(store, "two", 5)
    assert second.attempts == 1


def test_the_oldest_are_claimed_first_and_none_before_its_time(store: Database) -> None:
    for minutes, name in ((3, "c"), (1, "a"), (2, "b"), (9, "d")):
        put(store, "file", alert=name, minutes=minutes)
    assert [delivery.alert.id for delivery in claim(store, "me", 5, limit=2)] == ["a", "b"]
    assert [delivery.alert.id for delivery in claim(store, "me", 5)] == ["c"]


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_two_senders_at_once_share_the_rows_without_waiting(store: Database) -> None:
    put(store, "file", alert="a")
    put(store, "file", alert="b")
    with store.begin() as one, store.begin() as two:
        first = outbox.claim_due(one, "one", at(0), LEASE, 1)
        second = outbox.claim_due(two, "two", at(0), LEASE, 10)
    assert [delivery.alert.id for delivery in (*first, *second)] in (["a", "b"], ["b", "a"])


def test_a_sender_that_lost_its_lease_cannot_mark_a_failure_but_can_say_that_it_sent(store: Database) -> None:
    put(store, "file")
    (late,) = claim(store, "one", 0)
    claim(store, "two", 6)
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
    assert send(store, Place("file")).failed == 1
    assert rows(store)[0].error == "no destination 'pager' is configured: add it, or correct the routing"


def test_a_crash_between_sending_and_marking_does_not_send_twice(store: Database, tmp_path: Path) -> None:
    put(store, "file")
    file = JsonLinesFile("file", tmp_path / "alerts.jsonl")
    (delivery,) = claim(store, "dead", 0)
    file.send(delivery)
    assert send(store, file, minutes=1) == DeliveryReport()
    assert send(store, file, minutes=5).sent == 1
    assert len(file.path.read_text().splitlines()) == 1


def test_a_crash_before_sending_loses_nothing(store: Database, tmp_path: Path) -> None:
    put(store, "file")
    claim(store, "dead", 0)
    file = JsonLinesFile("file", tmp_path / "alerts.jsonl")
    assert send(store, file, minutes=5).sent == 1
    assert len(file.path.read_text().splitlines()) == 1


@pytest.mark.parametrize(("knows", "status"), [(None, "failed"), (False, "failed"), (True, "sent")])
def test_a_withdrawn_alert_is_not_sent_any_more(store: Database, knows: bool | None, status: str) -> None:
    put(store, "chat", status="withdrawn")
    claim(store, "dead", 0)
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
