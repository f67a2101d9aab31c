"""How fast each log type is read: `make bench-sources` prints records a second of one core's time.

Typed columns and indicators are included. The records are those of the fixtures, repeated with other ids, times, ports
and addresses in each, in blocks as large as ingest's. `accepted` is how many records a second its marks are found in,
which comes on top where an object is mixed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from iota_dagster.core.ingest.parts import BLOCK_ROWS
from iota_dagster.core.reading.records import open_records
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.base import Shape, Source
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.headers import headers_within

FIXTURES = Path(__file__).parent.parent / "tests" / "fixtures" / "logs"
TARGETS = {"AWS.VPCFlow": 300_000, "AWS.CloudTrail": 40_000}
TEXT_TARGET, JSON_TARGET = 100_000, 30_000
# All but account ids and ARNs, of which there are few in real logs.
_LONG_NUMBER = re.compile(
    rb"arn:[^ \"]+|(?<![0-9a-zA-Z.])(?![0-9]{12}(?![0-9a-zA-Z]))[0-9a-f]{2,}?([0-9]{4,5})(?![0-9a-zA-Z])"
)
_ADDRESS = re.compile(rb"\b(203\.0\.113|198\.51\.100|192\.0\.2)\.[0-9]{1,3}\b")


@dataclass(frozen=True, slots=True)
class Speed:
    """One log type's figures; the speeds are records a second."""

    log_type: str
    records: int
    bytes_each: int
    read: int
    accepted: int
    target: int


def fixture_records() -> dict[str, list[tuple[Source, list[bytes]]]]:
    """The records of all fixtures by log type, each list with the source as it reads them."""
    found: dict[str, list[tuple[Source, list[bytes]]]] = {}
    sources = SOURCES.values()
    for path in sorted(FIXTURES.rglob("*")):
        if path.is_dir():
            continue
        classifier = Classifier(sources, path.name, None)
        with path.open("rb") as stream:
            for chunk in open_records(stream, headers=headers_within(sources, list(SOURCES))):
                for source, start, stop in classifier.runs(chunk.records, chunk.header):
                    if source is not None:
                        found.setdefault(source.log_type, []).append((source, chunk.records[start:stop]))
    return found


def varied(record: bytes, number: int, chance: random.Random) -> bytes:
    """A record like another one, with ids, times and addresses of its own."""

    def renumbered(found: re.Match[bytes]) -> bytes:
        digits = len(found[1] or b"")
        return found[0][:-digits] + b"%0*d" % (digits, number % 9999) if digits else found[0]

    other = _LONG_NUMBER.sub(renumbered, record)
    return _ADDRESS.sub(lambda found: b"%s.%d" % (found[1], chance.randrange(254)), other)


def measure(source: Source, templates: Sequence[bytes], size: int) -> Speed:
    """One log type's speeds over `size` records."""
    chance = random.Random(1)
    records = [varied(templates[number % len(templates)], number, chance) for number in range(size)]
    blocks = [records[start : start + BLOCK_ROWS] for start in range(0, size, BLOCK_ROWS)]

    def read() -> None:
        for block in blocks:
            source.read_many(block)

    source.read_many(blocks[0])
    gc.disable()  # as ingest does
    target = TARGETS.get(source.log_type, TEXT_TARGET if source.shape is Shape.LINE else JSON_TARGET)
    each = sum(map(len, records)) // size
    accepted = _per_second(lambda: [source.accepts(record) for record in records], size)
    return Speed(source.log_type, size, each, _per_second(read, size), accepted, target)


def _per_second(work: Callable[[], object], size: int) -> int:
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return round(size / min(seconds))


def main() -> None:
    """Print the table; with --json its rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log_types", nargs="*", help="only these")
    parser.add_argument("--records", type=int, default=100_000, help="records of each type")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    found = fixture_records()
    speeds = []
    for log_type in options.log_types or sorted(found):
        source = found[log_type][0][0]
        templates = [record for other, records in found[log_type] if other == source for record in records]
        speed = measure(source, templates, options.records)
        speeds.append(speed)
        if not options.json:
            mark = "" if speed.read >= speed.target else "  below its mark"
            print(
                f"{log_type:32} {speed.read:>9,} records/s of {speed.bytes_each:>5,} bytes; mark {speed.target:,}{mark}"
            )
    if options.json:
        print(json.dumps([asdict(speed) for speed in speeds]))


if __name__ == "__main__":
    main()
