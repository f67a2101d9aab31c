"""CloudTrail of three invented accounts in folders laid out as AWS lays out its buckets.

`accounts/` is the bucket of the accounts' own trails, `organization/` that of the organization's trail, which repeats
their management events some minutes later: the same events, twice, in other files.
"""

from __future__ import annotations

import gzip
import json
import random
import string
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from iota_dagster.demo import story
from iota_dagster.demo.noise import noise
from iota_dagster.demo.records import ORGANIZATION, Record

_WINDOW = timedelta(minutes=5)  # CloudTrail delivers about that often
_LATEST = timedelta(minutes=20)  # what happened later is not delivered yet


@dataclass(frozen=True, slots=True)
class Generated:
    """What was written: `records = events + doubles`; `story` counts the attack's events by name."""

    accounts: Path
    organization: Path
    objects: int
    records: int
    events: int
    doubles: int
    story: dict[str, int]
    story_start: datetime


def generate(
    folder: Path, *, until: datetime | None = None, hours: int = 6, events: int = 10_000, seed: int = 7
) -> Generated:
    """Write the logs of some hours that end at `until` (default: now), the attack of `story` among the noise.

    The same arguments give the same bytes. All of it has been delivered by `until`.
    """
    rng = random.Random(seed)
    end = (until or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0) - _LATEST
    start = end - timedelta(hours=hours) + _LATEST
    pace = min(1.0, (end - start) / timedelta(minutes=story.MINUTES + 10))
    story_start = end - timedelta(minutes=story.MINUTES * pace)
    attack = list(story.story(rng, story_start, pace))
    found = [*attack, *noise(rng, start, end, max(0, events - len(attack)))]
    found.sort(key=lambda record: (record["eventTime"], record["eventID"]))
    own, all_of_them = folder / "accounts", folder / "organization"
    repeated = [record for record in found if record["managementEvent"]]
    objects = _write_trail(own / "AWSLogs", found, rng, delay=2)
    objects += _write_trail(all_of_them / "AWSLogs" / ORGANIZATION, repeated, rng, delay=7)
    names = Counter(record["eventName"] for record in attack)
    records = len(found) + len(repeated)
    return Generated(own, all_of_them, objects, records, len(found), len(repeated), dict(names), story_start)


def object_path(root: Path, account: str, region: str, delivered: datetime, rng: random.Random) -> Path:
    """Where CloudTrail puts an object: `root` is the `AWSLogs` folder, or the organization's in it."""
    unique = "".join(rng.choices(string.ascii_letters + string.digits, k=16))
    name = f"{account}_CloudTrail_{region}_{delivered:%Y%m%dT%H%MZ}_{unique}.json.gz"
    return root / account / "CloudTrail" / region / f"{delivered:%Y/%m/%d}" / name


def _write_trail(root: Path, found: Iterable[Record], rng: random.Random, delay: int) -> int:
    """One object per account, region and five minutes; the number of them."""
    windows: dict[tuple[str, str, datetime], list[Record]] = defaultdict(list)
    for record in found:
        moment = datetime.fromisoformat(record["eventTime"])
        window = moment - (moment - datetime.min.replace(tzinfo=UTC)) % _WINDOW
        windows[record["recipientAccountId"], record["awsRegion"], window].append(record)
    for (account, region, window), records in windows.items():
        delivered = window + _WINDOW + timedelta(minutes=delay + rng.randrange(4))
        path = object_path(root, account, region, delivered, rng)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"Records": records}, separators=(",", ":"))
        path.write_bytes(gzip.compress(text.encode(), compresslevel=6, mtime=0))
    return len(windows)
