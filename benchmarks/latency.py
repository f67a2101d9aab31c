"""From the queue message to the alert, through the real sensors and the run queue.

python -m benchmarks.latency [--seconds N] [--every N]

A moto server is AWS; `dagster dev` runs on a home of its own. One object with one event that a rule matches is put into
a bucket every few seconds; S3 tells SNS, SNS tells the queue. Printed: seconds from the end of the put to the alert in
the store, and to its delivery.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
import yaml

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alerts, deliveries
from iota_dagster.demo.embedded_aws import MANAGEMENT, embedded_aws

BUCKET = "latency-logs"
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
        with embedded_aws(home / "moto.log") as endpoint, _dagster(home, _configure(home, endpoint)):
            puts = _put_for(endpoint, arguments.seconds, arguments.every)
            seen = _alerts(home, puts, patience=60)
    _report(puts, seen)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="how long objects are put")
    parser.add_argument("--every", type=float, default=5, help="seconds between two objects")
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
        "integrations": [{"name": "measured", "bucket": BUCKET}],
    }
    (home / "iota.yaml").write_text(yaml.safe_dump(settings))
    return {**os.environ, "IOTA_CONFIG": str(home / "iota.yaml")}


@contextmanager
def _dagster(home: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """`dagster dev` on the home, from the moment when all parts of its daemon have given a heartbeat."""
    prepare = [sys.executable, "-m", "iota_dagster.home"]
    dagster_home = subprocess.run(prepare, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-w", "workspace.yaml", "-p", "0"]
    with (home / "dagster.log").open("w") as log:
        process = subprocess.Popen(
            command,
            env={**environment, "DAGSTER_HOME": dagster_home},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for_daemon(dagster_home, process, home / "dagster.log")
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def _wait_for_daemon(dagster_home: str, process: subprocess.Popen[bytes], log: Path) -> None:
    import dagster as dg

    end = time.monotonic() + START_SECONDS
    with dg.DagsterInstance.from_config(dagster_home) as instance:
        while not all(status.healthy for status in instance.get_daemon_statuses().values()):
            if process.poll() is not None or time.monotonic() > end:
                sys.exit(f"Dagster did not start:\n{log.read_text()[-2000:]}")
            time.sleep(0.5)


def _put_for(endpoint: str, seconds: float, every: float) -> dict[str, datetime]:
    """Put an object every so often; the moment of each event's put, by its title."""
    s3 = _clients(endpoint).s3()
    puts: dict[str, datetime] = {}
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
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
        time.sleep(max(0.0, every - (time.monotonic() - start - elapsed)))
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
            p95 = statistics.quantiles(values, n=20)[-1]
            print(f"{name}: median {statistics.median(values):.2f} s, p95 {p95:.2f} s, max {max(values):.2f} s")


if __name__ == "__main__":
    main()
