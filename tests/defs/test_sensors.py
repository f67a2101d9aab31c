"""The sensors' ticks: messages become rows and runs, each hour's run is asked for once, retries are waited for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, RUN_KEY_TAG, WILL_RETRY_TAG
from dagster._core.test_utils import create_run_for_test

from iota_dagster.core.arrival.register import register_objects
from iota_dagster.core.arrival.requesting import LastRun, RunState
from iota_dagster.core.hours import hour_key, hour_of
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.store import identity, ledger
from iota_dagster.core.store.schema import hour_requests
from iota_dagster.definitions import defs
from iota_dagster.defs import correlation_schedule, delivery_sensor, query_schedule, sensor_platform, sensors
from iota_dagster.defs.partitions import HOURLY
from iota_dagster.defs.steps import BACKLOG_TAG, CLAIM_TAG
from iota_dagster.settings import load_settings
from tests.aws import Aws

NOW = datetime.now(UTC)
STORE = "0123456789abcdef"


@pytest.fixture
def bucket(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A bucket that tells a topic that tells a queue, and an installation that is set up for them."""
    name, (sqs, sns, s3) = aws.bucket("logs"), (aws.clients.sqs(), *_clients(aws))
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    topic = sns.create_topic(Name=name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    told = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration=told)
    settings = {
        "home": str(tmp_path / "home"),
        "endpoint_url": aws.endpoint,
        "queue_url": queue,
        "queue_wait_seconds": 0,
        "integrations": [{"name": "trail", "bucket": name}],
    }
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump(settings))
    monkeypatch.setenv("IOTA_CONFIG", str(tmp_path / "iota.yaml"))
    sensor_platform._opened.cache_clear()
    yield name
    sensor_platform.sensor_platform().database.dispose()
    sensor_platform._opened.cache_clear()


def _clients(aws: Aws) -> tuple[Any, Any]:
    import boto3

    sns = boto3.client("sns", endpoint_url=aws.endpoint, region_name="us-east-1")
    return sns, aws.clients.s3()


def put(aws: Aws, bucket: str, moment: datetime = NOW, name: str = "a") -> None:
    key = f"AWSLogs/111122223333/CloudTrail/us-east-1/{moment:%Y/%m/%d}/111122223333_CloudTrail_us-east-1_{{}}.json.gz"
    body = gzip.compress(json.dumps({"Records": []}).encode())
    aws.clients.s3().put_object(Bucket=bucket, Key=key.format(f"{moment:%Y%m%dT%H%MZ}_{name}"), Body=body)


def context(instance: dg.DagsterInstance) -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def())


def tick(instance: dg.DagsterInstance, number: int = 0) -> list[dg.RunRequest]:
    result = sensors.SENSORS[number].evaluate_tick(context(instance))
    return list(result.run_requests or [])


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def test_an_object_in_a_bucket_becomes_a_run_of_its_hour(aws: Aws, bucket: str, instance: dg.DagsterInstance) -> None:
    put(aws, bucket)
    (request,) = tick(instance)
    assert request.partition_key == f"{NOW:%Y-%m-%d-%H}:00"
    assert (request.run_key or "").startswith(f"{request.partition_key}:1:")
    assert request.tags[CLAIM_TAG] == "1"
    assert request.tags["dagster/priority"] == "10"
    assert tick(instance, 1) == []
    with sensor_platform.sensor_platform().database.read() as connection:
        assert ledger.pending_hours(connection, datetime.now(UTC)) == [hour_of(NOW)]


def test_an_event_in_the_queue_itself_becomes_a_run_of_the_hour_in_which_it_is_spooled(
    aws: Aws, bucket: str, instance: dg.DagsterInstance
) -> None:
    queue = sensor_platform.sensor_platform().queue
    assert queue is not None
    event = {"id": "e1", "source": "aws.iam", "detail-type": "AWS API Call via CloudTrail", "detail": {"eventID": "1"}}
    aws.clients.sqs().send_message(QueueUrl=queue.url, MessageBody=json.dumps(event))
    (request,) = tick(instance)
    with sensor_platform.sensor_platform().database.read() as connection:
        (spooled,) = ledger.list_objects(connection)
    assert (spooled["integration"], spooled["status"]) == ("queue", "pending")
    assert request.partition_key == hour_key(spooled["delivery_hour"])


def test_old_hours_leave_room_for_what_arrives_now(aws: Aws, bucket: str, instance: dg.DagsterInstance) -> None:
    put(aws, bucket, datetime(2026, 1, 5, 7, 10, tzinfo=UTC))
    put(aws, bucket)
    live, old = tick(instance)
    assert (live.partition_key, old.partition_key) == (f"{NOW:%Y-%m-%d-%H}:00", "2026-01-05-07:00")
    assert BACKLOG_TAG in old.tags
    assert BACKLOG_TAG not in live.tags


def test_an_hour_before_the_partitions_stays_pending_and_is_never_handed_to_dagster(
    aws: Aws, bucket: str, instance: dg.DagsterInstance
) -> None:
    put(aws, bucket, datetime(1999, 12, 31, 23, 10, tzinfo=UTC))
    assert tick(instance) == []
    with sensor_platform.sensor_platform().database.read() as connection:
        assert len(ledger.pending_hours(connection, datetime.now(UTC))) == 1


def test_hours_with_work_get_their_runs_while_the_queue_does_not_answer(
    aws: Aws, bucket: str, instance: dg.DagsterInstance
) -> None:
    platform = sensor_platform.sensor_platform()
    ref = ObjectRef(bucket, f"year={NOW:%Y}/found-by-a-scan", "e1", 10, last_modified=NOW)
    register_objects(platform.database, [ref], "trail")
    assert platform.queue is not None
    aws.clients.sqs().delete_queue(QueueUrl=platform.queue.url)
    (request,) = tick(instance)
    assert request.partition_key == f"{NOW:%Y-%m-%d-%H}:00"
    result = sensors.SENSORS[0].evaluate_tick(context(instance))
    assert "an outage" in str(result.skip_message)


def test_the_hours_that_can_be_asked_for_are_those_of_the_partitions() -> None:
    hours = sensors._partitions()
    assert all(HOURLY.has_partition_key(hour_key(hour)) for hour in (hours[0], hours[-1]))
    assert not any(HOURLY.has_partition_key(hour_key(hour)) for hour in (hours[0] - 1, hours[-1] + 1))


def test_of_a_run_that_was_tried_again_the_newest_try_counts(instance: dg.DagsterInstance) -> None:
    hour = hour_of(NOW)
    tags = {RUN_KEY_TAG: sensors.run_key(STORE, hour, 1)}
    first = create_run_for_test(instance, job_name="ingest", status=dg.DagsterRunStatus.FAILURE, tags=tags)
    create_run_for_test(
        instance,
        job_name="ingest",
        status=dg.DagsterRunStatus.STARTED,
        tags=tags,
        root_run_id=first.run_id,
        parent_run_id=first.run_id,
    )
    assert sensors.last_runs(instance, STORE, {hour: 1}) == {hour: LastRun(RunState.WORKING, first.run_id)}


def test_what_an_earlier_store_has_asked_for_is_no_answer_to_this_one(
    aws: Aws, bucket: str, instance: dg.DagsterInstance
) -> None:
    put(aws, bucket)
    (before,) = tick(instance)
    run = {RUN_KEY_TAG: before.run_key or ""}
    create_run_for_test(instance, job_name="ingest", status=dg.DagsterRunStatus.SUCCESS, tags=run)
    with sensor_platform.sensor_platform().database.begin() as connection:
        identity.renew_store_id(connection)
        connection.execute(sa.delete(hour_requests))
    (after,) = tick(instance)
    assert after.partition_key == before.partition_key
    assert after.run_key != before.run_key, "Dagster takes no key twice"


def test_a_tick_without_work_says_so(bucket: str, instance: dg.DagsterInstance) -> None:
    result = sensors.SENSORS[0].evaluate_tick(context(instance))
    assert result.skip_message is not None
    assert "nothing to do" in result.skip_message


def test_there_are_as_many_identical_sensors_as_the_settings_say() -> None:
    assert len(sensors.SENSORS) == load_settings().queue_sensors
    assert {sensor.default_status for sensor in sensors.SENSORS} == {dg.DefaultSensorStatus.RUNNING}


def test_all_sensors_share_one_platform_whoever_asks_first(bucket: str) -> None:
    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda _: sensor_platform.sensor_platform(), range(6)))
    assert all(platform is found[0] for platform in found)
    assert sensor_platform._opened.cache_info().misses == 1
    modules = (sensors, correlation_schedule, delivery_sensor, query_schedule)
    assert {module.sensor_platform for module in modules} == {sensor_platform.sensor_platform}


@pytest.mark.parametrize(
    ("status", "tags", "state"),
    [
        (dg.DagsterRunStatus.STARTING, {}, RunState.WAITING),
        (dg.DagsterRunStatus.STARTED, {}, RunState.WORKING),
        (dg.DagsterRunStatus.SUCCESS, {}, RunState.ENDED),
        (dg.DagsterRunStatus.FAILURE, {}, RunState.FAILED),
        (dg.DagsterRunStatus.CANCELED, {}, RunState.FAILED),
        (dg.DagsterRunStatus.FAILURE, {WILL_RETRY_TAG: "true"}, RunState.WAITING),
        (dg.DagsterRunStatus.FAILURE, {WILL_RETRY_TAG: "true", AUTO_RETRY_RUN_ID_TAG: "x"}, RunState.FAILED),
    ],
)
def test_what_became_of_a_run_decides_whether_to_ask_again(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, tags: dict[str, str], state: RunState
) -> None:
    hour = hour_of(NOW)
    create_run_for_test(
        instance, job_name="ingest", status=status, tags={RUN_KEY_TAG: sensors.run_key(STORE, hour, 3)} | tags
    )
    found = sensors.last_runs(instance, STORE, {hour: 3, hour - 1: 1})
    assert {key: run.state for key, run in found.items()} == {hour: state}
    assert sensors.last_runs(instance, STORE, {hour: 4}) == {}
