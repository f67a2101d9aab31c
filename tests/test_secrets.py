"""Secrets by name, read through dagster-aws from moto's Secrets Manager."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest

from iota_dagster import secrets
from iota_dagster.core.errors import Outage
from iota_dagster.secrets import resolve
from iota_dagster.settings import Settings
from tests.aws import REGION, Aws


@pytest.fixture
def manager(aws: Aws) -> Any:
    return boto3.client("secretsmanager", endpoint_url=aws.endpoint, region_name=REGION)


@pytest.fixture
def settings(aws: Aws, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, endpoint_url=aws.endpoint, region=REGION)


def test_a_secret_is_found_by_its_name_and_by_its_arn(aws: Aws, manager: Any, settings: Settings) -> None:
    name = aws.name("external-id")
    arn = manager.create_secret(Name=name, SecretString=" a-secret-id\n")["ARN"]
    assert resolve(settings, name) == "a-secret-id"
    assert resolve(settings, arn) == "a-secret-id"


def test_a_secret_is_read_once_per_process(aws: Aws, manager: Any, settings: Settings) -> None:
    name = aws.name("external-id")
    manager.create_secret(Name=name, SecretString="first")
    assert resolve(settings, name) == "first"
    manager.put_secret_value(SecretId=name, SecretString="second")
    assert resolve(settings, name) == "first"


def test_a_secret_that_appears_later_is_found_then(aws: Aws, manager: Any, settings: Settings) -> None:
    name = aws.name("external-id")
    with pytest.raises(Outage, match=f"{name} cannot be read: there is no such secret") as caught:
        resolve(settings, name)
    assert caught.value.retry_helps
    manager.create_secret(Name=name, SecretString="here-now")
    assert resolve(settings, name) == "here-now"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"SecretBinary": b"hidden-value"}, "binary"),
        ({"SecretString": '{"external_id": "hidden-value"}'}, "JSON object"),
        ({"SecretString": " \n"}, "empty"),
    ],
)
def test_a_secret_that_is_no_plain_text_is_named_but_not_shown(
    aws: Aws, manager: Any, settings: Settings, content: dict[str, Any], complaint: str
) -> None:
    name = aws.name("external-id")
    manager.create_secret(Name=name, **content)
    with pytest.raises(Outage, match=complaint) as caught:
        resolve(settings, name)
    assert name in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_service_that_does_not_answer_is_an_outage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_ATTEMPTS", 1)
    with pytest.raises(Outage, match="external-id cannot be read"):
        resolve(Settings(home=tmp_path, endpoint_url="http://127.0.0.1:1", region=REGION), "external-id")
