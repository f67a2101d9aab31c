"""The steps of `deploy/aws/README.md`, taken one by one in two accounts: with these policies iota can do its work."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from iota_dagster.cli import iota
from iota_dagster.demo.embedded_aws import Administrator
from iota_dagster.ingesting import ingest_pending
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.aws import ACCOUNT, REGION, Asked, Aws
from tests.permissions import Statement, permissions, statements
from tests.road.world import ACCOUNT as LOG_ACCOUNT
from tests.road.world import World, content, record, sign_in

DEPLOY = Path(__file__).parent.parent / "deploy" / "aws"
WITHOUT_A_REQUEST_HERE = {"KeepRunLogs", "ListRunLogs", "VerifyDigests", "DecryptLogs"}
"""Dagster's run logs are in `test_deploy_aws`; this trail has no digests; S3 asks for the key itself."""
INSTANCE_TRUST = """{
  "Version": "2012-10-17",
  "Statement": [{"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}"""
PLACEHOLDER = re.compile(r"<([A-Z_]+)>")


@dataclass
class Installation:
    """Two accounts, and what stands for each placeholder in them."""

    aws: Aws
    folder: Path
    own: Administrator = field(init=False)
    log: Administrator = field(init=False)
    names: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.own, self.log = Administrator(ACCOUNT, self.aws.clients), Administrator(LOG_ACCOUNT, self.aws.clients)
        name = self.aws.name
        self.names = {
            "REGION": REGION,
            "IOTA_ACCOUNT": ACCOUNT,
            "IOTA_ROLE": name("iota"),
            "QUEUE": name("log-objects"),
            "DEAD_LETTER_QUEUE": name("dead-letters"),
            "LAKE_BUCKET": name("lake"),
            "LAKE_PREFIX": "security/",
            "GLUE_DATABASE": name("lake").replace("-", "_"),
            "RUN_LOGS_BUCKET": name("run-logs"),
            "ALERT_TOPIC": name("alerts"),
            "SECRET": name("iota/external-id"),
            "EXTERNAL_ID": "f2c1a7d08be94e5f",
            "DESTINATION_SECRET": name("iota/slack"),
            "LOG_ACCOUNT": LOG_ACCOUNT,
            "LOG_ROLE": name("iota-reader"),
            "LOG_BUCKET": name("trail"),
            "LOG_PREFIX": "AWSLogs/",
            "LOG_KEY_ARN": f"arn:aws:kms:{REGION}:{LOG_ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "TOPIC": name("new-objects"),
            "EVENT_RULE": "to-iota",
        }

    def filled(self, file: str) -> str:
        """A policy with its placeholders replaced."""
        return PLACEHOLDER.sub(lambda found: self.names[found[1]], (DEPLOY / file).read_text(encoding="utf-8"))

    def policy(self, file: str) -> list[Statement]:
        """The statements of such a file."""
        return statements(self.filled(file))

    def build(self) -> str:
        """Take the steps; the queue's URL."""
        for bucket in ("LAKE_BUCKET", "RUN_LOGS_BUCKET"):
            self.own.s3().create_bucket(Bucket=self.names[bucket])
        self.own("sns").create_topic(Name=self.names["ALERT_TOPIC"])
        queue_url = self._queue()
        self._role(self.own, "IOTA_ROLE", INSTANCE_TRUST, "iota-role.json")
        secret = {"Name": self.names["SECRET"], "SecretString": self.names["EXTERNAL_ID"]}
        self.own("secretsmanager").create_secret(**secret)
        self._role(self.log, "LOG_ROLE", self.filled("log-account-trust.json"), "log-account-role.json")
        self._notifications()
        return queue_url

    def _queue(self) -> str:
        sqs = self.own("sqs")
        sqs.create_queue(QueueName=self.names["DEAD_LETTER_QUEUE"])
        dead = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self.names['DEAD_LETTER_QUEUE']}"
        attributes = {
            "VisibilityTimeout": "60",
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": dead, "maxReceiveCount": 5}),
            "Policy": self.filled("queue-policy.json"),
        }
        return str(sqs.create_queue(QueueName=self.names["QUEUE"], Attributes=attributes)["QueueUrl"])

    def _role(self, account: Administrator, name: str, trust: str, policy: str) -> None:
        iam, role = account("iam"), self.names[name]
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)
        iam.put_role_policy(RoleName=role, PolicyName="iota", PolicyDocument=self.filled(policy))

    def _notifications(self) -> None:
        sns, sqs, s3 = self.log("sns"), self.log("sqs"), self.log.s3()
        s3.create_bucket(Bucket=self.names["LOG_BUCKET"])
        topic = sns.create_topic(Name=self.names["TOPIC"])["TopicArn"]
        policy = self.filled("topic-policy.json")
        sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
        told: Any = {"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]}
        s3.put_bucket_notification_configuration(Bucket=self.names["LOG_BUCKET"], NotificationConfiguration=told)
        sqs.create_queue(QueueName=self.names["QUEUE"])  # see `put`
        queue = f"arn:aws:sqs:{REGION}:{LOG_ACCOUNT}:{self.names['QUEUE']}"
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)

    def settings(self, queue_url: str) -> dict[str, Any]:
        """What `iota.yaml` says of it: all that can be in S3 is there."""
        names, lake = self.names, f"s3://{self.names['LAKE_BUCKET']}/{self.names['LAKE_PREFIX']}"
        return {
            "home": str(self.folder / "home"),
            "rules": [str(World.at(self.folder, "").rules)],
            "region": REGION,
            "endpoint_url": self.aws.endpoint,
            "queue_url": queue_url,
            "lake_url": f"{lake}lake",
            "work_url": f"{lake}work",
            "state_url": f"{lake}state",
            "spool_url": f"{lake}spool",
            "glue_database": names["GLUE_DATABASE"],
            "lake_days": {"cloudtrail_events": 1},
            "compact_files": 2,
            "destinations": [
                {
                    "type": "sns",
                    "name": "topic",
                    "topic_arn": f"arn:aws:sns:{REGION}:{ACCOUNT}:{names['ALERT_TOPIC']}",
                }
            ],
            "routing": {"HIGH": ["topic"]},
            "integrations": [
                {
                    "name": "production",
                    "bucket": names["LOG_BUCKET"],
                    "prefix": names["LOG_PREFIX"],
                    "account": LOG_ACCOUNT,
                    "region": REGION,
                    "role_arn": f"arn:aws:iam::{LOG_ACCOUNT}:role/{names['LOG_ROLE']}",
                    "external_id_secret": names["SECRET"],
                }
            ],
        }

    def put(self, key: str, records: list[dict[str, Any]]) -> None:
        """What CloudTrail does, and the topic: an object of ten o'clock, and the message of it in iota's queue.

        moto's topics reach only queues of their own account; from there the message is carried into iota's.
        """
        folder = f"{self.names['LOG_PREFIX']}{LOG_ACCOUNT}/CloudTrail/{REGION}/2026/11/22"
        name = f"{folder}/{LOG_ACCOUNT}_CloudTrail_{REGION}_20261122T1005Z_{key}.json.gz"
        self.log.s3().put_object(Bucket=self.names["LOG_BUCKET"], Key=name, Body=content(records))
        sqs, own = self.log("sqs"), self.own("sqs")
        queue, there = (client.get_queue_url(QueueName=self.names["QUEUE"])["QueueUrl"] for client in (sqs, own))
        for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]:
            own.send_message(QueueUrl=there, MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])

    def credentials(self) -> dict[str, str]:
        """iota's own role's credentials, as the environment holds them."""
        role = f"arn:aws:iam::{ACCOUNT}:role/{self.names['IOTA_ROLE']}"
        keys = self.aws.clients.sts().assume_role(RoleArn=role, RoleSessionName="iota")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": keys["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": keys["SecretAccessKey"],
            "AWS_SESSION_TOKEN": keys["SessionToken"],
        }


@pytest.fixture
def installation(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """One that has been built, and whose iota this process is."""
    made = Installation(aws, tmp_path)
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump(made.settings(made.build())))
    monkeypatch.setenv("IOTA_CONFIG", str(tmp_path / "iota.yaml"))
    for name, value in made.credentials().items():
        monkeypatch.setenv(name, value)
    return made


def run(*arguments: str) -> str:
    """What a command says; it must succeed."""
    result = CliRunner().invoke(iota, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def judged(asked: Sequence[Asked], installation: Installation) -> tuple[set[str], set[str]]:
    """By the policies of the two roles: the statements that were needed, and the requests that AWS would refuse."""
    own, log = installation.policy("iota-role.json"), installation.policy("log-account-role.json")
    used, refused = set[str](), set[str]()
    for request in asked:
        policy = own if request.access_key == os.environ["AWS_ACCESS_KEY_ID"] else log
        for wanted in permissions(request):
            used |= (names := wanted.given_by(policy))
            if not names:
                refused.add(str(wanted))
    return used, refused


def take_in() -> int:
    """What the sensor and its runs do; the objects that messages have named."""
    platform = open_platform(load_settings())
    try:
        assert platform.queue is not None
        objects = 0
        while (taken := platform.intake.drain(platform.queue, 0, 10)).received:
            objects += taken.objects
        assert ingest_pending(platform).problems == []
        return objects
    finally:
        platform.database.dispose()


def test_its_policies_give_iota_what_it_asks_for_and_each_statement_is_asked_for(installation: Installation) -> None:
    installation.put("one", [record("1"), sign_in("2", "198.51.100.1")])
    with installation.aws.recording() as at_first:
        assert take_in() == 1
    installation.put("two", [record("3"), sign_in("4", "198.51.100.2")])
    with installation.aws.recording() as afterwards:
        assert take_in() == 1
        hour = ("--from", "2026-11-22T10:00", "--to", "2026-11-22T11:00")
        for command in ("scan", "verify", "backfill"):
            run(command, *hour)
        assert '"events": 4' in run("query", "--format", "json", "SELECT count(*) AS events FROM cloudtrail_events")
        run("housekeeping")
        run("destinations", "--test")
        doctor = json.loads(CliRunner().invoke(iota, ["doctor", "--json"]).stdout)
    assert [item["check"] for item in doctor["findings"] if item["status"] == "failed"] == ["daemon"]
    used, refused = judged([*at_first, *afterwards], installation)
    assert refused == set()
    all_of_them = {
        item["Sid"] for item in (*installation.policy("iota-role.json"), *installation.policy("log-account-role.json"))
    }
    assert all_of_them - used == WITHOUT_A_REQUEST_HERE
