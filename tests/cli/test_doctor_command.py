"""`iota doctor`: what is well, what is not, and what to do, on this host and on moto's AWS."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from click.testing import CliRunner, Result
from dagster._core.launcher import DefaultRunLauncher
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo
from moto.core.authorization import enable_iam_authentication

from iota_dagster.cli.doctor import command
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.store.database import Database
from iota_dagster.doctor import all_checks, examine
from iota_dagster.doctor_checks.aws_errors import what_to_do
from iota_dagster.doctor_checks.finding import Check, Finding, ok
from iota_dagster.doctor_checks.site import Site
from iota_dagster.home import prepare_home
from iota_dagster.settings import Settings, load_settings
from tests.aws import ACCOUNT, REGION, Aws

DEPLOY = Path(__file__).parent.parent.parent / "deploy" / "aws"
LOG_ACCOUNT = "111122223333"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def doctor(*arguments: str, **settings: Any) -> Result:
    """The command's result on an iota.yaml of these settings."""
    write(settings)
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def write(settings: dict[str, Any]) -> None:
    Path("iota.yaml").write_text(yaml.safe_dump({"home": "home", **settings}))


def look_at(name: str, **settings: Any) -> list[Finding]:
    """What one check finds."""
    write(settings)
    found = list(examine([check for check in all_checks(Site(load_settings())) if check.name == name]))
    assert found
    assert all(finding.advice for finding in found if finding.status in ("failed", "warning"))
    assert all(finding.check == name for finding in found)
    return found


def statuses(found: list[Finding]) -> list[str]:
    return [finding.status.value for finding in found]


class DistantLauncher(DefaultRunLauncher):
    """Stands for one of Kubernetes or ECS: it is of no package of this host."""


class Installation:
    """An installation on AWS in which nothing is missing, each part made when asked for; tests take something away."""

    def __init__(self, aws: Aws) -> None:
        self.aws, self.clients = aws, aws.clients

    @cached_property
    def logs(self) -> str:
        bucket = self.aws.bucket("logs")
        self.clients.s3().put_object(Bucket=bucket, Key="AWSLogs/a.json.gz", Body=b"x" * 100)
        return bucket

    @cached_property
    def lake(self) -> str:
        return self.aws.bucket("lake")

    @cached_property
    def database(self) -> str:
        name = self.aws.name("lake").replace("-", "_")
        self.clients.glue().create_database(DatabaseInput={"Name": name})
        return name

    @cached_property
    def secret(self) -> str:
        name = self.aws.name("external-id")
        manager = boto3.client("secretsmanager", endpoint_url=self.aws.endpoint, region_name=REGION)
        manager.create_secret(Name=name, SecretString="hidden-external-id")
        return name

    @cached_property
    def queue(self) -> str:
        sqs, name = self.clients.sqs(), self.aws.name("queue")
        self.dead = sqs.create_queue(QueueName=f"{name}-dead")["QueueUrl"]
        redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dead", "maxReceiveCount": 5}
        policy = (DEPLOY / "queue-policy.json").read_text()
        for placeholder, value in {"REGION": REGION, "IOTA_ACCOUNT": ACCOUNT, "QUEUE": name}.items():
            policy = policy.replace(f"<{placeholder}>", value)
        attributes = {"Policy": policy, "RedrivePolicy": json.dumps(redrive), "VisibilityTimeout": "120"}
        return sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]  # type: ignore[arg-type]

    def set_queue(self, **attributes: str) -> None:
        self.clients.sqs().set_queue_attributes(QueueUrl=self.queue, Attributes=attributes)  # type: ignore[arg-type]

    def look_at_queue(self, url: str | None = None) -> list[Finding]:
        return look_at("queue", endpoint_url=self.aws.endpoint, region=REGION, queue_url=url or self.queue)

    def look_at_integration(self, **changes: Any) -> list[Finding]:
        integrations = [self.integration(**changes)]
        return look_at("integration production", endpoint_url=self.aws.endpoint, integrations=integrations)

    def integration(self, **changes: Any) -> dict[str, Any]:
        whole = {
            "name": "production",
            "bucket": self.logs,
            "prefix": "AWSLogs/",
            "account": LOG_ACCOUNT,
            "region": REGION,
            "role_arn": f"arn:aws:iam::{LOG_ACCOUNT}:role/iota-reader",
            "external_id_secret": self.secret,
        }
        return {name: value for name, value in (whole | changes).items() if value is not None}

    def settings(self, **changes: Any) -> dict[str, Any]:
        return {
            "endpoint_url": self.aws.endpoint,
            "region": REGION,
            "queue_url": self.queue,
            "lake_url": f"s3://{self.lake}/lake",
            "glue_database": self.database,
            "integrations": [self.integration()],
        } | changes


@pytest.fixture
def installation(aws: Aws) -> Installation:
    return Installation(aws)


def test_a_new_home_is_well_and_only_dagster_is_not_there_yet() -> None:
    result = doctor("--json")
    told = json.loads(result.stdout)
    assert {finding["check"]: finding["status"] for finding in told["findings"]} == {
        "settings": "ok",
        "versions": "ok",
        "home": "ok",
        "lake": "ok",
        "work": "ok",
        "state": "ok",
        "spool": "ok",
        "scratch": "ok",
        "store": "ok",
        "log types": "ok",
        "rules": "ok",
        "destinations": "ok",
        "lake's store": "skipped",
        "daemon": "warning",
        "run logs": "skipped",
        "queue": "skipped",
        "identity": "skipped",
        "clock": "skipped",
        "catalog": "skipped",
        "integrations": "skipped",
    }
    assert (told["ok"], told["warning"], told["failed"], told["skipped"]) == (12, 1, 0, 7)
    assert result.exit_code == 0
    assert not list(Path("home").rglob("*doctor*"))


def test_each_finding_is_one_line_with_what_to_do() -> None:
    result = doctor(integrations=[{"name": "nfs", "path": "nowhere"}])
    assert result.exit_code == 1
    [line] = [line for line in result.stdout.splitlines() if line.startswith("failed")]
    assert "integration nfs" in line
    assert line.endswith("nowhere → mount it or correct the integration's path")
    assert ", 1 failed, " in result.stdout.splitlines()[-1]


def test_a_finding_steers_no_terminal() -> None:
    result = doctor(integrations=[{"name": "nfs", "path": "no\x1b]0;where\n"}])
    [line] = [line for line in result.stdout.splitlines() if line.startswith("failed")]
    assert line.isprintable()
    assert r"no\x1b]0;where\n" in line


def test_wrong_settings_are_the_only_finding() -> None:
    result = doctor("--json", batch_objects="many")
    [found] = json.loads(result.stdout)["findings"]
    assert (found["check"], found["status"], result.exit_code) == ("settings", "failed", 1)
    assert "iota.yaml:1:" in found["found"]


def test_looking_at_rules_runs_none() -> None:
    Path("mine").mkdir()
    Path("mine/noisy.yml").write_text(
        "AnalysisType: rule\nRuleID: Noisy\nFilename: noisy.py\nLogTypes: [AWS.CloudTrail]\nSeverity: Low\n"
        "Enabled: true\n"
    )
    Path("mine/noisy.py").write_text("import sys\nsys.stdout.write('noise')\n\ndef rule(event):\n    return False\n")
    result = doctor(rules=["mine"])
    assert "noise" not in result.output
    assert "1 rules, 1 of them enabled, with 0 tests" in result.stdout


def test_a_broken_rule_is_named_with_file_and_line() -> None:
    Path("mine").mkdir()
    Path("mine/broken.yml").write_text("AnalysisType: rule\nRuleID: [\n")
    [found] = look_at("rules", rules=["mine"])
    assert found.status == "failed"
    assert "mine/broken.yml:" in found.found


def test_log_types_of_the_users_own_are_named_and_a_mistake_in_one_with_its_file() -> None:
    Path("mine").mkdir()
    schema = {
        "log_type": "Custom.Door",
        "description": "Doors of the office",
        "format": "json",
        "time": {"field": "at"},
        "fields": [{"name": "at", "type": "time", "description": "When it was opened", "required": True}],
    }
    Path("mine/door.yml").write_text(yaml.safe_dump(schema))
    [found] = look_at("log types", log_types=["mine"])
    assert found.status == "ok"
    assert found.found == f"{len(BUILT_IN)} built in; of your own: Custom.Door"
    Path("mine/door.yml").write_text(yaml.safe_dump({**schema, "format": "xml"}))
    [found] = look_at("log types", log_types=["mine"])
    assert found.status == "failed"
    assert "mine/door.yml:" in found.found


def test_no_rules_is_a_warning() -> None:
    Path("mine").mkdir()
    assert statuses(look_at("rules", rules=["mine"])) == ["warning"]


@pytest.mark.parametrize(("revision", "status"), [("0000", "warning"), ("9999", "failed")])
def test_the_revision_of_the_store_is_compared(revision: str, status: str) -> None:
    database = Database("sqlite:///home/iota.db")
    database.migrate()
    with database.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
    database.dispose()
    [found] = look_at("store")
    assert found.status == status
    assert revision in found.found


def test_a_damaged_store_is_found() -> None:
    Path("home").mkdir()
    Path("home/iota.db").write_bytes(b"this is no database" * 100)
    [found] = look_at("store")
    assert found.status == "failed"
    assert "damaged" in found.found


def test_a_home_that_is_a_file_is_found_and_the_rest_is_looked_at() -> None:
    Path("home").write_text("a file")
    told = {finding["check"]: finding for finding in json.loads(doctor("--json").stdout)["findings"]}
    assert [told[name]["status"] for name in ("home", "lake", "scratch", "store", "rules")] == [*["failed"] * 4, "ok"]
    assert all(finding["advice"] for finding in told.values() if finding["status"] == "failed")


def test_scratch_must_hold_a_batch() -> None:
    assert statuses(look_at("scratch", batch_bytes="100 PB")) == ["failed"]


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({"destinations": []}, "warning"),
        ({"routing": {"HIGH": []}}, "warning"),
        ({"destinations": [{"type": "json_lines", "name": "file", "path": "."}]}, "failed"),
    ],
)
def test_alerts_must_go_somewhere(settings: dict[str, Any], status: str) -> None:
    assert statuses(look_at("destinations", **settings)) == [status]


def beat(instance: dg.DagsterInstance, *seconds_ago: float, error: str | None = None) -> None:
    """Heartbeats of all parts of the daemon: of these ages, and the rest of the first one's."""
    errors = [SerializableErrorInfo(error, [], None)] if error else None
    kinds = instance.get_required_daemon_types()
    ages = [*seconds_ago, *[seconds_ago[0]] * (len(kinds) - len(seconds_ago))]
    for kind, age in zip(kinds, ages, strict=True):
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - age, kind, None, errors))


def test_the_daemon_is_judged_by_its_heartbeats() -> None:
    folder = prepare_home(Settings(home=Path("home")))
    found = look_at("daemon")
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        beat(instance, 7200)
        found += look_at("daemon")
        beat(instance, 5, 7200)
        found += look_at("daemon")
        beat(instance, 5, error="a tick failed\nin some way")
        found += look_at("daemon")
        beat(instance, 5)
        found += look_at("daemon")
    assert statuses(found) == ["warning", "failed", "failed", "warning", "ok"]
    words = ["never run", "silent for 120 minutes", "but not its ", "; a tick failed", "the daemon runs, "]
    assert [word in finding.found for word, finding in zip(words, found, strict=True)] == [True] * 5


def test_the_daemon_of_another_dagster_home_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = prepare_home(Settings(home=Path("elsewhere")))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        beat(instance, 5)
    assert statuses(look_at("daemon")) == ["warning"]
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    assert statuses(look_at("daemon")) == ["ok"]


def test_run_logs_that_no_run_could_open_are_found() -> None:
    (prepare_home(Settings(home=Path("home"))) / "dagster.yaml").write_text(
        "compute_logs: {module: dagster_aws.s3.compute_log_manager, class: S3ComputeLogManager, "
        "config: {bucket: {env: RUN_LOGS_BUCKET}}}\n"
    )
    assert statuses(look_at("daemon")) == ["warning"]
    [found] = look_at("run logs")
    assert found.status == "failed"
    assert "RUN_LOGS_BUCKET" in found.found
    assert "every run fails" in found.advice


def test_run_logs_that_can_be_opened_are_well() -> None:
    prepare_home(Settings(home=Path("home")))
    [found] = look_at("run logs")
    assert (found.status, found.found) == ("ok", "LocalComputeLogManager")


def test_a_package_that_dagsters_settings_need_is_named() -> None:
    (prepare_home(Settings(home=Path("home"))) / "dagster.yaml").write_text(
        "run_storage: {module: dagster_postgres.not_there, class: Storage, config: {}}\n"
    )
    [found] = look_at("daemon")
    assert found.status == "failed"
    assert "install iota with its extra `postgres`" in found.found


def test_a_store_in_a_file_does_not_serve_runs_on_other_hosts() -> None:
    (prepare_home(Settings(home=Path("home"))) / "dagster.yaml").write_text(
        "run_launcher: {module: tests.cli.test_doctor_command, class: DistantLauncher}\n"
    )
    [found] = look_at("daemon")
    assert found.status == "failed"
    assert "set store_url to a PostgreSQL database and lake_url, " in found.found


def test_a_daemon_that_has_never_run_takes_no_messages() -> None:
    [found] = look_at("daemon", queue_url="http://127.0.0.1:1/queue")
    assert found.status == "failed"


def test_an_installation_in_which_nothing_is_missing(installation: Installation) -> None:
    folder = prepare_home(Settings(home=Path("home")))
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        beat(instance, 1)
    store = Database("sqlite:///home/iota.db")
    store.migrate()
    store.dispose()
    result = doctor("--json", **installation.settings())
    told = json.loads(result.stdout)
    assert [finding for finding in told["findings"] if finding["status"] != "ok"] == []
    assert result.exit_code == 0
    assert "hidden" not in result.output
    found = {finding["check"]: finding["found"] for finding in told["findings"]}
    assert found["integration production"].endswith("can be listed and read (encryption: none)")
    listed = installation.clients.s3().list_objects_v2(Bucket=installation.lake)
    assert listed["KeyCount"] == 0  # the probe is gone


@pytest.mark.parametrize(
    ("statement", "status", "words"),
    [
        (None, "failed", "neither S3, SNS nor EventBridge"),
        ({"Principal": {"Service": "lambda.amazonaws.com"}}, "failed", "neither"),
        ({"Principal": {"Service": "s3.amazonaws.com"}, "Action": "sqs:ReceiveMessage"}, "failed", "neither"),
        ({"Principal": {"Service": "s3.amazonaws.com"}, "Effect": "Deny"}, "failed", "neither"),
        ({"Principal": {"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}}, "warning", "S3, SNS may send"),
        ({"Principal": "*"}, "warning", "anybody"),
        ({"Principal": {"AWS": "*"}, "Action": ["SQS:SendMessage"]}, "warning", "anybody"),
        ({"Principal": "*", "Condition": {"ArnEquals": {"aws:SourceArn": "arn:aws:sns:::t"}}}, "ok", "condition"),
    ],
)
def test_who_may_send_is_read_from_the_policy(
    installation: Installation, statement: dict[str, Any] | None, status: str, words: str
) -> None:
    whole = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*"} | (statement or {})
    installation.set_queue(Policy=json.dumps({"Statement": whole}) if statement else "")
    [_, found, *_] = installation.look_at_queue()
    assert found.status == status
    assert words in found.found


@pytest.mark.parametrize(("seconds", "status"), [("30", "warning"), ("60", "ok"), ("900", "ok"), ("3600", "warning")])
def test_messages_are_hidden_neither_too_short_nor_too_long(
    installation: Installation, seconds: str, status: str
) -> None:
    installation.set_queue(VisibilityTimeout=seconds)
    [_, _, found, *_] = installation.look_at_queue()
    assert found.status == status


@pytest.mark.parametrize(
    ("key", "status", "words"),
    [
        ("alias/aws/sqs", "failed", "a key of your own"),
        ("arn:aws:kms:us-east-1:123456789012:alias/aws/sqs", "failed", "SSE-SQS"),
        ("alias/our-own", "warning", "kms:GenerateDataKey* and kms:Decrypt to whoever sends (sns.amazonaws.com"),
    ],
)
def test_a_queue_with_a_key_says_whom_the_key_must_let_in(
    installation: Installation, key: str, status: str, words: str
) -> None:
    installation.set_queue(KmsMasterKeyId=key)
    [_, _, found, *_] = installation.look_at_queue()
    assert found.status == status
    assert words in found.advice


def test_a_queue_without_dead_letters_is_a_warning(aws: Aws, installation: Installation) -> None:
    url = aws.clients.sqs().create_queue(QueueName=aws.name("queue"))["QueueUrl"]
    found = installation.look_at_queue(url)[-1]
    assert found.status == "warning"
    assert "no redrive policy" in found.found


def test_dead_letters_are_counted(installation: Installation) -> None:
    assert statuses(installation.look_at_queue()) == ["ok"] * 4
    installation.clients.sqs().send_message(QueueUrl=installation.dead, MessageBody="lost")
    found = installation.look_at_queue()[-1]
    assert found.status == "warning"
    assert "holds about 1 messages" in found.found


def test_a_dead_letter_queue_that_is_gone_is_a_warning(installation: Installation) -> None:
    name = f"{installation.queue.rpartition('/')[2]}-dead"
    redrive = {"deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}", "maxReceiveCount": 1}
    installation.set_queue(RedrivePolicy=json.dumps(redrive))
    installation.clients.sqs().delete_queue(QueueUrl=installation.dead)
    found = installation.look_at_queue()
    assert statuses(found[-2:]) == ["warning", "warning"]
    assert "after 1 deliveries" in found[-2].found
    assert "cannot be looked at" in found[-1].found


def test_a_queue_that_is_not_there_is_one_failure(installation: Installation) -> None:
    [found] = installation.look_at_queue(f"{installation.queue}-gone")
    assert (found.status, found.advice) == ("failed", "correct queue_url")


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"prefix": "nothing/"}, "warning", "holds nothing"),
        ({"bucket": "no-such-bucket-anywhere"}, "failed", "NoSuchBucket"),
        ({"role_arn": None, "external_id_secret": None, "account": None}, "ok", "with our own credentials"),
        ({"external_id_secret": "no-such-secret"}, "failed", "the secret no-such-secret cannot be read"),
    ],
)
def test_a_bucket_is_tried(installation: Installation, changes: dict[str, Any], status: str, words: str) -> None:
    found = installation.look_at_integration(**changes)[-1]
    assert found.status == status
    assert words in found.found


def test_a_role_of_another_account_is_a_warning(installation: Installation) -> None:
    role, bucket = installation.look_at_integration(account="999988887777")
    assert (role.status, bucket.status) == ("warning", "ok")
    assert f"is of account {LOG_ACCOUNT}, the bucket's is 999988887777" in role.found


def test_an_object_encrypted_with_a_key_says_so(installation: Installation) -> None:
    installation.clients.s3().put_object(
        Bucket=installation.logs, Key="AWSLogs/b.json.gz", Body=b"x", ServerSideEncryption="aws:kms"
    )
    found = installation.look_at_integration()[-1]
    assert found.found.endswith("(encryption: aws:kms)")


def test_archived_objects_are_a_warning(installation: Installation) -> None:
    installation.clients.s3().put_object(
        Bucket=installation.logs, Key="AWSLogs/b.json.gz", Body=b"x", StorageClass="GLACIER"
    )
    found = installation.look_at_integration()[-1]
    assert found.status == "warning"
    assert "archived (GLACIER)" in found.found


def test_one_integration_that_fails_does_not_hide_the_other(aws: Aws, installation: Installation) -> None:
    other = installation.integration(name="other", bucket="no-such-bucket-anywhere")
    settings = {"endpoint_url": aws.endpoint, "integrations": [other, installation.integration()]}
    assert statuses(look_at("integration other", **settings)) == ["ok", "failed"]
    assert statuses(look_at("integration production", **settings)) == ["ok", "ok"]


def test_where_iam_denies_everything_the_missing_permissions_are_named(
    aws: Aws, installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    iam = boto3.client("iam", endpoint_url=aws.endpoint, region_name=REGION)
    name = aws.name("nobody")
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    settings = installation.settings(
        integrations=[installation.integration(role_arn=None, external_id_secret=None, account=None)]
    )
    permissions = {
        "lake": "s3:PutObject",
        "queue": "sqs:GetQueueAttributes",
        "catalog": "glue:GetDatabase",
        "integration production": "s3:ListBucket",
    }
    with enable_iam_authentication():
        found = {check: look_at(check, **settings)[-1] for check in permissions}
    assert {finding.status.value for finding in found.values()} == {"failed"}
    assert [check for check, permission in permissions.items() if permission not in found[check].advice] == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (("AssumeRole", "AccessDenied", "not authorized"), "sts:AssumeRole"),
        (("GetObject", "AccessDenied", "not authorized to perform: kms:Decrypt on the resource"), "kms:Decrypt"),
        (("GetObject", "AccessDenied", "not authorized to perform: kms:Decrypt"), "the bucket's key"),
        (("PutObject", "AccessDenied", "not authorized: kms:GenerateDataKey"), "kms:GenerateDataKey and kms:Decrypt"),
        (("ReceiveMessage", "KmsAccessDenied", "the ciphertext refers to a key"), "kms:Decrypt on the queue's key"),
        (("HeadObject", "403", "Forbidden"), "s3:GetObject"),
        (("GetObject", "PermanentRedirect", "use another endpoint"), "region"),
        (("GetCallerIdentity", "ExpiredToken", "expired"), "renew"),
    ],
)
def test_an_answer_of_aws_says_what_to_do(error: tuple[str, str, str], words: str) -> None:
    operation, code, message = error
    answer = ClientError({"Error": {"Code": code, "Message": message}}, operation)
    outage = RuntimeError("the bucket did not answer")
    outage.__cause__ = answer
    assert words in what_to_do(answer)
    assert what_to_do(outage) == what_to_do(answer)


def test_errors_without_an_answer_say_what_to_do() -> None:
    assert "AWS_ACCESS_KEY_ID" in what_to_do(NoCredentialsError())
    assert "network" in what_to_do(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"))
    assert what_to_do(RuntimeError("anything else")) == ""


@pytest.mark.parametrize(("lake", "status"), [("s3://any-lake", "warning"), ("lake", "failed")])
def test_a_catalog_needs_a_lake_in_s3(aws: Aws, lake: str, status: str) -> None:
    found = look_at("catalog", endpoint_url=aws.endpoint, region=REGION, glue_database="not_made_yet", lake_url=lake)
    assert statuses(found) == [status]


class OtherTime(BaseHTTPRequestHandler):
    """STS, with the clock of another day or an hour that is nearly right."""

    seconds = 0

    def do_POST(self) -> None:
        self.send_response(403 if self.seconds > 1000 else 200)
        self.end_headers()
        self.wfile.write(
            b"<R><GetCallerIdentityResult><Arn>arn:aws:iam::1:user/me</Arn></GetCallerIdentityResult>"
            b"<Error><Code>SignatureDoesNotMatch</Code></Error></R>"
        )

    def date_time_string(self, timestamp: float | None = None) -> str:
        return super().date_time_string(time.time() - self.seconds)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@pytest.fixture
def other_time() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), OtherTime)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("seconds", "status"), [(0, "ok"), (-90, "warning"), (90, "warning"), (-900, "failed"), (3600, "failed")]
)
def test_the_clock_is_compared_with_aws(
    other_time: str, monkeypatch: pytest.MonkeyPatch, seconds: int, status: str
) -> None:
    monkeypatch.setattr(OtherTime, "seconds", seconds)
    [found] = look_at("clock", endpoint_url=other_time, region=REGION, glue_database="lake")
    assert found.status == status


def test_a_check_that_hangs_or_is_wrong_stops_no_other() -> None:
    released = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok("so far")
        released.wait()

    def mistake() -> Finding:
        raise RuntimeError("a mistake\nof two lines")

    def breaks() -> Iterator[Finding]:
        yield mistake()

    checks = [Check("hangs", hangs), Check("breaks", breaks), Check("works", lambda: iter([ok("well")]))]
    found = [(item.check, item.status, item.found) for item in examine(checks, seconds=0.2)]
    released.set()
    assert found == [
        ("hangs", "ok", "so far"),
        ("hangs", "failed", "no answer within 0.2 s"),
        ("breaks", "failed", "a mistake of two lines"),
        ("works", "ok", "well"),
    ]
    assert list(examine([])) == []


def test_a_log_type_or_table_that_does_not_exist_is_found_with_what_may_be_meant() -> None:
    integrations = [{"name": "trail", "path": ".", "log_types": ["AWS.Cloudtrail", "AWS.CloudTrail"]}]
    findings = look_at("log types", integrations=integrations, lake_days={"cloudtrail_event": 3, "*": 9})
    assert statuses(findings) == ["ok", "failed", "failed"]
    assert "AWS.Cloudtrail, which is no log type; did you mean AWS.CloudTrail?" in findings[1].found
    assert "cloudtrail_event, which is no table; did you mean cloudtrail_events?" in findings[2].found
