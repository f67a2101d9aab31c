"""CloudTrail of three invented accounts, in objects named as AWS names them.

The accounts have a trail each; the organization's trail repeats their management events some minutes later: the same
events, twice, in other objects.
"""

from __future__ import annotations

import gzip
import json
import random
import string
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from iota_dagster.core.dedup.identity import vendor_event_id
from iota_dagster.demo import story
from iota_dagster.demo.noise import noise
from iota_dagster.demo.records import ORGANIZATION, Record

WINDOW = timedelta(minutes=30)
"""How much time one object covers. CloudTrail delivers more often; a demo has a small machine to itself."""
_OWN_DELAY, _ORGANIZATION_DELAY, _JITTER = 2, 7, 4
_LATEST = WINDOW + timedelta(minutes=_ORGANIZATION_DELAY + _JITTER)  # what happened later is not delivered yet


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log object before it is anywhere, of its account's trail or the organization's; `events` are the ids."""

    account: str
    organization: bool
    delivered: datetime
    key: str
    body: bytes
    events: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Generated:
    """What was made: `records = events + doubles`; `story` counts the attack's events by name."""

    files: tuple[LogFile, ...]
    records: int
    events: int
    doubles: int
    story: dict[str, int]
    story_start: datetime


def generate(*, until: datetime | None = None, hours: int = 6, events: int = 10_000, seed: int = 7) -> Generated:
    """The logs of some hours that end at `until` (default: now), the attack of `story` among the noise.

    The same arguments give the same bytes. All of it has been delivered by `until`; the newest come first.
    """
    rng = random.Random(seed)
    delivered = (until or datetime.now(UTC)).astimezone(UTC).replace(second=0, microsecond=0)
    end, start = delivered - _LATEST, delivered - timedelta(hours=hours)
    pace = min(1.0, (end - start) / timedelta(minutes=story.MINUTES + 10))
    story_start = end - timedelta(minutes=story.MINUTES * pace)
    attack = list(story.story(rng, story_start, pace))
    found = [*attack, *noise(rng, start, end, max(0, events - len(attack)))]
    found.sort(key=lambda record: (record["eventTime"], record["eventID"]))
    repeated = repeats(found)
    files = [*_deliver(found, rng, organization=False), *_deliver(repeated, rng, organization=True)]
    files.sort(key=lambda file: (file.delivered, file.key), reverse=True)
    names = Counter(record["eventName"] for record in attack)
    total = len(found) + len(repeated)
    return Generated(tuple(files), total, len(found), len(repeated), dict(names), story_start)


def repeats(found: Iterable[Record]) -> list[Record]:
    """What the organization's trail holds of some records: the management events."""
    return [record for record in found if record["managementEvent"]]


def log_file(records: Sequence[Record], delivered: datetime, rng: random.Random, *, organization: bool) -> LogFile:
    """One object with records of one account and region."""
    account, region = records[0]["recipientAccountId"], records[0]["awsRegion"]
    root = Path("AWSLogs", ORGANIZATION) if organization else Path("AWSLogs")
    key = object_path(root, account, region, delivered, rng).as_posix()
    text = json.dumps({"Records": records}, separators=(",", ":"))
    body = gzip.compress(text.encode(), compresslevel=6, mtime=0)
    ids = tuple(vendor_event_id(account, record["eventID"]) for record in records)
    return LogFile(account, organization, delivered, key, body, ids)


def object_path(root: Path, account: str, region: str, delivered: datetime, rng: random.Random) -> Path:
    """Where CloudTrail puts an object: `root` is the `AWSLogs` folder, or the organization's in it."""
    unique = "".join(rng.choices(string.ascii_letters + string.digits, k=16))
    name = f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{unique}.json.gz"
    return root / account / "CloudTrail" / region / f"{delivered:%Y/%m/%d}" / name


def _deliver(found: Iterable[Record], rng: random.Random, *, organization: bool) -> Iterator[LogFile]:
    """One object per account, region and window of time."""
    windows: dict[tuple[str, str, datetime], list[Record]] = defaultdict(list)
    for record in found:
        moment = datetime.fromisoformat(record["eventTime"])
        window = moment - (moment - datetime.min.replace(tzinfo=UTC)) % WINDOW
        windows[record["recipientAccountId"], record["awsRegion"], window].append(record)
    delay = _ORGANIZATION_DELAY if organization else _OWN_DELAY
    for (_, _, window), records in windows.items():
        delivered = window + WINDOW + timedelta(minutes=delay + rng.randrange(_JITTER))
        yield log_file(records, delivered, rng, organization=organization)
