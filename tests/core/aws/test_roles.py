"""The platform's roles: each integration is read through its own (moto's server on loopback, unmodified boto3)."""

from __future__ import annotations

from pathlib import Path

import pytest

from iota_dagster.core.aws.clients import ClientFactory, ClientOptions, Role
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import parse_hour_key
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.platform import open_platform
from iota_dagster.settings import Settings
from tests.aws import Aws

ROLE = Role("arn:aws:iam::111122223333:role/log-reader", "iota-tests", "a-secret-id")


@pytest.fixture
def endpoint(aws: Aws) -> str:
    return aws.endpoint


def test_the_external_id_is_not_shown() -> None:
    assert "a-secret-id" not in repr(ROLE)


def integration(endpoint: str, home: Path, role: str | None) -> Settings:
    place = {"name": "trail", "bucket": "example-trail", "region": "us-east-1", "role_arn": role}
    return Settings(home=home, endpoint_url=endpoint, integrations=[place])


def registered(etag: str) -> LogObject:
    hour = parse_hour_key("2026-11-22-10:00")
    return LogObject(1, "example-trail", "a.json.gz", etag, 1, "trail", None, None, hour, ObjectStatus.PENDING, "log")


def test_an_integration_with_a_role_is_read_through_it(endpoint: str, tmp_path: Path) -> None:
    own = ClientFactory(ClientOptions(endpoint_url=endpoint, region="us-east-1"))
    own.s3().create_bucket(Bucket="example-trail")
    etag = own.s3().put_object(Bucket="example-trail", Key="a.json.gz", Body=b"x")["ETag"].strip('"')
    objects = open_platform(integration(endpoint, tmp_path, ROLE.arn)).objects
    objects.fetch(registered(etag), tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"x"


def test_where_sts_does_not_answer_our_own_credentials_do_not_step_in(tmp_path: Path) -> None:
    platform = open_platform(integration("http://127.0.0.1:9", tmp_path, ROLE.arn))
    with pytest.raises(Outage, match="example-trail"):
        platform.objects.head("example-trail", "a.json.gz")
