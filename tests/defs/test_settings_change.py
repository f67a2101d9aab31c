"""Settings that change while the sensors run: the next tick goes by the file as it stands then."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.hours import hour_of
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects
from iota_dagster.defs import sensor_platform as shared
from iota_dagster.defs.sensor_platform import sensor_platform
from iota_dagster.scanning import scan_hours
from tests.aws import Aws

NOW = datetime.now(UTC)
KEY = f"AWSLogs/111122223333/CloudTrail/us-east-1/{NOW:%Y/%m/%d}/111122223333_CloudTrail_us-east-1_{NOW:%Y%m%dT%H%MZ}_"


class Installation:
    """Settings in a file, two buckets, and a queue to tell of them."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.aws, self.file = aws, folder / "iota.yaml"
        self.buckets = aws.bucket("one"), aws.bucket("two")
        self.queue = aws.clients.sqs().create_queue(QueueName=self.buckets[0])["QueueUrl"]
        self.rest = {"home": str(folder / "home"), "endpoint_url": aws.endpoint, "queue_url": self.queue}

    def configure(self, *buckets: str) -> None:
        integrations = [{"name": f"trail-{number}", "bucket": name} for number, name in enumerate(buckets)]
        self.file.write_text(yaml.safe_dump({**self.rest, "integrations": integrations}))

    def deliver(self, bucket: str, name: str) -> None:
        """An object in a bucket, a message of it, and a sensor's look at the queue."""
        found = self.aws.clients.s3().put_object(Bucket=bucket, Key=KEY + name, Body=b"log")
        entity = {
            "bucket": {"name": bucket},
            "object": {"key": KEY + name, "size": 3, "eTag": found["ETag"].strip('"')},
        }
        record = {"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": entity}
        self.aws.clients.sqs().send_message(QueueUrl=self.queue, MessageBody=json.dumps({"Records": [record]}))
        platform = sensor_platform()
        assert platform.queue
        platform.intake.drain(platform.queue, 0, 10)

    def statuses(self) -> dict[str, str]:
        c = log_objects.c
        with sensor_platform().database.read() as connection:
            rows: list[Any] = list(connection.execute(sa.select(c.key, c.status)))
        return {row.key.rpartition("_")[2]: row.status for row in rows}


@pytest.fixture
def installation(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    made = Installation(aws, tmp_path)
    made.configure(made.buckets[0])
    monkeypatch.setenv("IOTA_CONFIG", str(made.file))
    shared._opened.cache_clear()
    yield made
    sensor_platform().database.dispose()
    shared._opened.cache_clear()


def test_an_integration_that_is_added_is_read_without_a_restart(installation: Installation) -> None:
    installation.deliver(installation.buckets[1], "early")
    assert installation.statuses() == {"early": "refused"}
    installation.configure(*installation.buckets)
    installation.deliver(installation.buckets[1], "late")
    assert installation.statuses() == {"early": "refused", "late": "pending"}


def test_what_was_refused_waits_to_be_done_once_a_scan_names_it(installation: Installation) -> None:
    installation.deliver(installation.buckets[1], "early")
    installation.configure(*installation.buckets)
    scan_hours(sensor_platform(), [hour_of(NOW)])
    assert installation.statuses() == {"early": "pending"}


def test_the_platform_stays_while_the_settings_do(installation: Installation) -> None:
    before = sensor_platform()
    installation.configure(installation.buckets[0])
    assert sensor_platform() is before


def test_a_broken_file_is_named_until_it_is_corrected(installation: Installation) -> None:
    before = sensor_platform()
    installation.file.write_text("integrations: [\n")
    for _ in range(2):
        with pytest.raises(SettingsError, match=r"iota\.yaml:2:1: this is not YAML"):
            sensor_platform()
    installation.file.unlink()
    with pytest.raises(SettingsError, match="there is no such settings file"):
        sensor_platform()
    installation.configure(installation.buckets[0])
    assert sensor_platform() is before


def test_the_store_of_replaced_settings_stays_open_as_long_as_a_tick_uses_it(installation: Installation) -> None:
    before: Database | None = sensor_platform().database
    assert before is not None
    ended = weakref.ref(before)
    with before.read() as connection:
        installation.configure(*installation.buckets)
        assert sensor_platform().database is not before
        assert connection.execute(sa.select(log_objects.c.key)).all() == []
    before = None
    gc.collect()
    assert ended() is None
