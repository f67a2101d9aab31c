"""A small installation for tests of the whole road: log objects to write, and runs without Dagster."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from iota_dagster.core.batch.road import Branch, Road
from iota_dagster.core.correlating.correlator import correlator_of
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.store import ledger
from iota_dagster.core.store.claims import ClaimLimits
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import Settings

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
TEN = hour_of(datetime(2026, 11, 22, 10, tzinfo=UTC))
"""A delivery hour; its objects hold events of nine and of ten."""
NINE, ELEVEN = TEN - 1, TEN + 1
ACCOUNT, LOG_TYPE = "111122223333", "AWS.CloudTrail"
LEASE_IS_OVER = NOW + timedelta(minutes=10)

_RULE = """\
AnalysisType: rule
Filename: sign_in.py
RuleID: Test.SignIn
Enabled: true
LogTypes: [AWS.CloudTrail]
Severity: High
DedupPeriodMinutes: 60
"""
_RULE_CODE = """\
def rule(event):
    return event.get("eventName") == "ConsoleLogin"


def dedup(event):
    return event.get("sourceIPAddress")


def title(event):
    return f"sign-in from {event.get('sourceIPAddress')}"
"""

_CORRELATION = """\
AnalysisType: correlation_rule
RuleID: Test.Again
DisplayName: Signed in again
Enabled: true
Severity: High
Detection:
  - Sequence:
      - {{ ID: First, RuleID: Test.SignIn }}
      - {{ ID: Second, RuleID: Test.SignIn }}
    Transitions: [{{ From: First, To: Second, Match: [{{ On: {path} }}] }}]
    LookbackWindowMinutes: 120
"""


def record(event_id: str, hour: Hour = TEN, minute: int = 5, **fields: Any) -> dict[str, Any]:
    """A CloudTrail record; `fields` replace or add to its own."""
    moment = hour_start(hour) + timedelta(minutes=minute)
    return {
        "eventVersion": "1.08",
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "userName": "alice"},
        "eventTime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2",
        "eventID": event_id,
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    } | fields


def sign_in(event_id: str, address: str, hour: Hour = TEN, minute: int = 5) -> dict[str, Any]:
    """A record that the rule of these tests finds; its address is the alert's dedup string."""
    return record(event_id, hour, minute, eventName="ConsoleLogin", sourceIPAddress=address)


UNKNOWN = {"what": "no source knows this record"}


def content(records: Iterable[dict[str, Any]]) -> bytes:
    """The bytes of a log object, the same for the same records."""
    text = json.dumps({"Records": list(records)}, separators=(",", ":"))
    return gzip.compress(text.encode(), 1, mtime=0)


@dataclass(frozen=True, slots=True)
class World:
    """Where an installation of a test lies: the log objects, its home and its store."""

    inbox: Path
    home: Path
    store_url: str
    rules: Path
    workers: int = 1
    inline_bytes: int = 4 << 20
    batch_objects: int = 2000

    @classmethod
    def at(cls, folder: Path, store_url: str, **more: Any) -> World:
        """A new world below a folder, with the one rule of these tests."""
        rules = folder / "rules"
        rules.mkdir(parents=True, exist_ok=True)
        (rules / "sign_in.yml").write_text(_RULE)
        (rules / "sign_in.py").write_text(_RULE_CODE)
        (folder / "inbox").mkdir(exist_ok=True)
        return cls(folder / "inbox", folder / "home", store_url, rules, **more)

    def correlate(self, path: str = "sourceIPAddress") -> None:
        """Add a correlation rule: two sign-ins within two hours that have a field in common."""
        (self.rules / "again.yml").write_text(_CORRELATION.format(path=path))

    def open(self, now: datetime = NOW) -> Platform:
        """The platform, by a clock that stands still."""
        settings = Settings(
            home=self.home,
            store_url=self.store_url,
            rules=(self.rules,),
            process_workers=self.workers,
            inline_bytes=self.inline_bytes,
            download_workers=1,
        )
        platform = open_platform(settings)
        road = replace(platform.road, clock=lambda: now, limits=ClaimLimits(self.batch_objects, 1 << 30))
        return replace(platform, road=road)

    @contextmanager
    def opened(self, now: datetime = NOW) -> Iterator[Platform]:
        """The same, with its store closed in the end."""
        platform = self.open(now)
        try:
            yield platform
        finally:
            platform.database.dispose()

    def put(self, key: str, records: Iterable[dict[str, Any]] | bytes) -> None:
        """Write a log object."""
        path = self.inbox / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(records if isinstance(records, bytes) else content(records))

    def register(self, platform: Platform, keys: Iterable[str], hour: Hour) -> None:
        """Enter log objects as pending in a delivery hour."""
        refs = [self._head(platform, key) for key in keys]
        with platform.database.begin() as connection:
            for ref in refs:
                ledger.register(
                    connection,
                    ref,
                    integration="inbox",
                    delivery_hour=hour,
                    kind="log",
                    account=ACCOUNT,
                    region="us-east-1",
                    now=NOW,
                )

    def deliver(self, platform: Platform, objects: Mapping[str, Iterable[dict[str, Any]] | bytes], hour: Hour) -> None:
        """Write log objects and enter them."""
        for key, records in objects.items():
            self.put(key, records)
        self.register(platform, objects, hour)

    def _head(self, platform: Platform, key: str) -> ObjectRef:
        return platform.objects.head(f"{SCHEME}{self.inbox}", key)


def drive(
    platform: Platform, root: str, *, again: bool = False, hours: Sequence[Hour] | None = None, rounds: int = 10
) -> None:
    """Runs without Dagster: one over the given delivery hours, then more until no hour has anything to do.

    The first one is the run `root`, so that the same call again is its retry. Fails when it does not come to an end.
    """
    road = platform.road
    for number in range(rounds):
        todo = list(hours) if hours and number == 0 else _pending(platform)
        if not todo:
            return
        run_once(road, root if number == 0 else f"{root}-{number}", todo, again=again and number == 0)
    raise AssertionError(f"after {rounds} runs there is still something to do: {_pending(platform)}")


def run_once(road: Road, root: str, hours: Sequence[Hour], *, again: bool = False) -> None:
    """One run through the whole graph, in the order of the diagram."""
    run = road.run_identity(root)
    for assignment in road.claim(run, hours, again=again):
        road.prepare(run, assignment)
    for batch in road.to_publish(run, hours, Branch.ALERTS):
        road.judge(batch)
    assert correlator_of(road).correlate().failures == {}
    road.deliver()
    for batch in road.to_publish(run, hours, Branch.LAKE):
        road.publish(batch)


def _pending(platform: Platform) -> list[Hour]:
    with platform.database.read() as connection:
        return ledger.pending_hours(connection, datetime.now(UTC))
