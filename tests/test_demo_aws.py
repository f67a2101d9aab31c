"""The demo's stage: an AWS organization of its own, a home that leaves nothing behind, no way to a real account."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from iota_dagster.core.arrival.notification import MessageKind, read_message
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions, Role, role_credentials, session_with
from iota_dagster.core.errors import IotaError
from iota_dagster.demo import embedded_aws as aws
from iota_dagster.demo.cloudtrail import LogFile, generate
from iota_dagster.demo.embedded_aws import MANAGEMENT, NAMES, Organization, bucket_of, embedded_aws, set_up
from iota_dagster.demo.environment import only
from iota_dagster.demo.home import demo_home
from iota_dagster.demo.processes import start, stop
from iota_dagster.demo.records import HOME_REGION, SECURITY
from iota_dagster.demo.traffic import Uploads
from iota_dagster.settings import Settings


@pytest.fixture(scope="module")
def organization(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organization]:
    with embedded_aws(tmp_path_factory.mktemp("aws") / "aws.log") as url:
        yield set_up(url)


@pytest.fixture
def iota(organization: Organization) -> Iterator[ClientFactory]:
    """Clients with iota's own user's key."""
    with only(organization.environment()):
        yield ClientFactory(ClientOptions(endpoint_url=organization.endpoint_url, region=HOME_REGION))


@pytest.fixture(scope="module")
def files() -> tuple[LogFile, ...]:
    return generate(hours=1, events=0).files[:6]


def test_iota_is_a_user_of_the_security_account(iota: ClientFactory) -> None:
    assert iota.sts().get_caller_identity()["Arn"] == f"arn:aws:iam::{SECURITY}:user/iota"


def test_the_settings_that_are_written_are_valid(organization: Organization, tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path, **organization.settings()})
    assert [item.name for item in settings.integrations] == list(NAMES.values())
    assert len({item.bucket for item in settings.integrations}) == len({item.account for item in settings.integrations})


def acting_as(role: Role, iota: ClientFactory) -> ClientFactory:
    session = session_with(role_credentials(role, iota))
    return ClientFactory(iota.options, lambda: session)


def test_a_bucket_is_open_to_its_own_accounts_role_and_to_nobody_else(
    organization: Organization, iota: ClientFactory
) -> None:
    for item in organization.settings()["integrations"]:
        assumed = acting_as(Role(item["role_arn"], "test"), iota)
        assert assumed.sts().get_caller_identity()["Account"] == item["account"]
        assumed.s3().list_objects_v2(Bucket=item["bucket"])
        others = [account for account in NAMES if account != item["account"]]
        for account in others:
            with pytest.raises(ClientError, match="AccessDenied"):
                assumed.s3().list_objects_v2(Bucket=bucket_of(account))


def test_what_is_put_into_any_bucket_is_told_through_the_topic(
    organization: Organization, iota: ClientFactory, files: tuple[LogFile, ...]
) -> None:
    uploads = Uploads(organization.buckets)
    uploads.put_all(files)
    assert uploads.objects == len(files)
    told, kinds = set(), set()
    while (
        messages := iota.sqs().receive_message(QueueUrl=organization.queue_url, MaxNumberOfMessages=10).get("Messages")
    ):
        for message in messages:
            assert json.loads(message["Body"])["Type"] == "Notification"
            read = read_message(message["Body"])
            kinds.add(read.kind)
            told |= {(found.bucket, found.key) for found in read.objects}
    assert told == {(bucket_of(MANAGEMENT if file.organization else file.account), file.key) for file in files}
    assert kinds == {MessageKind.S3, MessageKind.S3_TEST}
    assert {bucket for bucket, _ in told} >= {bucket_of(MANAGEMENT)}


def test_an_event_counts_as_put_when_it_was_put_first(organization: Organization, files: tuple[LogFile, ...]) -> None:
    uploads = Uploads(organization.buckets)
    event = files[0].events[0]
    assert uploads.put_at(event) is None
    uploads.put(files[0])
    first = uploads.put_at(event)
    uploads.put(files[0])
    assert uploads.put_at(event) == first is not None


def test_the_external_id_is_in_the_secret_that_the_settings_name_and_the_roles_ask_for_it(
    organization: Organization, iota: ClientFactory
) -> None:
    with only(organization.environment()):
        client = session_with(None).client(
            "secretsmanager", endpoint_url=organization.endpoint_url, region_name=HOME_REGION
        )
        secret = client.get_secret_value(SecretId=organization.settings()["integrations"][0]["external_id_secret"])
    assert len(secret["SecretString"]) == 32


def test_the_server_ends_with_its_block(tmp_path: Path) -> None:
    with embedded_aws(tmp_path / "aws.log") as url:
        options = ClientOptions(endpoint_url=url, attempts=1, connect_seconds=1)
        with only({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}):
            clients = ClientFactory(options)
            assert clients.s3().list_buckets()["Buckets"] == []
    with pytest.raises(EndpointConnectionError, match="Could not connect"):
        clients.s3().list_buckets()


def test_without_moto_the_demo_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aws, "find_spec", lambda name: None)
    with pytest.raises(IotaError, match="install iota with its extra `demo`"), embedded_aws(tmp_path / "aws.log"):
        pass


def test_a_server_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "false")
    with pytest.raises(IotaError, match=r"did not start: .*aws\.log"), embedded_aws(tmp_path / "aws.log"):
        pass


def test_a_demos_home_is_new_and_gone_afterwards(tmp_path: Path) -> None:
    with demo_home(tmp_path) as first, demo_home(tmp_path) as second:
        assert first != second
        assert list(first.iterdir()) == []
        (first / "lake").mkdir()
        (first / "lake" / "file").write_text("x")
    assert list((tmp_path / "demo").iterdir()) == []


def test_what_a_killed_demo_left_goes_with_the_next_one_but_nobody_elses(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    for name in ("killed", "running"):
        (folder / name).mkdir(parents=True)
        (folder / f"{name}.lock").touch()
    with (folder / "running.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with demo_home(tmp_path):
            pass
        assert {path.name for path in folder.iterdir()} == {"running", "running.lock"}


def test_a_block_sees_its_own_variables_and_nobody_elses_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("IOTA_LAKE_URL", "s3://somebody-elses-lake")
    before = dict(os.environ)
    with only({"IOTA_CONFIG": "demo.yaml"}):
        found = {name: value for name, value in os.environ.items() if name.startswith(("AWS_", "IOTA_"))}
        assert found == {
            "IOTA_CONFIG": "demo.yaml",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        assert os.environ["PATH"] == before["PATH"]
    assert dict(os.environ) == before


def test_a_process_that_does_not_end_is_killed_with_its_children(tmp_path: Path) -> None:
    process = start(["sh", "-c", "trap '' TERM; sleep 600 & echo $!; wait; wait"], tmp_path / "log", grace=0.1)
    sleeper = psutil.Process(said(process, tmp_path / "log"))
    stop(process)
    assert process.returncode == 128 + signal.SIGTERM
    assert not sleeper.is_running()


DAEMON = """
import os, subprocess, sys, time
if os.fork() == 0:
    process = subprocess.Popen(["sleep", "600"], start_new_session=True)
    print(process.pid, flush=True)
    os._exit(0)
os.wait()
{then}
"""
"""A process whose parent is gone, in a session of its own: no child of the command, and not of its group."""


@pytest.mark.parametrize(("then", "code"), [("sys.exit(3)", 3), ("os.kill(os.getpid(), 9)", 137)])
def test_what_a_command_leaves_behind_is_killed_wherever_it_is(tmp_path: Path, then: str, code: int) -> None:
    process = start([sys.executable, "-c", DAEMON.format(then=then)], tmp_path / "log", grace=600)
    assert process.wait() == code
    left = int((tmp_path / "log").read_text())
    assert not psutil.pid_exists(left)


def test_a_process_and_what_it_has_left_behind_end_with_whoever_started_it(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from iota_dagster.demo.processes import start
print(start(sys.argv[2:], Path(sys.argv[1]), grace=0.1).pid, flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", DAEMON.format(then="time.sleep(600)")]
    start_it = [sys.executable, "-c", code, str(tmp_path / "log"), *command]
    with subprocess.Popen(start_it, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        guard = psutil.Process(int(parent.stdout.readline()))
        left = psutil.Process(said(parent, tmp_path / "log"))
        parent.kill()
    assert ended(guard)
    assert not left.is_running()


def said(process: subprocess.Popen[bytes], log: Path) -> int:
    """The process id that a command has written, as soon as it has."""
    while not (number := log.read_text().strip()):
        assert process.poll() is None
    return int(number)


def ended(process: psutil.Process) -> bool:
    """Whether it is gone, at once or soon."""
    return not psutil.wait_procs([process], timeout=10)[1]
