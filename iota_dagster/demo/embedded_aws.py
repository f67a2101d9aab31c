"""An AWS organization to try iota on: three accounts that write logs, one that manages them, all in one moto server.

Each account has a bucket with its trail and a role that may read it; the management account's bucket holds the
organization's trail. The buckets tell a topic of new objects, the topic tells the queue. iota itself is a user of the
security account, where the queue, the lake, the catalog and the secret are: no bucket is open to it but through a role.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions, Role, role_credentials, session_with
from iota_dagster.core.errors import IotaError
from iota_dagster.core.extras import install
from iota_dagster.demo.environment import only
from iota_dagster.demo.records import DEVELOPMENT, HOME_REGION, PRODUCTION, SECURITY

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MANAGEMENT = "123456789012"
"""The account that moto takes strangers for; the organization's trail is there."""
NAMES = {PRODUCTION: "production", DEVELOPMENT: "development", SECURITY: "security", MANAGEMENT: "organization"}
"""The integrations, by their account."""
LAKE, DATABASE, SECRET, QUEUE = "example-iota-lake", "iota", "iota/external-id", "iota-log-objects"
READER, ADMINISTRATOR = "iota-log-reader", "administrator"
_SERVER = {"MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false"}
_STRANGER = {"AWS_ACCESS_KEY_ID": "demo", "AWS_SECRET_ACCESS_KEY": "demo", "AWS_DEFAULT_REGION": HOME_REGION}


@dataclass(frozen=True, slots=True)
class Organization:
    """What was set up: where it is, and the key of iota's own user."""

    endpoint_url: str
    queue_url: str
    keys: Mapping[str, str]
    buckets: Mapping[str, S3Client]
    """A client that may write, by account: what the CloudTrail service is in an account of one's own."""

    def settings(self) -> dict[str, Any]:
        """What `iota.yaml` says of it."""
        return {
            "region": HOME_REGION,
            "endpoint_url": self.endpoint_url,
            "queue_url": self.queue_url,
            "lake_url": f"s3://{LAKE}/lake",
            "glue_database": DATABASE,
            "integrations": [_integration(account, name) for account, name in NAMES.items()],
        }

    def environment(self) -> dict[str, str]:
        """iota's own credentials, as the environment holds them; no service of the real AWS can be reached with it."""
        return {**self.keys, "AWS_DEFAULT_REGION": HOME_REGION, "AWS_ENDPOINT_URL": self.endpoint_url}


@contextmanager
def embedded_aws(log: Path) -> Iterator[str]:
    """The server's address; the server ends with the block. `IotaError` when it does not start."""
    if find_spec("moto") is None:
        raise IotaError(f"the demo brings its own AWS, for which moto is missing: {install('demo')}")
    with only(_SERVER), log.open("ab") as errors:
        server = subprocess.Popen(
            [sys.executable, "-m", "iota_dagster.demo.aws_server", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    with server:
        try:
            assert server.stdout is not None
            port = server.stdout.readline().decode().strip()
            if not port:
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise IotaError(f"the embedded AWS did not start: {last or 'it says nothing'} ({log})")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()  # there is nothing in it that could be saved


def set_up(endpoint_url: str) -> Organization:
    """Make accounts, buckets, roles, topic, queue, lake bucket, database and secret in an empty server."""
    options = ClientOptions(endpoint_url=endpoint_url, region=HOME_REGION)
    with only(_STRANGER):
        stranger = ClientFactory(options)
        administrators = {account: Administrator(account, stranger) for account in NAMES}
        buckets = {account: each.s3() for account, each in administrators.items()}
        home, external_id = administrators[SECURITY], secrets.token_hex(16)
        queue_url, topic = _queue(home)
        for account, administrator in administrators.items():
            _reader(administrator, account, external_id)
            _bucket(buckets[account], account, topic)
        buckets[SECURITY].create_bucket(Bucket=LAKE)
        home("glue").create_database(DatabaseInput={"Name": DATABASE})
        home("secretsmanager").create_secret(Name=SECRET, SecretString=external_id)
        keys = _user(home("iam"))
    return Organization(endpoint_url, queue_url, keys, buckets)


def bucket_of(account: str) -> str:
    """The bucket of an account's trail; the management account's is the organization's."""
    return f"example-cloudtrail-{NAMES[account]}-{account}"


class Administrator:
    """Clients with an account's administrator role: moto lets anybody be anything."""

    def __init__(self, account: str, stranger: ClientFactory) -> None:
        role = Role(f"arn:aws:iam::{account}:role/{ADMINISTRATOR}", "demo")
        session = session_with(role_credentials(role, stranger))
        self._clients = ClientFactory(stranger.options, lambda: session)

    def s3(self) -> S3Client:
        """The account's S3."""
        return self._clients.s3()

    def __call__(self, service: str) -> Any:
        """Another of the account's services, by boto3's name."""
        return self._clients.client(service)


def _integration(account: str, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "bucket": bucket_of(account),
        "prefix": "AWSLogs/",
        "account": account,
        "region": HOME_REGION,
        "role_arn": f"arn:aws:iam::{account}:role/{READER}",
        "external_id_secret": SECRET,
        "log_types": ["AWS.CloudTrail"],
    }


def _queue(home: Administrator) -> tuple[str, str]:
    """The topic that the buckets tell, and the queue behind it, with one for what nobody can read: URL, topic's ARN."""
    sqs, sns = home("sqs"), home("sns")
    topic = sns.create_topic(Name=QUEUE)["TopicArn"]
    dead = _arn(sqs, sqs.create_queue(QueueName=f"{QUEUE}-dead")["QueueUrl"])
    redrive = {"deadLetterTargetArn": dead, "maxReceiveCount": 10}
    attributes = {"VisibilityTimeout": "120", "RedrivePolicy": json.dumps(redrive)}
    url = sqs.create_queue(QueueName=QUEUE, Attributes=attributes)["QueueUrl"]
    arn = _arn(sqs, url)
    policy = _allow("sns.amazonaws.com", "sqs:SendMessage", arn, {"ArnEquals": {"aws:SourceArn": topic}})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    sources = {"StringEquals": {"aws:SourceAccount": list(NAMES)}}
    policy = _allow("s3.amazonaws.com", "sns:Publish", topic, sources)
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return url, topic


def _arn(sqs: Any, url: str) -> str:
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    return str(found["Attributes"]["QueueArn"])


def _allow(service: str, action: str, resource: str, condition: Mapping[str, Any]) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Condition": condition}]})


def _bucket(s3: S3Client, account: str, topic: str) -> None:
    bucket = bucket_of(account)
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={"TopicConfigurations": [{"TopicArn": topic, "Events": ["s3:ObjectCreated:*"]}]},
    )


def _reader(administrator: Administrator, account: str, external_id: str) -> None:
    """The role that iota reads an account's bucket with."""
    iam, bucket = administrator("iam"), f"arn:aws:s3:::{bucket_of(account)}"
    principal = {"AWS": f"arn:aws:iam::{SECURITY}:user/iota"}
    trust = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    condition = {"StringEquals": {"sts:ExternalId": external_id}}
    iam.create_role(RoleName=READER, AssumeRolePolicyDocument=_policy(trust | {"Condition": condition}))
    read = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": [bucket, f"{bucket}/*"]}
    iam.put_role_policy(RoleName=READER, PolicyName="read-logs", PolicyDocument=_policy(read))


def _policy(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _user(iam: Any) -> dict[str, str]:
    """iota's own user in the security account: its key, as the environment holds it."""
    iam.create_user(UserName="iota")
    key = iam.create_access_key(UserName="iota")["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
