"""Accounts: each integration's own credentials, renewed in time, and never ours in their place."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID

from iota_dagster.core.aws.accounts import OWN, Account, Accounts
from iota_dagster.core.aws.clients import ClientFactory, ClientOptions, Role
from iota_dagster.core.aws.requests import RequestCount
from iota_dagster.core.aws.s3_objects import S3Objects
from iota_dagster.core.errors import Outage, SettingsError
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.defs.resources.accounts import AccountsResource
from iota_dagster.platform import open_accounts
from iota_dagster.settings import Settings
from tests.aws import OWN_KEY, REGION, Asked, Aws, s3_error, sts_error

READER = Role("arn:aws:iam::111122223333:role/reader", "iota-tests", "a-secret-id")
OTHER = Role("arn:aws:iam::444455556666:role/reader", "iota-tests")


def assumed(asked: list[Asked]) -> int:
    return sum(request.action == "AssumeRole" for request in asked)


def test_a_role_acts_under_its_own_session_name(aws: Aws) -> None:
    accounts = Accounts({"trail": Account(READER), "other": Account(OTHER), "ours": Account()}, aws.clients)
    arns = {name: accounts.for_integration(name).sts().get_caller_identity()["Arn"] for name in ("trail", "other")}
    assert arns == {
        "trail": "arn:aws:sts::111122223333:assumed-role/reader/iota-tests",
        "other": "arn:aws:sts::444455556666:assumed-role/reader/iota-tests",
    }
    assert accounts.for_integration("ours").sts().get_caller_identity()["Account"] == DEFAULT_ACCOUNT_ID


def test_integrations_share_a_roles_credentials_and_a_regions_clients(aws: Aws) -> None:
    west = Account(READER, "us-west-2")
    accounts = Accounts({"one": Account(READER), "two": Account(READER), "west": west}, aws.clients)
    with aws.recording() as asked:
        for name in ("one", "two", "west"):
            accounts(name).list_buckets()
    assert assumed(asked) == 1
    assert accounts("one") is accounts("two")
    assert accounts("west").meta.region_name == "us-west-2"


def test_threads_that_come_first_together_assume_a_role_once(aws: Aws) -> None:
    accounts = Accounts({"trail": Account(READER)}, aws.clients)
    with aws.recording() as asked, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: accounts("trail").list_buckets(), range(8)))
    assert assumed(asked) == 1
    assert len(asked) == 9


def test_an_external_id_is_asked_for_when_the_role_is_assumed(aws: Aws) -> None:
    asked: list[str] = []

    def secret() -> str:
        asked.append("secret")
        return "a-secret-id"

    accounts = Accounts({"trail": Account(Role(READER.arn, "iota-tests", secret))}, aws.clients)
    client = accounts("trail")
    assert asked == []
    client.list_buckets()
    client.list_buckets()
    assert asked == ["secret"]


def test_a_secret_that_cannot_be_had_is_an_outage_of_the_integration(aws: Aws, tmp_path: Path) -> None:
    def secret() -> str:
        raise Outage("the secret x cannot be read")

    accounts = Accounts({"trail": Account(Role(READER.arn, "iota-tests", secret))}, aws.clients)
    with aws.recording() as asked, pytest.raises(Outage, match="secret x"):
        S3Objects(accounts("trail"), 1000).fetch(registered("bucket", "x"), tmp_path / "spool")
    assert asked == []


def registered(bucket: str, etag: str) -> LogObject:
    return LogObject(1, bucket, "key", etag, 1, "trail", None, None, 1, ObjectStatus.PENDING, "log")


def test_no_call_goes_out_with_our_own_credentials_but_to_assume_the_role(aws: Aws, tmp_path: Path) -> None:
    bucket = aws.bucket()
    etag = aws.clients.s3().put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"].strip('"')
    accounts = Accounts({"trail": Account(READER, REGION)}, aws.clients)
    reader = S3Objects(accounts("trail"), 1000, large=0)
    with aws.recording() as asked:
        reader.head(bucket, "key")
        reader.fetch(registered(bucket, etag), tmp_path / "spool")
        list(reader.list(bucket, ""))
        with accounts.filesystem("trail").open_input_stream(f"{bucket}/key") as stream:  # pyarrow's own client
            assert stream.read() == b"x"
    ours = [(request.service, request.action) for request in asked if request.access_key == OWN_KEY]
    assert ours == [("sts", "AssumeRole")]
    theirs = [request for request in asked if request.access_key != OWN_KEY]
    assert len(theirs) >= 5
    assert {request.service for request in theirs} == {"s3"}
    assert len({request.access_key for request in theirs}) == 1


def test_where_the_role_is_refused_nothing_else_is_asked_for(aws: Aws, tmp_path: Path) -> None:
    bucket = aws.bucket()
    accounts = Accounts({"trail": Account(READER)}, aws.clients)
    reader = S3Objects(accounts("trail"), 1000)
    refused = sts_error(403, "AccessDenied")
    with aws.recording() as asked, aws.disturbed_by(lambda _: refused):
        with pytest.raises(Outage, match="key: its role cannot be assumed"):
            reader.fetch(registered(bucket, "x"), tmp_path / "spool")
        with pytest.raises(ClientError, match="AssumeRole"):
            accounts.filesystem("trail")
    assert {(request.access_key, request.action) for request in asked} == {(OWN_KEY, "AssumeRole")}
    assert list(reader.list(bucket, "")) == []  # the role is back


def test_without_credentials_of_our_own_the_role_is_an_outage(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    accounts = Accounts({"trail": Account(READER)}, ClientFactory(ClientOptions(endpoint_url=aws.endpoint)))
    with pytest.raises(Outage, match="credentials"):
        S3Objects(accounts("trail"), 1000).fetch(registered("bucket", "x"), tmp_path / "spool")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock by which botocore judges whether credentials have expired."""
    shift = datetime.timedelta()

    class Clock(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return datetime.datetime.now(tz) + shift

    def move(minutes: float) -> None:
        nonlocal shift
        shift = datetime.timedelta(minutes=minutes)

    monkeypatch.setattr("botocore.credentials.datetime", SimpleNamespace(datetime=Clock, timedelta=datetime.timedelta))
    return move


def test_credentials_that_expire_during_a_run_are_renewed(
    aws: Aws, later: Callable[[float], None], tmp_path: Path
) -> None:
    bucket = aws.bucket()
    etag = aws.clients.s3().put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"].strip('"')
    accounts = Accounts({"trail": Account(READER, REGION)}, aws.clients)
    reader, keys = S3Objects(accounts("trail"), 1000), []
    with aws.recording() as asked:
        for minutes in (0, 40, 50, 0):  # moto's sessions live for an hour; botocore renews them early
            later(minutes)
            reader.fetch(registered(bucket, etag), tmp_path / "spool")
            keys.append(asked[-1].access_key)
        accounts.filesystem("trail").get_file_info(f"{bucket}/key")
        keys.append(asked[-1].access_key)
    assert keys[0] == keys[1]
    assert keys[1] != keys[2]
    assert keys[2] == keys[3] == keys[4]
    assert assumed(asked) == 2


def test_expired_credentials_that_cannot_be_renewed_are_used_no_more(
    aws: Aws, later: Callable[[float], None], tmp_path: Path
) -> None:
    accounts = Accounts({"trail": Account(READER)}, aws.clients)
    reader = S3Objects(accounts("trail"), 1000)
    assert list(reader.list(aws.bucket(), "")) == []
    later(55)
    with (
        aws.recording() as asked,
        aws.disturbed_by(lambda request: sts_error(403, "AccessDenied") if request.service == "sts" else None),
        pytest.raises(Outage, match="its role cannot be assumed"),
    ):
        reader.fetch(registered("bucket", "x"), tmp_path / "spool")
    assert [request.action for request in asked] == ["AssumeRole"]


def test_requests_are_counted_by_role(aws: Aws) -> None:
    accounts = Accounts({"trail": Account(READER), "ours": Account(), "idle": Account(OTHER)}, aws.clients)
    accounts("trail").list_buckets()
    accounts("ours").list_buckets()
    with aws.disturbed_by(lambda _: s3_error(403, "AccessDenied")), pytest.raises(ClientError):
        accounts("ours").list_buckets()
    assert {name: counts.total() for name, counts in accounts.requests().items()} == {
        READER.arn: RequestCount(requests=1),
        OWN: RequestCount(requests=2, errors=1),
        OTHER.arn: RequestCount(),
    }


def test_integrations_of_one_role_share_the_slowest_pace(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[float] = []
    waited: list[str] = []

    class Slow:
        def __init__(self, per_second: float) -> None:
            made.append(per_second)

        def watch(self, client: Any) -> None:
            client.meta.events.register("before-send", lambda **_: waited.append(client.meta.region_name))

    monkeypatch.setattr("iota_dagster.core.aws.accounts.Pace", Slow)
    accounts = Accounts(
        {
            "one": Account(READER, "us-east-1", 50),
            "two": Account(READER, "us-west-2", 20),
            "three": Account(OTHER, "us-east-1"),
        },
        aws.clients,
    )
    for name in ("one", "two", "three"):
        accounts(name).list_buckets()
    assert made == [20]
    assert waited == ["us-east-1", "us-west-2"]


def test_an_integration_without_a_bucket_is_told_by_its_name(aws: Aws) -> None:
    with pytest.raises(SettingsError, match="no integration 'nothing' has a bucket; those that have one: ours, trail"):
        Accounts({"trail": Account(READER), "ours": Account()}, aws.clients)("nothing")


def settings(aws: Aws, home: Path) -> Settings:
    role = {"role_arn": READER.arn, "session_name": "iota-tests"}
    integrations: Any = [
        {"name": "trail", "bucket": "example-trail", "region": "us-west-2", "external_id": "a-secret-id", **role},
        {"name": "secret", "bucket": "example-secret", "external_id_secret": "iota/external-id", **role},
        {"name": "again", "bucket": "example-again", "external_id_secret": "iota/external-id", **role},
        {"name": "ours", "bucket": "example-ours"},
        {"name": "local", "path": str(home)},
    ]
    return Settings(home=home, endpoint_url=aws.endpoint, region=REGION, integrations=integrations)


def test_the_settings_say_whose_credentials_are_used(aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iota_dagster.platform.resolve", lambda _, name: f"the value of {name}")
    accounts = open_accounts(settings(aws, tmp_path))
    arn = "arn:aws:sts::111122223333:assumed-role/reader/iota-tests"
    for name in ("trail", "secret"):
        assert accounts.for_integration(name).sts().get_caller_identity()["Arn"] == arn
    assert accounts("trail").meta.region_name == "us-west-2"
    assert accounts("secret") is accounts("again")
    assert accounts.for_integration("ours").sts().get_caller_identity()["Account"] == DEFAULT_ACCOUNT_ID
    with pytest.raises(SettingsError, match="local"):
        accounts("local")


class Parent(dg.ConfigurableResource):  # type: ignore[type-arg]
    accounts: AccountsResource


@dg.asset
def whoami(parent: Parent, accounts: AccountsResource) -> dg.MaterializeResult[None]:
    opened = [each.accounts.for_integration("trail") for each in (parent.accounts, accounts)]
    found = [clients.sts().get_caller_identity()["Arn"] for clients in opened]
    return dg.MaterializeResult(metadata={"found": found})


def test_a_run_has_the_accounts_as_a_resource_alone_or_inside_another(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("iota_dagster.defs.resources.accounts.load_settings", lambda: settings(aws, tmp_path))
    resources = {"parent": Parent(accounts=AccountsResource()), "accounts": AccountsResource(requests_per_second=500)}
    result = dg.materialize([whoami], resources=resources)
    (event,) = result.get_asset_materialization_events()
    found = event.materialization.metadata["found"].value
    assert found == ["arn:aws:sts::111122223333:assumed-role/reader/iota-tests"] * 2


def test_outside_a_run_the_resource_has_no_accounts() -> None:
    with pytest.raises(RuntimeError, match="by a run"):
        _ = AccountsResource().accounts
