"""What an S3 key says of its log object: account, region, delivery hour and kind.

AWS services name their files, not their folders, after the minute of delivery; so the name's time wins, then an hour in
Hive-style folders, then plain date folders down to the hour. A key without an hour has none: the caller takes the
object's last-modified time. Any prefix may stand before all this, and no key is ever an error.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from iota_dagster.core.hours import Hour, hour_of

_CLOUDTRAIL = re.compile(r"(?:^|/)(?P<account>[0-9]{12})/CloudTrail(?P<kind>-Digest|-Insight)?/(?:(?P<region>[^/]+)/)?")
_AWS_LOGS = re.compile(r"(?:^|/)AWSLogs/(?:o-[a-z0-9]+/)?(?P<account>[0-9]{12})/[^/]+/(?:(?P<region>[^/]+)/)?")
_HIVE_ACCOUNT = re.compile(r"(?:^|/)(?:aws-)?account(?:-id|_id|id)?=(?P<account>[0-9]{12})/")
_HIVE_REGION = re.compile(r"(?:^|/)(?:aws-)?region=(?P<region>[^/]+)/")
_NAME = re.compile(r"^(?P<account>[0-9]{12})_(?P<service>[A-Za-z-]+)_(?P<region>[a-z0-9-]+)_")
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z]+)+-[0-9]{1,2}")

_NAME_TIMES = (
    re.compile(r"(?:^|[_.-])([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})?Z(?:[_.-]|$)"),
    re.compile(r"(?<![0-9])([0-9]{4})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})-([0-9]{2})(?:[-_.]|$)"),
)
_FOLDER_TIMES = (
    re.compile(r"(?:^|/)year=([0-9]{4})/month=([0-9]{1,2})/day=([0-9]{1,2})/hour=([0-9]{1,2})/"),
    re.compile(r"(?:^|/)(?:dt|date)=([0-9]{4})-([0-9]{2})-([0-9]{2})/(?:hour|hr|h)=([0-9]{1,2})/"),
    re.compile(r"(?:^|/)([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})/"),
)
# Written once by a service or a tool to see whether it may write, or to mark a folder.
_NOT_LOGS = frozenset({"ELBAccessLogTestFile", "ConfigWritabilityCheckFile", "aws-logs-write-test", "_SUCCESS"})


class KeyKind(StrEnum):
    """What the object holds, going by its key."""

    LOG = "log"
    DIGEST = "digest"  # CloudTrail's list of delivered files: no records
    INSIGHT = "insight"  # CloudTrail Insights: records of their own kind
    SKIP = "skip"  # a folder marker or a service's test file: nothing to read


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a key says; None where it says nothing."""

    account: str | None
    region: str | None
    delivery_hour: Hour | None
    kind: KeyKind


def parse_object_key(key: str) -> KeyFacts:
    """The facts of a key; never raises. An impossible date names no hour."""
    folders, _, name = key.rpartition("/")
    folders += "/"
    place = _CLOUDTRAIL.search(folders) or _AWS_LOGS.search(folders)
    return KeyFacts(
        _first(place, _HIVE_ACCOUNT.search(folders), _NAME.match(name), group="account"),
        _region(place, _HIVE_REGION.search(folders), _NAME.match(name)),
        _delivery_hour(folders, name),
        _kind(folders, name),
    )


def _kind(folders: str, name: str) -> KeyKind:
    if not name or name in _NOT_LOGS or name.endswith("_$folder$"):
        return KeyKind.SKIP
    place, named = _CLOUDTRAIL.search(folders), _NAME.match(name)
    mark = (place and place["kind"]) or (named and named["service"]) or ""
    if mark.endswith("-Digest"):
        return KeyKind.DIGEST
    return KeyKind.INSIGHT if mark.endswith("-Insight") else KeyKind.LOG


def _first(*matches: re.Match[str] | None, group: str) -> str | None:
    return next((match[group] for match in matches if match), None)


def _region(*matches: re.Match[str] | None) -> str | None:
    named = (match["region"] for match in matches if match)
    return next((region for region in named if region and _REGION.fullmatch(region)), None)


def _delivery_hour(folders: str, name: str) -> Hour | None:
    for patterns, text in ((_NAME_TIMES, name), (_FOLDER_TIMES, folders)):
        for pattern in patterns:
            for found in pattern.finditer(text):
                if (hour := _hour(found)) is not None:
                    return hour
    return None


def _hour(found: re.Match[str]) -> Hour | None:
    parts = [int(part) for part in found.groups(default="0")]
    year, month, day, hour_of_day, minute, second = parts + [0] * (6 - len(parts))
    try:
        hour = hour_of(datetime(year, month, day, hour_of_day, minute, second, tzinfo=UTC))
    except ValueError:
        return None
    return hour if hour >= 0 else None
