"""How fast events that come in the queue itself are spooled: `Intake.drain`, from messages to objects in the ledger.

python -m benchmarks.queue_events [--messages N] [--moto N] [--rounds N] [--sns]

The queue is one in this process that keeps, hides and deletes messages as SQS does, behind the real `SqsQueue`;
`queue alone` says what it costs itself. A moto server is a queue too, and far slower than SQS: what it gives on its
own, received and deleted by as many threads, is measured beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy as sa

from iota_dagster.core.arrival.intake import Intake, origins
from iota_dagster.core.arrival.spooling import EventSpool
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.aws.queue import AT_ONCE, CALLS, SqsQueue
from iota_dagster.core.local_objects import LocalObjects
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects
from iota_dagster.demo.embedded_aws import embedded_aws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

PER_TICK = 2000
"""Messages that one drain takes: the default of `queue_messages`."""


class MemoryQueue:
    """The client of a queue in this process: a message that was received is hidden until it is deleted."""

    def __init__(self, bodies: Sequence[str]) -> None:
        """A queue that holds these messages."""
        self._waiting = OrderedDict((f"message-{number}", body) for number, body in enumerate(bodies))
        self._hidden: dict[str, str] = {}
        self._lock = threading.Lock()

    def receive_message(self, *, MaxNumberOfMessages: int, **_: Any) -> dict[str, Any]:
        """Up to so many messages; never waits."""
        with self._lock:
            taken = [self._waiting.popitem(last=False) for _ in range(min(MaxNumberOfMessages, len(self._waiting)))]
            self._hidden |= taken
        return {"Messages": [{"MessageId": name, "ReceiptHandle": name, "Body": body} for name, body in taken]}

    def delete_message_batch(self, *, Entries: Sequence[dict[str, str]], **_: Any) -> dict[str, Any]:
        """Forget messages."""
        with self._lock:
            return {"Failed": [entry for entry in Entries if self._hidden.pop(entry["ReceiptHandle"], None) is None]}

    @property
    def left(self) -> int:
        """Messages that were not deleted."""
        return len(self._waiting) + len(self._hidden)


def main() -> None:
    """Empty both queues, print messages a second."""
    arguments = _arguments()
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    bodies = _bodies(arguments.messages, arguments.sns)
    print(f"{len(bodies):,} messages of {len(bodies[0]):,} bytes{' by SNS' if arguments.sns else ''}")
    for _ in range(arguments.rounds):
        _in_this_process(bodies)
    if arguments.moto:
        _in_moto(_bodies(arguments.moto, arguments.sns))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000, help="messages in the queue of this process")
    parser.add_argument("--moto", type=int, default=500, help="messages in moto's queue; 0: without moto")
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure in this process")
    parser.add_argument("--sns", action="store_true", help="the events come by way of SNS")
    return parser.parse_args()


def _in_this_process(bodies: Sequence[str]) -> None:
    alone, client = MemoryQueue(bodies), MemoryQueue(bodies)
    _report("queue alone", len(bodies), lambda: _take_all(_queue_of(alone)))
    with _installation() as intake:
        _report("spooled", len(bodies), lambda: _spool_all(intake, _queue_of(client)))
        assert client.left == 0
        with intake.database.read() as connection:
            objects, stored = connection.execute(sa.select(sa.func.count(), sa.func.sum(log_objects.c.size))).one()
        print(f"{'':<12} {objects} objects, {stored / len(bodies):.0f} bytes an event")


def _in_moto(bodies: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, embedded_aws(Path(folder) / "moto.log") as endpoint:
        sqs = ClientFactory(ClientOptions(endpoint_url=endpoint, region="us-east-1")).sqs()
        queue = SqsQueue(sqs, sqs.create_queue(QueueName="bench")["QueueUrl"])
        _send(sqs, queue.url, bodies)
        _report("moto alone", len(bodies), lambda: _take_all(queue))
        _send(sqs, queue.url, bodies)
        with _installation() as intake:
            _report("moto spooled", len(bodies), lambda: _spool_all(intake, queue))


def _queue_of(client: MemoryQueue) -> SqsQueue:
    return SqsQueue(cast("SQSClient", client), "memory")


def _send(sqs: SQSClient, url: str, bodies: Sequence[str]) -> None:
    for start in range(0, len(bodies), AT_ONCE):
        part = bodies[start : start + AT_ONCE]
        sqs.send_message_batch(
            QueueUrl=url, Entries=[{"Id": str(place), "MessageBody": body} for place, body in enumerate(part)]
        )


@contextmanager
def _installation() -> Iterator[Intake]:
    with tempfile.TemporaryDirectory(prefix="iota-bench-") as folder:
        database = Database(f"sqlite:///{folder}/iota.db")
        database.migrate()
        objects = LocalObjects(1 << 30)
        yield Intake(
            database, objects, origins([]), EventSpool(database, LocalStorage(Path(folder) / "spool"), objects)
        )
        database.dispose()


def _take_all(queue: SqsQueue) -> None:
    """Receive and delete everything, by as many threads as the sensor has."""

    def work(_: int) -> None:
        while received := queue.receive():
            queue.delete(received)

    with ThreadPoolExecutor(CALLS) as pool:
        list(pool.map(work, range(CALLS)))


def _spool_all(intake: Intake, queue: SqsQueue) -> None:
    while intake.drain(queue, 0, PER_TICK).received:
        pass


def _bodies(count: int, sns: bool) -> list[str]:
    bodies = [json.dumps(_envelope(number)) for number in range(count)]
    return [json.dumps({"Type": "Notification", "Message": body}) for body in bodies] if sns else bodies


def _envelope(number: int) -> dict[str, Any]:
    name = f"{number:08x}-4f74-4f04-a780-7acf4b0a9b38"
    return {
        "version": "0",
        "id": name,
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.iam",
        "account": "111122223333",
        "time": "2026-11-22T10:02:03Z",
        "region": "us-east-1",
        "resources": [],
        "detail": _record(name, number),
    }


def _record(name: str, number: int) -> dict[str, Any]:
    issuer = {"type": "Role", "principalId": "AROAEXAMPLE", "arn": "arn:aws:iam::111122223333:role/deploy"}
    session = {"sessionIssuer": issuer, "attributes": {"creationDate": "2026-11-22T09:00:00Z"}}
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "AssumedRole", "accountId": "111122223333", "sessionContext": session},
        "eventTime": "2026-11-22T10:02:03Z",
        "eventSource": "iam.amazonaws.com",
        "eventName": "CreateAccessKey",
        "awsRegion": "us-east-1",
        "sourceIPAddress": f"198.51.100.{number % 250}",
        "userAgent": "aws-cli/2.15.30 Python/3.11.8 Linux/6.1 exe/x86_64 prompt/off command/iam.create-access-key",
        "requestParameters": {"userName": f"user-{number}"},
        "responseElements": {"accessKey": {"userName": f"user-{number}", "status": "Active"}},
        "requestID": name[::-1],
        "eventID": name,
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }


def _report(name: str, count: int, work: Callable[[], None]) -> None:
    wall, own = time.perf_counter(), time.process_time()
    work()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    load = os.getloadavg()[0]
    print(f"{name:<12} {count / wall:8,.0f} messages/s; CPU a message: {own / count * 1e6:,.0f} µs; load {load:.1f}")


if __name__ == "__main__":
    main()
