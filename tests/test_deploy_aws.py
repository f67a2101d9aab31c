"""The files for AWS: Dagster takes the settings, and the policies allow what the code calls and not more."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import dagster as dg
import psycopg
import pytest
import yaml
from botocore import xform_name
from dagster._core.instance.config import dagster_instance_config
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager

from tests.aws import Aws
from tests.permissions import PERMISSIONS, permissions, statements

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy" / "aws"
POLICIES = sorted(path.name for path in DEPLOY.glob("*.json"))
PLACEHOLDER = r"<[A-Z_]+>"
# Functions that are no client's methods: of the ledger, and of botocore.session.
NO_OPERATIONS = {"list_objects", "get_session"}
# Several operations in one method.
TRANSFERS = {"upload_fileobj": ["s3:PutObject", "s3:AbortMultipartUpload"]}
# What is called with an integration's role; all else is called with iota's own.
IN_LOG_ACCOUNTS = (
    "core/aws/digest_signatures.py",
    "core/aws/s3_objects.py",
    "core/aws/s3_listing.py",
    "doctor_checks/accounts.py",
)
# What AWS lets nobody narrow to a resource.
WITHOUT_RESOURCES = ("cloudtrail:ListPublicKeys",)
# Dagster's manager of run logs and pyarrow ask for these.
BY_LIBRARIES = {"s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"}


def operations() -> dict[str, str]:
    """The methods of boto3's clients and what each calls, for the services that iota uses."""
    session = botocore.session.get_session()
    return {
        xform_name(name): f"{service}:{name}"
        for service in ("cloudtrail", "glue", "s3", "secretsmanager", "sns", "sqs", "sts")
        for name in session.get_service_model(service).operation_names
        if xform_name(name) not in NO_OPERATIONS
    }


def called(path: Path, known: dict[str, str]) -> Iterator[str]:
    """The permissions that a module's calls need: of client methods, of paginators, of transfers."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name = node.func.attr
        if name == "get_paginator" and isinstance(node.args[0], ast.Constant):
            name = str(node.args[0].value)
        if name in known:
            yield from PERMISSIONS.get(known[name], [known[name]])
        yield from TRANSFERS.get(name, [])


def needed() -> dict[str, set[str]]:
    """The permissions of each role, from all calls in the package."""
    known, found = operations(), {"iota-role.json": set(BY_LIBRARIES), "log-account-role.json": {"kms:Decrypt"}}
    for path in sorted((ROOT / "iota_dagster").rglob("*.py")):
        name = path.relative_to(ROOT / "iota_dagster").as_posix()
        if name.startswith("demo/"):
            continue
        for permission in called(path, known):
            in_log_account = name in IN_LOG_ACCOUNTS and permission.startswith(("cloudtrail:", "s3:"))
            found["log-account-role.json" if in_log_account else "iota-role.json"].add(permission)
    return found


def policy(name: str) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads((DEPLOY / name).read_text(encoding="utf-8"))["Statement"]
    return statements


def actions(name: str) -> set[str]:
    found = [statement["Action"] for statement in policy(name)]
    return {action for item in found for action in ([item] if isinstance(item, str) else item)}


@pytest.mark.parametrize("role", ["iota-role.json", "log-account-role.json"])
def test_a_role_may_do_what_the_code_calls_and_nothing_else(role: str) -> None:
    assert actions(role) == needed()[role]


def test_the_calls_of_the_code_are_found() -> None:
    found = needed()
    assert found["log-account-role.json"] >= {"s3:GetObject", "s3:ListBucket"}
    assert found["iota-role.json"] >= {"sqs:ReceiveMessage", "sts:AssumeRole", "secretsmanager:GetSecretValue"}


@pytest.mark.parametrize("name", POLICIES)
def test_no_policy_allows_everything(name: str) -> None:
    for statement in policy(name):
        assert statement["Effect"] == "Allow"
        assert "*" not in json.dumps(statement["Action"])
        if statement["Action"] in WITHOUT_RESOURCES:
            continue
        resources = statement.get("Resource", [])
        assert "*" not in ([resources] if isinstance(resources, str) else resources)


def test_every_setting_that_names_a_secret_is_in_the_read_me_and_may_be_read() -> None:
    keys = set(re.findall(r"`(\w+_secret)`", (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")))
    assert keys >= {"external_id_secret", "url_secret", "routing_key_secret", "signing_key_secret"}
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    assert [key for key in keys if f"`{key}`" not in page] == []
    (statement,) = [item for item in policy("iota-role.json") if item["Action"] == "secretsmanager:GetSecretValue"]
    assert len(statement["Resource"]) == 2


@pytest.mark.parametrize("name", ["queue-policy.json", "topic-policy.json", "log-account-trust.json"])
def test_whoever_is_let_in_is_let_in_under_a_condition(name: str) -> None:
    assert all(statement["Condition"] for statement in policy(name))
    assert all(statement["Principal"] != "*" for statement in policy(name))


def test_the_read_me_explains_every_file_and_every_placeholder() -> None:
    page = (DEPLOY / "README.md").read_text(encoding="utf-8")
    used = {name for path in DEPLOY.glob("*.json") for name in re.findall(PLACEHOLDER, path.read_text())}
    assert used == set(re.findall(PLACEHOLDER, page))
    assert set(re.findall(r"\]\((\S+)\)", page)) == {*POLICIES, "dagster.yaml"}


def settings(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))
    return found


def test_dagster_is_as_quick_on_aws_as_on_one_host() -> None:
    here, there = settings("dagster_home/dagster.yaml"), settings("deploy/aws/dagster.yaml")
    assert set(there) - set(here) == {"storage", "compute_logs"}
    assert {name: there.get(name) for name in here} == here


def test_dagster_takes_the_settings_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", "postgresql+psycopg2://iota:secret@localhost/dagster")
    monkeypatch.setenv("RUN_LOGS_BUCKET", "example-run-logs")
    (tmp_path / "dagster.yaml").write_text((DEPLOY / "dagster.yaml").read_text())
    config, _ = dagster_instance_config(str(tmp_path))
    assert config["storage"]["postgres"]["postgres_url"] == {"env": "DAGSTER_POSTGRES_URL"}


@dg.op
def speak() -> None:
    """Write to standard output, as any step may."""
    print("the road is finished")


@dg.job(executor_def=dg.in_process_executor)
def speaking() -> None:
    """One step that prints."""
    speak()


def test_a_runs_history_is_in_postgresql_and_what_it_prints_in_the_bucket(
    aws: Aws, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = aws.bucket("run-logs")
    monkeypatch.setenv("RUN_LOGS_BUCKET", bucket)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws.endpoint)
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres_url.replace("postgresql://", "postgresql+psycopg2://"))
    config = settings("deploy/aws/dagster.yaml")
    config["compute_logs"]["config"]["local_dir"] = str(tmp_path / "logs")
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance, aws.recording() as asked:
        assert isinstance(instance.compute_log_manager, S3ComputeLogManager)
        result = speaking.execute_in_process(instance=instance)
        assert result.success
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT run_id, status FROM runs").fetchall() == [(result.run_id, "SUCCESS")]
    s3 = aws.clients.s3()
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    [printed] = [key for key in keys if key.endswith(".out")]
    assert printed.startswith(f"dagster/storage/{result.run_id}/compute_logs/")
    assert s3.get_object(Bucket=bucket, Key=printed)["Body"].read() == b"the road is finished\n"
    policy = statements((DEPLOY / "iota-role.json").read_text().replace("<RUN_LOGS_BUCKET>", bucket))
    needed = [item for request in asked for item in permissions(request)]
    assert needed
    assert [item for item in needed if not item.given_by(policy)] == []
