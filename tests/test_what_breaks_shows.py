"""Each thing broken on purpose: the right metric, probe, check and alert turn red, and nothing else does."""

from __future__ import annotations

import gzip
import resource
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster._daemon.types import DaemonHeartbeat
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from iota_dagster.core.errors import Outage
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.schema import batches, lake_files
from iota_dagster.defs.assets import ASSETS
from iota_dagster.defs.checks import CHECKS
from iota_dagster.defs.checks.completeness import COMPLETENESS_CHECKS
from iota_dagster.defs.checks.quality import accounting
from iota_dagster.defs.resources import resources
from iota_dagster.doctor_checks.site import Site
from iota_dagster.home import prepare_home
from iota_dagster.platform import Platform, open_platform
from iota_dagster.readiness import SECONDS, probes
from iota_dagster.server import make_app, registry_of
from iota_dagster.settings import Settings, load_settings
from tests.app_server import ready, served
from tests.aws import Answer, Asked, Aws, sts_error
from tests.core.completeness.digests import Trail, answer_keys, contents
from tests.damage import flip
from tests.platform.waiting import wait_until
from tests.road.world import World, drive
from tests.road.world import content as packed
from tests.road.world import sign_in as record_of_sign_in

ROLE = "arn:aws:iam::111122223333:role/log-reader"
TABLE = "cloudtrail_events"
PATIENCE = 0.5
"""Seconds on top of what a probe promises: for HTTP, and for a machine that has other things to do."""
UP = {"iota_store_up", "iota_queue_up"}
"""Metrics that should be there and not 0."""
NEVER = {"iota_quarantined_total", "iota_quarantine_items"}
"""Metrics that should be nothing."""
HEARTBEAT = "iota_daemon_heartbeat_timestamp_seconds"
"""By part of the daemon; shown as 1 where it is too old."""
SILENT = 180
"""Seconds without a heartbeat that are too many, as in the alert rule."""
WRONG = {
    "iota_objects": {"pending", "claimed", "quarantined", "missing", "refused"},
    "iota_batches": {"open", "committed"},
    "iota_deliveries": {"pending", "failed"},
    "iota_queue_depth": {"waiting"},
    "iota_recent_runs": {"failure"},
    "iota_rule_results_total": {"error"},
    "iota_store_operations_total": {"outage", "error"},
}
"""Metrics that should be nothing where a label has one of these values."""
_HANGS = """\
AnalysisType: rule
Filename: hangs.py
RuleID: Test.Hangs
Enabled: true
LogTypes: [AWS.CloudTrail]
Severity: Low
"""
defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=CHECKS,
    jobs=[
        dg.define_asset_job("all", selection=dg.AssetSelection.all_asset_checks()),
        dg.define_asset_job("but_the_tables", selection=dg.AssetSelection.checks(*COMPLETENESS_CHECKS, accounting)),
    ],
    resources=resources(),
    executor=dg.in_process_executor,
)


@dataclass(frozen=True)
class Red:
    """What is wrong, as people see it: `figures` by metric and labels, failed `probes` and `checks`, open `alerts`."""

    figures: dict[str, float] = field(default_factory=dict)
    probes: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    alerts: set[str] = field(default_factory=set)


@dataclass
class Place:
    """An installation in good health: a bucket that tells a queue, a role, rules, a lake, a daemon that beats."""

    aws: Aws
    bucket: str
    url: str
    platform: Platform
    start: datetime
    daemon: set[str] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        return self.platform.settings

    def put(self, key: str, data: bytes, **metadata: str) -> None:
        """Put an object into the bucket, which tells the queue."""
        self.aws.clients.s3().put_object(Bucket=self.bucket, Key=key, Body=data, Metadata=metadata)

    def put_log(self, name: str) -> str:
        """Put a log file that no digest lists yet; its key."""
        ((key, text),) = contents([name], self.start + timedelta(hours=2))
        self.put(key, gzip.compress(text))
        return key

    def put_hour(self, start: datetime, names: list[str], gone: Collection[str] = ()) -> list[str]:
        """Put the log files of an hour and its digest, as CloudTrail does; the files' keys. Those `gone` never come."""
        files = contents(names, start)
        for name, (key, text) in zip(names, files, strict=True):
            if name not in gone:
                self.put(key, gzip.compress(text))
        digest = Trail(self.bucket).digest(start + timedelta(hours=1), files)
        self.put(digest.key, digest.packed, signature=digest.signature)
        return [key for key, _ in files]

    def take_in(self) -> None:
        """What a sensor does with the queue's messages."""
        assert self.platform.queue
        self.platform.intake.drain(self.platform.queue, 0, 1000)

    def work(self, name: str) -> None:
        """What runs do, each with a platform of its own."""
        with opened() as platform:
            drive(platform, name)

    def red(self, job: str = "but_the_tables") -> Red:
        """Everything that is wrong: metrics and probes as they are, then the checks of one run, then the alerts.

        The checks of the lake's tables take some seconds and run where the lake is looked at.
        """
        figures, failing = self.figures(), self.probes()
        return Red(figures, failing, self.checks(job), self.alerts())

    def figures(self) -> dict[str, float]:
        """The metrics that say that something is wrong, as a scrape shows them."""
        text = generate_latest(registry_of(self.settings)).decode()
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        assert {item.name for item in samples} >= UP
        return {" ".join([item.name, *item.labels.values()]): shown(item) for item in samples if is_wrong(item)}

    def probes(self) -> set[str]:
        """The parts for which `/ready` fails, asked once; in time."""
        began = time.monotonic()
        status, found = ready(self.url)
        assert time.monotonic() - began < SECONDS + PATIENCE
        failing = {name for name, outcome in found.items() if outcome == "failed"}
        assert status == (503 if failing else 200)
        return failing

    def checks(self, job: str) -> set[str]:
        """The asset checks that fail in a run of a job."""
        with dg.DagsterInstance.ephemeral() as instance:
            result = defs.resolve_job_def(job).execute_in_process(instance=instance)
        evaluations = result.get_asset_check_evaluations()
        assert evaluations
        return {f"{item.asset_key.to_user_string()}.{item.check_name}" for item in evaluations if not item.passed}

    def alerts(self) -> set[str]:
        """The rules with an open alert."""
        with self.platform.database.read() as connection:
            return {alert.rule_id for alert in list_alerts(connection) if alert.status == "open"}

    def beat(self, seconds_ago: float) -> None:
        """Let the daemon's last sign of life be so old."""
        with dg.DagsterInstance.from_config(str(prepare_home(self.settings))) as instance:
            kinds = instance.get_required_daemon_types()
            self.daemon = {kind.lower() for kind in kinds}
            for kind in kinds:
                instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - seconds_ago, kind, None, None))


def shown(sample: Sample) -> float:
    return 1.0 if sample.name == HEARTBEAT else sample.value


def is_wrong(sample: Sample) -> bool:
    if sample.name == HEARTBEAT:
        return time.time() - sample.value > SILENT
    if sample.name in UP:
        return sample.value == 0
    bad = sample.name in NEVER or not WRONG.get(sample.name, set()).isdisjoint(sample.labels.values())
    return bad and sample.value > 0


@contextmanager
def opened() -> Iterator[Platform]:
    platform = open_platform(load_settings())
    try:
        yield platform
    finally:
        platform.database.dispose()


@pytest.fixture(scope="module")
def dagster_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with Dagster's tables, which take a second to make, and nothing else."""
    home = tmp_path_factory.mktemp("dagster") / "home"
    with dg.DagsterInstance.from_config(str(prepare_home(Settings(home=home)))) as instance:
        instance.get_daemon_statuses()
        instance.get_run_records(limit=1)
    return home


@pytest.fixture
def place(aws: Aws, dagster_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An installation that has read a digest and the two files that it lists; nothing is red."""
    shutil.copytree(dagster_home, tmp_path / "home")
    bucket, queue_url = telling_bucket(aws)
    config = {
        "home": str(tmp_path / "home"),
        "rules": [str(World.at(tmp_path, "").rules)],
        "rule_seconds": 0.3,
        "process_workers": 1,
        "endpoint_url": aws.endpoint,
        "region": "us-east-1",
        "queue_url": queue_url,
        "integrations": [{"name": "trail", "bucket": bucket, "region": "us-east-1", "role_arn": ROLE}],
        "enable_metrics": True,
    }
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("IOTA_CONFIG", str(tmp_path / "iota.yaml"))
    settings = load_settings()
    start = (datetime.now(UTC) - timedelta(hours=6)).replace(minute=0, second=0, microsecond=0)
    with ExitStack() as stack:
        stack.enter_context(aws.disturbed_by(answer_keys))
        url = stack.enter_context(served(make_app(None, probes(Site(settings)))))
        made = Place(aws, bucket, url, stack.enter_context(opened()), start)
        made.beat(0)
        made.put_hour(start, ["a", "b"])
        made.take_in()
        made.work("healthy")
        wait_until(lambda: ready(url)[0] == 200, "ready", 30, lambda: str(ready(url)))
        yield made


def telling_bucket(aws: Aws) -> tuple[str, str]:
    """A bucket, and the URL of the queue that it tells of its new objects."""
    bucket, sqs = aws.bucket("trail"), aws.clients.sqs()
    url = sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told: Any = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    aws.clients.s3().put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)
    return bucket, url


def test_nothing_is_red_where_all_is_well(place: Place) -> None:
    assert place.red("all") == Red()


def test_a_queue_that_is_gone_turns_its_metric_and_its_probe(place: Place) -> None:
    assert place.settings.queue_url
    place.aws.clients.sqs().delete_queue(QueueUrl=place.settings.queue_url)
    assert place.red() == Red({"iota_queue_up": 0}, {"queue"})


def test_a_dead_daemon_turns_its_probe_and_what_nobody_takes_in_is_seen_to_wait(place: Place) -> None:
    place.beat(7200)
    place.put_log("nobody-looks")
    silent = {f"{HEARTBEAT} {part}": 1.0 for part in place.daemon}
    assert place.red() == Red({"iota_queue_depth waiting": 1, **silent}, {"daemon"}, {"raw_logs.places_listed"})
    place.beat(0)
    assert place.probes() == set()
    assert silent.keys().isdisjoint(place.figures())


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow any more, as on a disk whose quota is used up: for root as well."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_turns_the_lakes_probe_what_waits_is_shown_and_nothing_is_lost(place: Place) -> None:
    place.put_log("full")
    place.take_in()
    with full_disk():
        with pytest.raises(Outage):
            drive(place.platform, "full")
        figures, failing = place.figures(), place.probes()
    assert figures == {"iota_objects trail pending": 1}
    assert failing == {"lake", "daemon"}  # whose state is on the same disk
    place.work("room")
    assert place.red() == Red()


def refused(asked: Asked) -> Answer | None:
    return sts_error(403, "AccessDenied") if asked.service == "sts" else answer_keys(asked)


def test_a_role_that_cannot_be_assumed_leaves_its_objects_pending_and_fails_what_reads_by_it(place: Place) -> None:
    place.put_log("refused")
    place.take_in()
    with place.aws.disturbed_by(refused):
        place.work("refused")
        unseen = {"raw_logs.logs_as_listed", "raw_logs.places_listed"}
        assert place.red() == Red({"iota_objects trail pending": 1}, set(), unseen)


def test_objects_that_a_digest_names_and_somebody_deleted_fail_its_check_and_tell_people(place: Place) -> None:
    told, _ = place.put_hour(place.start + timedelta(hours=1), ["told", "untold"], gone=["untold"])
    place.aws.clients.s3().delete_object(Bucket=place.bucket, Key=told)
    place.take_in()
    place.work("deleted")
    checks, alerts = {"raw_logs.logs_as_listed"}, {"iota.LogsMissing"}
    assert place.red() == Red({"iota_objects trail missing": 1}, set(), checks, alerts)


@pytest.mark.parametrize(
    ("column", "checks", "alerts"),
    [
        ("p_raw", {f"{TABLE}.rows_as_ledgered"}, {"iota.LakeQuality"}),
        ("p_source_key", {f"{TABLE}.rows_as_ledgered", "lake.rows_in_lake"}, {"iota.LakeQuality", "iota.Accounting"}),
    ],
)
def test_a_corrupted_lake_file_fails_the_checks_of_the_lake_and_tells_people(
    place: Place, column: str, checks: set[str], alerts: set[str]
) -> None:
    c = lake_files.c
    with place.platform.database.read() as connection:
        name = connection.execute(sa.select(c.path).where(c.table_name == TABLE)).scalars().first()
    assert name
    path = place.platform.lake.local_path(name)
    assert path
    flip(path, column)
    rested = datetime.now(UTC) - timedelta(hours=1)
    with place.platform.database.begin() as connection:
        connection.execute(sa.update(batches).values(lake_at=rested, alerts_at=rested))
    assert place.red("all") == Red(checks=checks, alerts=alerts)


def test_a_rule_that_hangs_is_counted_and_told_of_and_the_other_rules_work(place: Place) -> None:
    (rules,) = place.settings.rules
    (rules / "hangs.yml").write_text(_HANGS)
    (rules / "hangs.py").write_text("def rule(event):\n    while True:\n        pass\n")
    ((key, _),) = contents(["hangs"], place.start + timedelta(hours=2))
    place.put(key, packed([record_of_sign_in("s-1", "203.0.113.9")]))
    place.take_in()
    place.work("hangs")
    expected = Red(
        {"iota_rule_results_total error Test.Hangs": 1}, alerts={"iota.RuleFailed.Test.Hangs", "Test.SignIn"}
    )
    assert place.red() == expected
