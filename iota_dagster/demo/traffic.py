"""What is put into the buckets, and when: the last day at once, then an object every few seconds."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from iota_dagster.core.hours import hour_of
from iota_dagster.demo.cloudtrail import Generated, LogFile, generate, log_file, repeats
from iota_dagster.demo.embedded_aws import MANAGEMENT, bucket_of
from iota_dagster.demo.noise import noise
from iota_dagster.demo.records import ACCOUNTS, HOME_REGION, Record
from iota_dagster.demo.story import MINUTES, Cast, story

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOURS = 24
EVENTS_PER_HOUR = 600
UPLOADERS = 8
LIVE_STORY = timedelta(seconds=60)
"""How long the attack takes in the live traffic."""
_NOISE = 40
_ADDRESSES = 250
_NAMES = ("erin", "frank", "grace", "heidi", "ivan", "judy", "mallory", "niaj", "olivia", "peggy", "quentin", "rupert",
          "sybil", "trent", "ursula", "victor", "walter", "xenia", "yves", "zoe")  # fmt: skip


def last_day(now: datetime) -> Generated:
    """The traffic up to now; the same all through an hour, but for its last minutes."""
    return generate(until=now, hours=HOURS, events=HOURS * EVENTS_PER_HOUR, seed=hour_of(now))


class Uploads:
    """Puts log files into their buckets, and remembers when each event was put for the first time."""

    def __init__(self, buckets: Mapping[str, S3Client]) -> None:
        """`buckets` has a client by account."""
        self._buckets, self._lock = buckets, threading.Lock()
        self._put_at: dict[str, datetime] = {}
        self.objects = 0
        self.live_since: datetime | None = None

    def put_all(self, files: Sequence[LogFile]) -> None:
        """Put many, in about their order, by several threads."""
        with ThreadPoolExecutor(UPLOADERS) as pool:
            list(pool.map(self.put, files))

    def put(self, file: LogFile) -> None:
        """Put one; its events count as put when the call begins."""
        account, now = MANAGEMENT if file.organization else file.account, datetime.now(UTC)
        with self._lock:
            self.objects += 1
            for event in file.events:
                self._put_at.setdefault(event, now)
        self._buckets[account].put_object(Bucket=bucket_of(account), Key=file.key, Body=file.body)

    def put_at(self, event: str) -> datetime | None:
        """When an event was put for the first time."""
        with self._lock:
            return self._put_at.get(event)

    def go_live(self) -> datetime:
        """From now on it is live traffic."""
        self.live_since = datetime.now(UTC)
        return self.live_since


class Live:
    """The attack again and again, a minute each, every time by others; with the accounts' noise around it.

    Each tick delivers what has happened since the last one, and what the organization's trail repeats of the last.
    """

    def __init__(self, seed: int, start: datetime) -> None:
        """The same seed and moments give the same files."""
        self._rng, self._last = random.Random(f"live {seed}"), start  # not the day's ids again
        self._echo: list[Record] = []
        self._number = 0
        self._story, self._next = self._play(start)

    def tick(self, now: datetime) -> list[LogFile]:
        """One object with what is new, and one with the organization's view of what was."""
        found = [*self._noise(now), *self._until(now)]  # in this order: who plays may change at the end of a story
        made = [(found, False), (self._echo, True)]
        self._echo, self._last = repeats(found), now
        return [log_file(records, now, self._rng, organization=echo) for records, echo in made if records]

    def _until(self, now: datetime) -> Iterator[Record]:
        while self._next is not None and datetime.fromisoformat(self._next["eventTime"]) <= now:
            yield self._next
            self._next = next(self._story, None)
        if self._next is None:
            self._number += 1
            self._story, self._next = self._play(now)

    def _play(self, start: datetime) -> tuple[Iterator[Record], Record | None]:
        play = story(self._rng, start, LIVE_STORY / timedelta(minutes=MINUTES), cast(self._number))
        return play, next(play, None)

    def _noise(self, now: datetime) -> list[Record]:
        """Only of the account and region where the story plays: one object has records of one account and region."""
        here = (cast(self._number).account, HOME_REGION)
        found = noise(self._rng, self._last, now, _NOISE)
        return [record for record in found if (record["recipientAccountId"], record["awsRegion"]) == here]


def cast(number: int) -> Cast:
    """Others each time, so that each attack's alerts are new ones: an hour is over before one comes again."""
    name = _NAMES[number % len(_NAMES)]
    return Cast(
        account=ACCOUNTS[number % len(ACCOUNTS)],
        thief=name,
        victim=f"{name}-backup",
        first_address=f"203.0.113.{number * 2 % _ADDRESSES + 1}",
        second_address=f"203.0.113.{number * 2 % _ADDRESSES + 2}",
    )
