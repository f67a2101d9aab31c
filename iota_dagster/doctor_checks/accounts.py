"""AWS: who we are, the clock, each integration's role and bucket, the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from iota_dagster.doctor_checks.aws_errors import what_to_do
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, skipped, warning
from iota_dagster.doctor_checks.site import Site
from iota_dagster.settings import Integration

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts.type_defs import GetCallerIdentityResponseTypeDef

_REFUSED, _DRIFTS = 240, 30
"""Seconds of skew: AWS refuses requests from 300; from 30 on, times in the lake and in alerts look wrong."""
_LOOKED_AT = 1000
_ARCHIVES = ("GLACIER", "DEEP_ARCHIVE")


def checks(site: Site) -> list[Check]:
    """Identity, clock, the integrations that read from S3, and the Glue database."""
    return [
        Check("identity", partial(_identity, site), what_to_do),
        Check("clock", partial(_clock, site), what_to_do),
        *[Check(f"integration {item.name}", partial(_integration, site, item), what_to_do) for item in site.buckets],
        Check("catalog", partial(_catalog, site), what_to_do),
    ]


def _identity(site: Site) -> Iterator[Finding]:
    if not site.uses_aws:
        yield skipped("nothing of the settings is in AWS")
        return
    yield ok(f"we are {site.own.sts().get_caller_identity()['Arn']}")


def _clock(site: Site) -> Iterator[Finding]:
    if not site.uses_aws:
        yield skipped("nothing of the settings is in AWS to compare it with")
        return
    try:
        answer: Any = site.own.sts().get_caller_identity()
    except ClientError as error:  # also a refusal has its time, and the clock may be its reason
        answer = error.response
    told = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
    skew = (datetime.now(UTC) - told).total_seconds()
    shown = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} AWS"
    if abs(skew) >= _REFUSED:
        yield failed(shown, "set this machine's clock (NTP): AWS refuses requests that are 5 minutes off")
    elif abs(skew) >= _DRIFTS:
        yield warning(shown, "set this machine's clock (NTP)")
    else:
        yield ok("within a few seconds of AWS's")


def _integration(site: Site, item: Integration) -> Iterator[Finding]:
    """Its role, and with it its bucket; after an error there the rest is not looked at."""
    clients = site.accounts.for_integration(item.name)
    if item.role_arn:
        yield _role(item, clients.sts().get_caller_identity())
    yield _bucket(item, clients.s3())


def _role(item: Integration, identity: GetCallerIdentityResponseTypeDef) -> Finding:
    account = identity["Account"]
    if item.account and account != item.account:
        return warning(
            f"{identity['Arn']} is of account {account}, the bucket's is {item.account}",
            "correct account or role_arn; a role of another account needs the bucket's policy to let it in",
        )
    return ok(f"we can be {identity['Arn']}")


def _bucket(item: Integration, s3: S3Client) -> Finding:
    """Whether its newest object can be listed and read: that of the first page, the whole bucket is never listed."""
    assert item.bucket
    place = f"s3://{item.bucket}/{item.prefix}"
    page = s3.list_objects_v2(Bucket=item.bucket, Prefix=item.prefix, MaxKeys=_LOOKED_AT)
    found = [entry for entry in page.get("Contents", []) if entry["Size"]]
    if not found:
        return warning(
            f"{place} can be listed and holds nothing", "correct bucket or prefix, or wait for the first logs"
        )
    key = max(found, key=lambda entry: (entry["LastModified"], entry["Key"]))["Key"]
    head: Any = s3.head_object(Bucket=item.bucket, Key=key)
    if head.get("StorageClass") in _ARCHIVES and "Restore" not in head:
        return warning(f"{place}: {key} is archived ({head['StorageClass']})", "restore what is to be read")
    s3.get_object(Bucket=item.bucket, Key=key, Range="bytes=0-15")["Body"].read()
    whose = "" if item.role_arn else " with our own credentials"
    return ok(f"{place} can be listed and read{whose} (encryption: {head.get('ServerSideEncryption', 'none')})")


def _catalog(site: Site) -> Iterator[Finding]:
    name = site.settings.glue_database
    if name is None:
        yield skipped("no glue_database: only `iota query` knows the lake")
        return
    if not site.settings.lake_url.startswith("s3://"):
        yield failed(
            f"Glue database {name}, but a lake in a folder", "set lake_url to s3://…, or glue_database to none"
        )
        return
    try:
        site.own.glue().get_database(Name=name)
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") != "EntityNotFoundException":
            raise
        yield warning(f"there is no Glue database {name} yet", "the first run makes it; it needs glue:CreateDatabase")
    else:
        yield ok(f"Glue database {name}")
