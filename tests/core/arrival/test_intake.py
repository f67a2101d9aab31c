"""Queue messages into the ledger: stored before deleted, each ended as it must, over a real queue."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.arrival import intake as intake_module
from iota_dagster.core.arrival.intake import Intake, Outcome, Taken, origins
from iota_dagster.core.arrival.notification import MessageKind
from iota_dagster.core.arrival.register import Origin
from iota_dagster.core.arrival.spooling import EventSpool
from iota_dagster.core.aws.queue import SqsQueue
from iota_dagster.core.errors import ObjectMissing, Outage
from iota_dagster.core.local_objects import LocalObjects
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.model import LogObject, ObjectRef, ObjectStatus
from iota_dagster.core.store import messages, quarantine
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects
from tests.aws import Aws

KEY = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/22/111122223333_CloudTrail_us-east-1_20261122T1005Z_a1.json.gz"
OTHER = KEY.replace("_a1", "_b2")


class FakeObjects:
    """Looks objects up: what it knows, what is missing, and a role that does not answer."""

    def __init__(self, etags: Mapping[str, str], fails: bool = False) -> None:
        self.etags, self.fails = etags, fails

    def head(self, bucket: str, key: str) -> ObjectRef:
        if self.fails:
            raise Outage("the role cannot be assumed")
        if key not in self.etags:
            raise ObjectMissing(bucket, key, "it is not in its bucket")
        return ObjectRef(bucket, key, self.etags[key], 10)

    def fetch(self, object: LogObject, target: Path) -> None:
        raise AssertionError("taking a message in reads no object")

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        raise AssertionError("taking a message in lists no bucket")


@pytest.fixture
def queue(aws: Aws) -> SqsQueue:
    """A queue that gives what was not deleted again at once."""
    sqs = aws.clients.sqs()
    url = sqs.create_queue(QueueName=aws.name("queue"), Attributes={"VisibilityTimeout": "0"})["QueueUrl"]
    return SqsQueue(sqs, url)


@pytest.fixture
def intake(store: Database, tmp_path: Path) -> Intake:
    origin_of = origins([("logs", "", Origin("trail", "111122223333", "us-east-1"))])
    return Intake(store, FakeObjects({KEY: "e1"}), origin_of, spool_at(store, tmp_path / "spool"))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain goes on until the queue is empty, however slow the machine is."""
    monkeypatch.setattr(intake_module, "DRAIN_SECONDS", 60)


def spool_at(store: Database, folder: Path) -> EventSpool:
    return EventSpool(store, LocalStorage(folder), LocalObjects(1 << 20))


def created(*objects: tuple[str, str], bucket: str = "logs", time: str = "2026-11-22T10:06:00.000Z") -> str:
    records = [
        {
            "eventName": "ObjectCreated:Put",
            "eventTime": time,
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "eTag": etag, "size": 10}},
        }
        for key, etag in objects
    ]
    return json.dumps({"Records": records})


def notice(*keys: str) -> str:
    return json.dumps({"s3Bucket": "logs", "s3ObjectKey": list(keys)})


def send(queue: SqsQueue, *bodies: str) -> None:
    for body in bodies:
        queue._client.send_message(QueueUrl=queue.url, MessageBody=body)


def one_round(intake: Intake, queue: SqsQueue) -> Taken:
    """Take in one receive's worth: what stays in this queue would come again at once."""
    return intake.drain(queue, 0, 1)


def left(queue: SqsQueue) -> int:
    return queue.depth().waiting


def ledger(store: Database) -> list[tuple[str, str, str]]:
    c = log_objects.c
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(c.key, c.etag, c.status).order_by(c.key, c.etag))]


def test_what_a_message_names_is_pending_and_the_message_is_deleted(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    send(queue, created((KEY, "e1")))
    taken = one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending")]
    assert left(queue) == 0
    assert (taken.objects, taken.new) == (1, 1)


def test_a_message_stays_in_the_queue_when_the_store_does_not_take_it(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    class Full(Database):
        def begin(self) -> NoReturn:
            raise Outage("the disk is full")

    send(queue, created((KEY, "e1")))
    with pytest.raises(Outage, match="full"):
        one_round(replace(intake, database=Full("sqlite:////nowhere/at-all.db")), queue)
    assert left(queue) == 1
    one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending")]


def test_a_redelivered_message_adds_nothing(intake: Intake, queue: SqsQueue, store: Database) -> None:
    body = created((KEY, "e1"), (OTHER, "e2"))
    send(queue, body, body)
    one_round(intake, queue)
    send(queue, body)
    taken = one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending"), (OTHER, "e2", "pending")]
    assert taken.new == 0


def test_sensors_that_are_told_of_the_same_objects_in_another_order_do_not_wait_for_each_other(
    intake: Intake, aws: Aws
) -> None:
    sqs, objects = aws.clients.sqs(), [(f"{KEY}{number:03}", "e") for number in range(100)]
    for number in range(3):
        urls = [sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"] for _ in range(2)]
        told = [(f"{number}/{key}", etag) for key, etag in objects]
        both = list(zip([SqsQueue(sqs, url) for url in urls], [told, told[::-1]], strict=True))
        for queue, named in both:
            send(queue, created(*named))
        with ThreadPoolExecutor(2) as threads:
            taken = list(threads.map(lambda item: one_round(intake, item[0]), both))
        assert sum(item.new for item in taken) == 100
        assert [item.outages for item in taken] == [[], []]
        assert [left(queue) for queue, _ in both] == [0, 0]


def test_an_object_of_a_bucket_that_is_not_configured_is_a_refused_row_and_the_others_are_taken(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    send(queue, created((KEY, "x1"), bucket="somebody-elses"), created((KEY, "e1")))
    one_round(intake, queue)
    one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending"), (KEY, "x1", "refused")]
    assert left(queue) == 0


def test_a_body_that_cannot_be_read_is_kept_whole_once_and_deleted(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    poison = "{not json \U0001f600"
    send(queue, poison, poison)
    one_round(intake, queue)
    one_round(intake, queue)
    with store.read() as connection:
        (item,) = quarantine.items(connection, messages.UNREADABLE)
    assert messages.body_of(item["sample"]) == poison
    assert "not JSON" in item["detail"]
    assert left(queue) == 0


def test_a_bad_record_beside_a_good_one_is_kept_and_the_good_one_is_taken(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    body = json.loads(created((KEY, "e1")))
    body["Records"].append({"eventName": "ObjectCreated:Put", "s3": {"bucket": {"name": "logs"}, "object": {}}})
    send(queue, json.dumps(body))
    one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending")]
    with store.read() as connection:
        (counted,) = quarantine.counts(connection)
    assert (counted["reason"], counted["items"]) == (messages.UNREADABLE, 1)


NASTY = {
    "a time before the first": created((KEY, "x"), time="0001-01-01T00:00:00+10:00"),
    "a time after the last": created((KEY, "x"), time="9999-12-31T23:59:59-10:00"),
    "a size of 64 bits": created((KEY, "x")).replace('"size": 10', f'"size": {1 << 63}'),
    "a NUL in the etag": created((KEY, "x\0")),
    "a NUL in a field's name": json.dumps({"a\0b": 1}),
    "a key of 3 kB": created((random.Random(1).randbytes(1_500).hex(), "x")),
}


@pytest.mark.parametrize("body", NASTY.values(), ids=NASTY)
def test_no_message_keeps_those_beside_it_from_the_ledger(
    intake: Intake, queue: SqsQueue, store: Database, body: str
) -> None:
    send(queue, body, created((KEY, "e1")))
    while left(queue):
        one_round(intake, queue)
    assert (KEY, "e1", "pending") in ledger(store)


def test_a_message_whose_fault_nobody_foresaw_is_quarantined_and_those_beside_it_are_taken(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    def origin_of(bucket: str, key: str) -> Origin:
        if bucket == "unforeseen":
            raise KeyError(bucket)
        unstorable: Any = {"no": "text"}
        return Origin("trail" if bucket == "logs" else unstorable)

    odd = replace(intake, origin_of=origin_of)
    send(queue, *(created((KEY, bucket), bucket=bucket) for bucket in ("logs", "unforeseen", "unstorable")))
    outcomes = Counter[str]()
    while left(queue):
        outcomes.update(one_round(odd, queue).by_outcome())
    assert ledger(store) == [(KEY, "logs", "pending")]
    assert outcomes == {"registered": 1, "quarantined": 2}
    with store.read() as connection:
        details = [item["detail"] for item in quarantine.items(connection, messages.UNREADABLE)]
        bodies = quarantine.messages(connection, reason=messages.UNREADABLE)
    assert len(details) == 2
    assert "KeyError: 'unforeseen'" in details
    assert odd.read_again(bodies) == 0
    assert intake.read_again(bodies) == 2


def test_an_event_that_cannot_be_spooled_is_quarantined_and_those_beside_it_are_spooled(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    class Picky(EventSpool):
        def keep(self, events: Mapping[bytes, bytes], now: datetime, beside: Callable[[sa.Connection], object]) -> int:
            if any(b"unforeseen" in envelope for envelope in events.values()):
                raise RecursionError("too deep")
            return super().keep(events, now, beside)

    folder = Path(intake.spool.bucket.removeprefix("file://"))
    picky = replace(intake, spool=Picky(store, LocalStorage(folder), LocalObjects(1 << 20)))
    send(queue, carrying("a"), carrying("unforeseen"), carrying("b"))
    while left(queue):
        one_round(picky, queue)
    assert sorted(chain.from_iterable(spooled(store))) == ["a", "b"]
    with store.read() as connection:
        (item,) = quarantine.items(connection, messages.UNREADABLE)
    assert item["detail"] == "RecursionError: too deep"


def test_an_outage_blames_no_message(intake: Intake, queue: SqsQueue) -> None:
    class Away(Database):
        def begin(self) -> NoReturn:
            raise Outage("the store is away")

    send(queue, created((KEY, "e1")), created((OTHER, "e2")))
    with pytest.raises(Outage, match="away"):
        one_round(replace(intake, database=Away("sqlite:////nowhere/at-all.db")), queue)
    assert left(queue) == 2


def carrying(name: str, **detail: Any) -> str:
    """A message that brings an event itself."""
    kind = "AWS API Call via CloudTrail"
    return json.dumps({"id": name, "source": "aws.iam", "detail-type": kind, "detail": {"name": name} | detail})


def spooled(store: Database) -> list[list[str]]:
    """The ids of the events in each object of the spool that the ledger knows."""
    c = log_objects.c
    with store.read() as connection:
        rows = connection.execute(sa.select(c.bucket, c.key).where(c.integration == "queue").order_by(c.id)).all()
    contents = [gzip.decompress((Path(bucket.removeprefix("file://")) / key).read_bytes()) for bucket, key in rows]
    return [sorted(json.loads(line)["id"] for line in content.splitlines()) for content in contents]


def test_a_message_that_brings_an_event_is_spooled_deleted_and_counted(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    send(queue, carrying("a"), json.dumps({"Type": "Notification", "Message": carrying("b")}))
    taken = intake.drain(queue, 0, 2)
    taken.events += intake.drain(queue, 0, 2).events
    assert (sorted(chain.from_iterable(spooled(store))), taken.events) == (["a", "b"], 2)
    assert left(queue) == 0
    with store.read() as connection:
        assert messages.counts(connection) == {("eventbridge_event", "spooled"): 2}


def test_a_redelivered_event_is_deleted_and_makes_no_object(intake: Intake, queue: SqsQueue, store: Database) -> None:
    for bodies in ([carrying("a")], [carrying("a")], [carrying("a"), carrying("b")]):
        send(queue, *bodies)
        while left(queue):
            one_round(intake, queue)
    assert sorted(chain.from_iterable(spooled(store))) == ["a", "b"]


@pytest.mark.usefixtures("patient")
def test_the_events_of_several_rounds_lie_in_one_object(intake: Intake, aws: Aws, store: Database) -> None:
    sqs = aws.clients.sqs()
    queue = SqsQueue(sqs, sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"])
    names = [f"e{number:02}" for number in range(35)]
    send(queue, *map(carrying, names), created((KEY, "e1")))
    taken = intake.drain(queue, 0, 1000)
    assert spooled(store) == [names]
    assert taken.received >= 36  # several calls at once may be given the same message, as SQS says
    assert (taken.events, taken.new, left(queue)) == (35, 1, 0)


def test_events_wait_while_the_spool_cannot_be_written_and_the_other_messages_are_taken(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    class Full(LocalStorage):
        def write(self, path: str, data: bytes) -> None:
            raise Outage("the disk is full")

    folder = Path(intake.spool.bucket.removeprefix("file://"))
    full = replace(intake, spool=EventSpool(store, Full(folder), LocalObjects(1 << 20)))
    send(queue, carrying("a"), created((KEY, "e1")))
    taken = [one_round(full, queue), one_round(full, queue)]
    assert any("disk is full" in outage for item in taken for outage in item.outages)
    assert ledger(store) == [(KEY, "e1", "pending")]
    assert left(queue) == 1
    with store.read() as connection:
        assert messages.counts(connection)["eventbridge_event", "held"] >= 1
    one_round(intake, queue)
    assert (spooled(store), left(queue)) == ([["a"]], 0)


def test_no_message_registers_an_object_of_the_spool(intake: Intake, queue: SqsQueue, store: Database) -> None:
    own = intake.spool.prefix + "2026/11/22/10/20261122T1005Z_left-by-a-crash.jsonl.gz"
    send(queue, created((own, "e1"), bucket=intake.spool.bucket))
    taken = one_round(intake, queue)
    assert taken.messages == {(MessageKind.S3, Outcome.NOISE): 1}
    assert (ledger(store), left(queue)) == ([], 0)


def test_a_quarantined_message_that_brings_an_event_is_spooled_once_it_can_be_read(
    intake: Intake, store: Database
) -> None:
    with store.begin() as connection:
        messages.keep(connection, carrying("a"), "an older version could not read it", intake.clock())
    assert intake.read_again([carrying("a")]) == 1
    assert spooled(store) == [["a"]]
    with store.read() as connection:
        assert quarantine.messages(connection, reason=messages.UNREADABLE) == []


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2)), min_size=1, max_size=12), st.integers(0, 2**32))
def test_any_events_in_any_order_and_repetition_are_spooled_once(
    tmp_path_factory: pytest.TempPathFactory, named: list[tuple[int, int]], seed: int
) -> None:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('store')}/iota.db")
    database.migrate()
    spool = spool_at(database, tmp_path_factory.mktemp("spool"))
    intake = Intake(database, FakeObjects({}), origins([]), spool)
    thrice = [carrying(f"e{name}", version=version) for name, version in named] * 3
    random.Random(seed).shuffle(thrice)
    for start in range(0, len(thrice), 5):
        intake.read_again(thrice[start : start + 5])
    assert sorted(chain.from_iterable(spooled(database))) == sorted(f"e{name}" for name, _ in set(named))
    database.dispose()


def test_noise_is_deleted_and_counted(intake: Intake, queue: SqsQueue, store: Database) -> None:
    send(queue, json.dumps({"Event": "s3:TestEvent", "Bucket": "logs"}), created(("folder/", "e0")))
    one_round(intake, queue)
    one_round(intake, queue)
    assert left(queue) == 0
    assert ledger(store) == []
    with store.read() as connection:
        assert messages.counts(connection) == {("s3", "noise"): 1, ("s3_test", "noise"): 1}


def test_an_object_without_an_etag_is_looked_up(intake: Intake, queue: SqsQueue, store: Database) -> None:
    send(queue, notice(KEY, OTHER))
    one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending"), (OTHER, "", "missing")]
    assert left(queue) == 0


def test_a_message_whose_object_cannot_be_looked_up_now_comes_again_and_the_others_are_taken(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    send(queue, notice(KEY), created((OTHER, "e2")))
    dark = replace(intake, objects=FakeObjects({}, fails=True))
    taken = [one_round(dark, queue), one_round(dark, queue)]
    assert sum(item.messages[MessageKind.CLOUDTRAIL_NOTICE, Outcome.HELD] for item in taken) >= 1
    assert ledger(store) == [(OTHER, "e2", "pending")]
    assert left(queue) == 1
    one_round(intake, queue)
    assert ledger(store) == [(KEY, "e1", "pending"), (OTHER, "e2", "pending")]


@pytest.mark.usefixtures("patient")
def test_a_message_that_has_to_wait_does_not_end_the_drain(intake: Intake, aws: Aws) -> None:
    sqs = aws.clients.sqs()
    queue = SqsQueue(sqs, sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"])
    send(queue, notice(KEY), *(created((f"{KEY}{number}", "e1")) for number in range(30)))
    taken = replace(intake, objects=FakeObjects({}, fails=True)).drain(queue, 0, 1000)
    assert (taken.new, left(queue)) == (30, 0)
    assert taken.outages[0] == "the role cannot be assumed"
    assert queue.depth().in_flight == 1


def test_a_round_of_nothing_but_what_has_to_wait_ends_the_drain(intake: Intake, queue: SqsQueue) -> None:
    send(queue, notice(KEY))
    taken = replace(intake, objects=FakeObjects({}, fails=True)).drain(queue, 0, 1000)
    assert taken.by_outcome() == {"held": 1}


def test_an_object_that_was_missing_is_pending_when_it_is_named_again(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    with store.begin() as connection:
        intake._store(connection, intake._settle([]))
    send(queue, notice(OTHER))
    one_round(intake, queue)
    assert ledger(store) == [(OTHER, "", "missing")]
    send(queue, notice(OTHER))
    one_round(replace(intake, objects=FakeObjects({OTHER: "e2"})), queue)
    assert ("e2", "pending") in [row[1:] for row in ledger(store)]


def test_a_quarantined_message_that_can_be_read_by_now_leaves_the_quarantine(intake: Intake, store: Database) -> None:
    with store.begin() as connection:
        messages.keep(connection, created((KEY, "e1")), "an older version could not read it", intake.clock())
        messages.keep(connection, "rubbish", "not JSON", intake.clock())
    with store.read() as connection:
        bodies = quarantine.messages(connection, reason=messages.UNREADABLE)
    assert intake.read_again(bodies) == 1
    assert ledger(store) == [(KEY, "e1", "pending")]
    with store.read() as connection:
        assert quarantine.messages(connection, reason=messages.UNREADABLE) == ["rubbish"]


def test_a_key_without_an_hour_is_delivered_when_the_message_says_it_was_created(
    intake: Intake, queue: SqsQueue, store: Database
) -> None:
    send(queue, created(("some/file.json", "e1"), time="2026-11-22T07:59:59.000Z"))
    one_round(intake, queue)
    with store.read() as connection:
        hour = connection.execute(sa.select(log_objects.c.delivery_hour)).scalar_one()
    assert hour % 24 == 7


@pytest.mark.usefixtures("patient")
def test_a_full_queue_is_drained_in_one_go(intake: Intake, aws: Aws) -> None:
    sqs = aws.clients.sqs()
    queue = SqsQueue(sqs, sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"])
    send(queue, *(created((f"{KEY}{number}", f"e{number}")) for number in range(35)))
    taken = intake.drain(queue, 0, 1000)
    assert taken.received >= 35  # several calls at once may be given the same message, as SQS says
    assert (taken.new, left(queue)) == (35, 0)


_NAMES = st.lists(
    st.tuples(st.sampled_from(["logs", "elsewhere"]), st.integers(0, 5), st.integers(0, 2)), min_size=1, max_size=12
)


@settings(max_examples=40)
@given(_NAMES, st.integers(0, 2**32))
def test_any_messages_in_any_order_and_repetition_leave_the_same_ledger(
    tmp_path_factory: pytest.TempPathFactory, named: list[tuple[str, int, int]], seed: int
) -> None:
    once = _after(tmp_path_factory, named)
    thrice = named * 3
    random.Random(seed).shuffle(thrice)
    assert _after(tmp_path_factory, thrice) == once


def _after(folders: pytest.TempPathFactory, named: list[tuple[str, int, int]]) -> Any:
    database = Database(f"sqlite:///{folders.mktemp('store')}/iota.db")
    database.migrate()
    spool = spool_at(database, folders.mktemp("spool"))
    intake = Intake(database, FakeObjects({}), origins([("logs", "", Origin("trail"))]), spool)
    bodies = [created((f"{KEY}{key}", f"e{etag}"), bucket=bucket) for bucket, key, etag in named]
    intake.read_again(bodies)
    c = log_objects.c
    with database.read() as connection:
        rows = connection.execute(sa.select(c.bucket, c.key, c.etag, c.status).order_by(c.bucket, c.key, c.etag))
        found = [tuple(row) for row in rows]
    database.dispose()
    assert all((bucket == "logs") == (status == ObjectStatus.PENDING) for bucket, _, _, status in found)
    return found
