"""An installation as its operator would make it: buckets that tell a queue, a lake in S3, Glue, a home, the daemon."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dagster as dg
import sqlalchemy as sa
import yaml

from iota_dagster.core.aws import hive
from iota_dagster.core.aws.s3_storage import S3Storage
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.generation import lake_path
from iota_dagster.core.store.schema import batches, deliveries, lake_hours, log_objects
from iota_dagster.launcher import PROCESS_TAG
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import load_settings
from tests.aws import Aws
from tests.platform.daemon import MARK, Daemon
from tests.platform.waiting import wait_until
from tests.road.state import Row, State, lake_rows, state_of
from tests.road.world import World

PATIENCE = 90.0
"""Seconds within which everything must be done, on a machine that has other things to do."""
HIDDEN = "3"
"""Seconds until the queue gives a message again whose receiver has died."""


class ReadHere(S3Storage):
    """A lake in S3 whose files are copied into a folder when somebody wants them on this machine."""

    def __init__(self, lake: S3Storage, folder: Path) -> None:
        """The same files as `lake`'s."""
        super().__init__(lake.url, lake._clients)
        self._folder = folder

    def local_path(self, path: str) -> Path:
        """A copy of the file as it is now."""
        target = self._folder / path.replace("/", "_")
        self._folder.mkdir(exist_ok=True)
        self.download(path, target)
        return target


@dataclass
class Installation:
    """One home and its part of AWS; `bucket` is the first bucket that it reads. Close it in the end."""

    aws: Aws
    folder: Path
    bucket: str
    queue_url: str
    topic: str
    lake: str
    settings: dict[str, Any]
    daemon: Daemon = field(init=False)
    temporary: TemporaryDirectory[str] = field(init=False, repr=False)
    """For what dead processes leave there. The names of sockets must be short."""

    @classmethod
    def at(cls, folder: Path, aws: Aws, **settings: Any) -> Installation:
        """A new one below a folder; `settings` are added to its own."""
        name, lake = aws.name("platform"), aws.bucket("lake")
        sqs, sns = aws.clients.sqs(), aws.clients.client("sns")
        queue_url = sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": HIDDEN})["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        topic = sns.create_topic(Name=name)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
        bucket = aws.bucket("logs")
        own = {
            "home": str(folder / "home"),
            "rules": [str(World.at(folder, "").rules)],
            "endpoint_url": aws.endpoint,
            "region": "us-east-1",
            "queue_url": queue_url,
            "queue_wait_seconds": 5,
            "lake_url": f"s3://{lake}/lake",
            "glue_database": name.replace("-", "_"),
            "download_workers": 1,  # a run waits at one gate only
            "process_workers": 1,
            "integrations": [{"name": "trail", "bucket": bucket}],
        }
        made = cls(aws, folder, bucket, queue_url, topic, lake, own | settings)
        made.tell(bucket)
        made.temporary = TemporaryDirectory(prefix="iota-")
        made.configure()
        return made

    def configure(self, **settings: Any) -> None:
        """Write the settings, with more of them, before anything is started."""
        self.settings |= settings
        config = self.folder / "iota.yaml"
        config.write_text(yaml.safe_dump(self.settings))
        mine = {name: value for name, value in os.environ.items() if not name.startswith(("IOTA_", "AWS_", "DAGSTER_"))}
        keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_EC2_METADATA_DISABLED": "true"}
        environment = mine | keys | {MARK: str(config), "TMPDIR": self.temporary.name}
        command = [sys.executable, "-m", "iota_dagster.home"]
        home = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
        self.daemon = Daemon(environment | {"DAGSTER_HOME": home}, self.folder / "daemon.log")

    def close(self) -> None:
        """End whatever still runs."""
        self.daemon.kill_everything()
        if "platform" in self.__dict__:
            self.platform.database.dispose()
        if "instance" in self.__dict__:
            self.instance.dispose()
        self.temporary.cleanup()

    def tell(self, bucket: str) -> None:
        """Let a bucket tell the queue of its new objects, by way of SNS."""
        told: Any = {"TopicConfigurations": [{"TopicArn": self.topic, "Events": ["s3:ObjectCreated:*"]}]}
        self.aws.clients.s3().put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=told)

    def put(self, objects: dict[str, bytes], bucket: str | None = None) -> None:
        """Put objects into a bucket, the first one if none is named; it tells the queue."""
        for key, body in objects.items():
            self.aws.clients.s3().put_object(Bucket=bucket or self.bucket, Key=key, Body=body)

    def take_messages(self) -> list[str]:
        """Take what S3 and SNS have written into the queue out of it: the bodies."""
        bodies: list[str] = []
        while received := self.platform_queue.receive():
            self.platform_queue.delete(received)
            bodies += [item.body for item in received]
        return sorted(body for body in bodies if "TestEvent" not in body)

    def send(self, bodies: Iterable[str]) -> None:
        """Write bodies into the queue."""
        for body in bodies:
            self.aws.clients.sqs().send_message(QueueUrl=self.queue_url, MessageBody=body)

    def deliver_three_times(self, objects: dict[str, bytes], seed: int) -> None:
        """Put objects; the message of each comes three times, in an order that the seed decides."""
        self.put(objects)
        bodies = self.take_messages()
        assert len(bodies) == len(objects)
        thrice = bodies * 3
        random.Random(seed).shuffle(thrice)
        self.send(thrice)

    @cached_property
    def platform(self) -> Platform:
        """The same installation, seen from the test."""
        opened = open_platform(load_settings(self.folder / "iota.yaml"))
        assert isinstance(opened.lake, S3Storage)
        return replace(opened, lake=ReadHere(opened.lake, self.folder / "lake files"))

    @property
    def platform_queue(self) -> Any:
        """Its queue."""
        assert self.platform.queue is not None
        return self.platform.queue

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """Its Dagster."""
        return dg.DagsterInstance.from_config(str(self.folder / "home" / "dagster"))

    def runs(self, *statuses: dg.DagsterRunStatus) -> Sequence[dg.DagsterRun]:
        """Its runs of some statuses; all of them if none is named."""
        return self.instance.get_runs(dg.RunsFilter(statuses=list(statuses)) if statuses else None)

    def pids(self) -> dict[str, int]:
        """The processes of the runs that are started, by run."""
        started = self.runs(dg.DagsterRunStatus.STARTED)
        return {run.run_id: int(run.tags[PROCESS_TAG].split("/")[1]) for run in started if PROCESS_TAG in run.tags}

    def objects(self) -> dict[str, Row]:
        """The ledger by key."""
        with self.platform.database.read() as connection:
            return {row["key"]: dict(row) for row in connection.execute(sa.select(log_objects)).mappings()}

    def wait_for(self, keys: Iterable[str], seconds: float = PATIENCE) -> float:
        """Wait until these objects are done and nothing else is under way anywhere; the seconds that took."""
        wanted = set(keys)
        return wait_until(lambda: self._is_settled(wanted), "everything is done", seconds, self.told)

    def told(self) -> str:
        """Where everything stands, for whoever has to find out why a test failed."""
        objects = [(key[-24:], row["status"], row["error"]) for key, row in sorted(self.objects().items())]
        runs = [(run.run_id[:8], run.status.value, run.tags.get("dagster/partition")) for run in self.runs()]
        return f"queue: {self.platform_queue.depth()}\nobjects: {objects}\nruns: {runs}\n{self.daemon.log()[-4000:]}"

    def _is_settled(self, wanted: set[str]) -> bool:
        objects = self.objects()
        if not wanted <= {key for key, row in objects.items() if row["status"] == "done"}:
            return False
        depth = self.platform_queue.depth()
        is_working = any(not run.is_finished for run in self.runs())
        if depth.waiting or depth.in_flight or is_working or self._has_work():
            return False
        return self.partitions_in_glue() == self.partitions_in_store()

    def _has_work(self) -> bool:
        unfinished = sa.select(batches.c.id).where(batches.c.status.in_(("open", "committed")))
        unsent = sa.select(deliveries.c.id).where(deliveries.c.status != "sent")
        with self.platform.database.read() as connection:
            return any(connection.execute(query.limit(1)).first() for query in (unfinished, unsent))

    def state(self) -> State:
        """The end state by content, its invariants checked."""
        return state_of(self.platform, any_order=True)

    def rows(self) -> list[Row]:
        """The events in the lake."""
        return [row for table, _, row in lake_rows(self.platform) if table != alert_matches.TABLE]

    def partitions_in_store(self) -> set[tuple[str, ...]]:
        """(table, location, year, month, day, hour) of every hour's current generation."""
        with self.platform.database.read() as connection:
            rows = connection.execute(sa.select(lake_hours).where(lake_hours.c.version > 0)).all()
        root = self.settings["lake_url"]
        return {
            (
                row.table_name,
                f"{root}/{lake_path(row.table_name, row.hour, row.generation, '')}".removesuffix(".parquet"),
                *hive.partition_values(row.hour),
            )
            for row in rows
        }

    def partitions_in_glue(self) -> set[tuple[str, ...]]:
        """The same, as Glue has it."""
        glue, database = self.aws.clients.glue(), self.settings["glue_database"]
        try:
            tables = [item["Name"] for item in glue.get_tables(DatabaseName=database)["TableList"]]
        except glue.exceptions.EntityNotFoundException:
            return set()
        return {
            (table, item["StorageDescriptor"]["Location"], *item["Values"])
            for table in tables
            for item in glue.get_partitions(DatabaseName=database, TableName=table)["Partitions"]
        }
