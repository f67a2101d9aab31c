"""The SQS queue that tells of new log objects."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iota_dagster.core.errors import Outage

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

AT_ONCE = 10
"""Messages in one call: SQS takes and gives no more."""
CALLS = 8
"""Calls at once for many messages."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it was received; `receipt` is what deletes this very delivery."""

    id: str
    receipt: str
    body: str
    sent_at: datetime | None = None
    deliveries: int = 1


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """About how many messages wait, and how many are with a consumer right now."""

    waiting: int
    in_flight: int


class SqsQueue:
    """One queue, read with our own credentials. Safe to share by threads; every method raises `Outage` only."""

    def __init__(self, client: SQSClient, url: str) -> None:
        """Nothing is connected yet."""
        self._client, self.url = client, url

    def receive(self, wait_seconds: int = 0) -> list[Received]:
        """Up to ten messages, waiting for the first one for so long at most.

        They stay in the queue, hidden for its visibility timeout, until they are deleted.
        """
        with _outages(self.url):
            answer = self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=AT_ONCE,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
            )
        return [
            Received(
                item["MessageId"],
                item["ReceiptHandle"],
                item["Body"],
                _moment(item.get("Attributes", {}).get("SentTimestamp")),
                int(item.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
            )
            for item in answer.get("Messages", [])
        ]

    def receive_many(self) -> list[Received]:
        """What some calls at once give, without waiting: for a queue that is full."""
        with ThreadPoolExecutor(CALLS) as pool:
            return [item for part in pool.map(lambda _: self.receive(), range(CALLS)) for item in part]

    def delete(self, messages: Sequence[Received]) -> int:
        """Delete deliveries; how many the queue refused to (their receipt is too old: they come again)."""
        parts = [messages[start : start + AT_ONCE] for start in range(0, len(messages), AT_ONCE)]
        if len(parts) <= 1:
            return sum(map(self._delete, parts))
        with ThreadPoolExecutor(min(CALLS, len(parts))) as pool:
            return sum(pool.map(self._delete, parts))

    def _delete(self, part: Sequence[Received]) -> int:
        with _outages(self.url):
            answer = self._client.delete_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": str(index), "ReceiptHandle": item.receipt} for index, item in enumerate(part)],
            )
        return len(answer.get("Failed", []))

    def depth(self) -> QueueDepth:
        """How full the queue is, about."""
        with _outages(self.url):
            answer = self._client.get_queue_attributes(
                QueueUrl=self.url,
                AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
            )
        found = answer["Attributes"]
        return QueueDepth(
            int(found["ApproximateNumberOfMessages"]), int(found["ApproximateNumberOfMessagesNotVisible"])
        )


def _moment(milliseconds: str | None) -> datetime | None:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC) if milliseconds else None


@contextmanager
def _outages(url: str) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError  # who has no queue never pays for it

    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Outage(f"the queue {url} did not answer: {error}") from error
