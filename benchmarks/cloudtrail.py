"""Many CloudTrail records, fast: to measure the road with.

Records are made from rendered ones by putting in new ids and times, so that writing them costs less than reading them.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from isal import igzip

from iota_dagster.demo.cloudtrail import object_path
from iota_dagster.demo.noise import noise
from iota_dagster.demo.records import ACCOUNTS, HOME_REGION, Record, stamp

START = datetime(2026, 11, 20, 6, tzinfo=UTC)
"""The first object's time."""
_TEMPLATES = 600
_UUID = 36


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was written: `records = events + doubles`; `bytes` are the records' own, before gzip."""

    folder: Path
    objects: int
    records: int
    events: int
    doubles: int
    bytes: int


def benchmark_objects(
    folder: Path,
    events: int,
    per_object: int = 8_000,
    duplicates: float = 0.05,
    seed: int = 7,
    *,
    hours: int = 4,
    start: datetime = START,
) -> Benchmark:
    """Write `events` records into objects of `per_object`, delivered evenly over some hours.

    The share `duplicates` of them are copies, byte for byte, of records in the same account's object before; the first
    object of an account has none, so the others have a little more.
    """
    rng = random.Random(seed)
    templates = _templates(rng, start)
    sizes = [min(per_object, events - first) for first in range(0, events, per_object)]
    copies = _copies(sizes, duplicates)
    previous: dict[str, list[bytes]] = {}
    written = 0
    for number, (size, doubled) in enumerate(zip(sizes, copies, strict=True)):
        account = ACCOUNTS[number % len(ACCOUNTS)]
        delivered = start + timedelta(hours=hours) * number / len(sizes)
        fresh = list(_records(templates[account], size - doubled, delivered, rng))
        lines = fresh + rng.sample(previous.get(account, []), doubled)
        rng.shuffle(lines)
        path = object_path(folder / "AWSLogs", account, HOME_REGION, delivered, rng)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(igzip.compress(b'{"Records":[' + b",".join(lines) + b"]}", compresslevel=1, mtime=0))
        previous[account] = fresh
        written += sum(map(len, lines))
    return Benchmark(folder, len(sizes), events, events - sum(copies), sum(copies), written)


def _copies(sizes: list[int], share: float) -> list[int]:
    """How many copies each object gets: the share of all, spread over the objects that have one before them."""
    able = sum(sizes[len(ACCOUNTS) :])
    wanted, done, given, counts = round(share * sum(sizes)), 0, 0, []
    for number, size in enumerate(sizes):
        if number < len(ACCOUNTS):
            counts.append(0)
            continue
        done += size
        # Half an object at most, so that the object before always has enough records of its own.
        counts.append(min(wanted * done // able - given, size // 2))
        given += counts[-1]
    return counts


_Template = tuple[bytes, bytes, bytes, bytes]


def _templates(rng: random.Random, start: datetime) -> dict[str, list[_Template]]:
    """Rendered records per account, cut where the event's time, request id and event id go."""
    templates: dict[str, list[_Template]] = {account: [] for account in ACCOUNTS}
    for record in noise(rng, start, start + timedelta(hours=1), _TEMPLATES):
        templates[record["recipientAccountId"]].append(_cut(record))
    return templates


def _cut(record: Record) -> _Template:
    text = json.dumps(record, separators=(",", ":")).encode()
    head, rest = text.split(b'"eventTime":"' + record["eventTime"].encode(), 1)
    middle, rest = rest.split(record["requestID"].encode(), 1)
    between, tail = rest.split(record["eventID"].encode(), 1)
    return head + b'"eventTime":"', middle, between, tail


def _records(templates: list[_Template], count: int, delivered: datetime, rng: random.Random) -> Iterator[bytes]:
    """New records of the quarter of an hour before their object's delivery."""
    seconds = [stamp(delivered - timedelta(seconds=second)).encode() for second in range(60, 960)]
    chosen = rng.choices(templates, k=count)
    times = rng.choices(seconds, k=count)
    ids = _uuids(2 * count, rng)
    for number, ((head, middle, between, tail), time) in enumerate(zip(chosen, times, strict=True)):
        at = 2 * _UUID * number
        yield b"".join((head, time, middle, ids[at : at + _UUID], between, ids[at + _UUID : at + 2 * _UUID], tail))


def _uuids(count: int, rng: random.Random) -> bytes:
    """Random UUIDs one behind the other; made in one go, since one by one they would take most of the time."""
    digits = np.frombuffer(rng.randbytes(16 * count).hex().encode(), np.uint8).reshape(count, 32)
    text = np.full((count, _UUID), ord("-"), np.uint8)
    text[:, [place for place in range(_UUID) if place not in (8, 13, 18, 23)]] = digits
    text[:, 14], text[:, 19] = ord("4"), ord("a")  # version and variant
    return text.tobytes()
