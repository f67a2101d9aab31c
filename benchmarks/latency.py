"""From the queue message to the alert, through the real sensors and the run queue.

python -m benchmarks.latency [--seconds N] [--every N] [--backfill N]

A moto server is AWS; `dagster dev` runs on a home of its own. One object with one event that a rule matches is put into
a bucket every few seconds; S3 tells SNS, SNS tells the queue. Printed: seconds from the end of the put to the alert in
the store, and to its delivery. With `--backfill` so many older records are in another bucket, and objects are put while
`iota backfill` reads them.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as sa
import yaml

from benchmarks.cloudtrail import benchmark_objects
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alerts, deliveries
from iota_dagster.demo.embedded_aws import MANAGEMENT, embedded_aws

BUCKET, HISTORY = "latency-logs", "latency-history"
HISTORY_HOURS = 24
HISTORY_AGE = timedelta(hours=50)
"""When it begins: of what may still page somebody the sensors take their part, and there is less left to measure."""
ACCOUNT = MANAGEMENT
START_SECONDS = 120
"""How long Dagster may take to start."""
RULE = """\
def rule(event):
    return event.get("eventName") == "StopLogging"


def dedup(event):
    return event.get("eventID")


def title(event):
    return f"measured {event.get('eventID')}"
"""
RULE_YAML = {
    "AnalysisType": "rule",
    "RuleID": "Measured",
    "Filename": "measured.py",
    "Enabled": True,
    "LogTypes": ["AWS.CloudTrail"],
    "Severity": "High",
}


def main() -> None:
    """Run for a while and print the latencies."""
    arguments = _arguments()
    os.environ |= {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    with tempfile.TemporaryDirectory(prefix="iota-latency-") as folder:
        home = Path(folder)
        with embedded_aws(home / "moto.log") as endpoint:
            environment = _configure(home, endpoint)
            first_hour = _put_history(home, endpoint, arguments.backfill) if arguments.backfill else None
            with _dagster(home, environment):
                going = _backfill(environment, first_hour) if first_hour else _for(arguments.seconds)
                puts = _put_while(going, endpoint, arguments.every)
                seen = _alerts(home, puts, patience=60)
    _report(puts, seen)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="how long objects are put")
    parser.add_argument("--every", type=float, default=5, help="seconds between two objects")
    parser.add_argument("--backfill", type=int, default=0, help="older records; objects are put while they are read")
    return parser.parse_args()


def _clients(endpoint: str) -> ClientFactory:
    return ClientFactory(ClientOptions(endpoint_url=endpoint, region="us-east-1"))


def _configure(home: Path, endpoint: str) -> dict[str, str]:
    """A bucket that tells a topic that tells a queue, and the settings; the environment for the children."""
    clients = _clients(endpoint)
    sns, s3 = clients.client("sns"), clients.s3()
    queue_url = clients.sqs().create_queue(QueueName="latency")["QueueUrl"]
    topic = sns.create_topic(Name="latency")["TopicArn"]
    arn = f"arn:aws:sqs:us-east-1:{ACCOUNT}:latency"
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    s3.create_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=HISTORY)
    s3.put_bucket_notification_configuration(
        Bucket=BUCKET,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    )
    rules = home / "rules"
    rules.mkdir()
    (rules / "measured.py").write_text(RULE)
    (rules / "measured.yml").write_text(yaml.safe_dump(RULE_YAML))
    settings = {
        "home": str(home / "home"),
        "rules": [str(rules)],
        "endpoint_url": endpoint,
        "region": "us-east-1",
        "queue_url": queue_url,
        "integrations": [
            {"name": "measured", "bucket": BUCKET},
            {"name": "history", "bucket": HISTORY, "prefix": "AWSLogs/"},
        ],
    }
    (home / "iota.yaml").write_text(yaml.safe_dump(settings))
    return {**os.environ, "IOTA_CONFIG": str(home / "iota.yaml")}


@contextmanager
def _dagster(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """`dagster dev` on the home, from the moment when all parts of its daemon have given a heartbeat."""
    prepare = [sys.executable, "-m", "iota_dagster.home"]
    dagster_home = subprocess.run(prepare, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-w", "workspace.yaml", "-p", "0"]
    log = home / "dagster.log"
    with dg.DagsterInstance.from_config(dagster_home) as instance, log.open("w") as output:
        instance.get_daemon_statuses()  # makes Dagster's store, before several processes try to at once
        process = subprocess.Popen(
            command,
            env={**environment, "DAGSTER_HOME": dagster_home},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_daemon(instance, process, log)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for_daemon(instance: dg.DagsterInstance, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while not all(status.healthy for status in instance.get_daemon_statuses().values()):
        if process.poll() is not None or time.monotonic() > end:
            sys.exit(f"Dagster did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.5)


def _put_history(home: Path, endpoint: str, events: int) -> str:
    """Put older records that no message tells of; their first hour, as `iota backfill` takes it."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - HISTORY_AGE
    logs, s3 = home / "history", _clients(endpoint).s3()
    written = benchmark_objects(logs, events, max(events // (HISTORY_HOURS * 12), 1), hours=HISTORY_HOURS, start=start)
    for path in logs.rglob("*.gz"):
        s3.put_object(Bucket=HISTORY, Key=str(path.relative_to(logs)), Body=path.read_bytes())
    print(f"beside a backfill of {written.records:,} records in {written.objects:,} objects, {HISTORY_HOURS} hours")
    return f"{start:%Y-%m-%dT%H}"


def _backfill(environment: Mapping[str, str], first_hour: str) -> Callable[[], bool]:
    """Begin a backfill; what is returned says whether it is going on."""
    iota = str(Path(sys.executable).with_name("iota"))
    command = [iota, "backfill", "--only-new", "--from", first_hour, "--json"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    began = time.monotonic()

    def going() -> bool:
        if process.poll() is None:
            return True
        if process.returncode:
            sys.exit(f"the backfill failed: {process.returncode}")
        print(f"the backfill took {time.monotonic() - began:.0f} s")
        return False

    return going


def _for(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _put_while(going: Callable[[], bool], endpoint: str, every: float) -> dict[str, datetime]:
    """Put an object every so often; the moment of each event's put, by its title."""
    s3 = _clients(endpoint).s3()
    puts: dict[str, datetime] = {}
    while going():
        began = time.monotonic()
        event_id = str(uuid.uuid4())
        now = datetime.now(UTC)
        record = {
            "eventVersion": "1.11",
            "userIdentity": {"type": "Root", "accountId": ACCOUNT},
            "eventTime": f"{now:%Y-%m-%dT%H:%M:%SZ}",
            "eventSource": "cloudtrail.amazonaws.com",
            "eventName": "StopLogging",
            "awsRegion": "us-east-1",
            "eventID": event_id,
            "eventType": "AwsApiCall",
            "recipientAccountId": ACCOUNT,
        }
        name = f"{ACCOUNT}_CloudTrail_us-east-1_{now:%Y%m%dT%H%MZ}_{event_id[:16]}.json.gz"
        key = f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/{now:%Y/%m/%d}/{name}"
        s3.put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(json.dumps({"Records": [record]}).encode()))
        puts[f"measured {event_id}"] = datetime.now(UTC)
        time.sleep(max(0.0, every - (time.monotonic() - began)))
    return puts


def _alerts(home: Path, puts: Mapping[str, datetime], patience: float) -> dict[str, tuple[datetime, datetime | None]]:
    """When each alert was created and sent; waits for the last ones."""
    database = Database(f"sqlite:///{home / 'home' / 'iota.db'}")
    query = sa.select(alerts.c.title, alerts.c.created_at, deliveries.c.sent_at).outerjoin(
        deliveries, deliveries.c.alert_id == alerts.c.id
    )
    end = time.monotonic() + patience
    while True:
        with database.read() as connection:
            seen = {row.title: (row.created_at, row.sent_at) for row in connection.execute(query)}
        if (set(puts) <= set(seen) and all(sent for _, sent in seen.values())) or time.monotonic() > end:
            return seen
        time.sleep(1)


def _report(puts: Mapping[str, datetime], seen: Mapping[str, tuple[datetime, datetime | None]]) -> None:
    created = [(seen[title][0] - moment).total_seconds() for title, moment in puts.items() if title in seen]
    sent = [(at - puts[title]).total_seconds() for title, (_, at) in seen.items() if at is not None]
    print(f"{len(puts)} objects put, {len(created)} alerts, {len(sent)} delivered")
    for name, values in (("message to alert", created), ("message to delivery", sent)):
        if len(values) > 1:
            p95 = statistics.quantiles(values, n=20, method="inclusive")[-1]
            print(f"{name}: median {statistics.median(values):.2f} s, p95 {p95:.2f} s, max {max(values):.2f} s")


if __name__ == "__main__":
    main()
