"""An attack on an account, from a stolen password to a trail that is switched off.

minute   0  passwords are tried for bob from an address nobody knows; one fits, and there is no second factor
minute   5  who am I, what is here? some sixty calls, some of them denied
minute  25  a new access key and a console password for backup-operator, a user nobody looks at
minute  28  administrator rights for that user
minute  32  with its key, from another address: every secret of the account
minute  40  a bucket of customer data is copied out, object by object
minute  70  the trail is stopped and deleted
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from iota_dagster.demo import records
from iota_dagster.demo.noise import sign_in
from iota_dagster.demo.records import BROWSER, CLI, PRODUCTION, Principal, Record

MINUTES = 72
"""How long it takes at its own pace."""

SECRETS = 32
BUCKET, OBJECTS = "example-customer-exports", 120

_LOOKING_AROUND = (
    "sts:GetCallerIdentity",
    "iam:GetAccountAuthorizationDetails",
    "iam:GetAccountSummary",
    "iam:ListUsers",
    "iam:ListRoles",
    "iam:ListAccessKeys",
    "iam:ListAttachedUserPolicies",
    "iam:SimulatePrincipalPolicy",
    "s3:ListBuckets",
    "s3:GetBucketPolicy",
    "ec2:DescribeInstances",
    "ec2:DescribeSnapshots",
    "rds:DescribeDBInstances",
    "lambda:ListFunctions20150331",
    "secretsmanager:ListSecrets",
    "ssm:DescribeParameters",
    "kms:ListKeys",
    "organizations:ListAccounts",
    "guardduty:ListDetectors",
    "cloudtrail:DescribeTrails",
)
_DENIED = frozenset({"iam:SimulatePrincipalPolicy", "organizations:ListAccounts", "guardduty:ListDetectors"})


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays: the user whose password is stolen, the user who is taken over, from which addresses, and where."""

    account: str = PRODUCTION
    thief: str = "bob"
    victim: str = "backup-operator"
    first_address: str = "203.0.113.66"
    second_address: str = "203.0.113.201"


THE_CAST = Cast()
"""Who plays when nobody else is named."""


@dataclass(frozen=True)
class _Stage:
    """Where and when the story plays; `pace` below 1 fits it into a short window."""

    rng: random.Random
    start: datetime
    pace: float
    cast: Cast

    def call(
        self, minute: float, who: Principal, name: str, request: Any = None, response: Any = None, **of: Any
    ) -> Record:
        moment = self.start + timedelta(minutes=minute * self.pace)
        of.setdefault("read_only", response is None)
        account = self.cast.account
        return records.record(self.rng, moment, account, records.HOME_REGION, who, name, request, response, **of)


def story(rng: random.Random, start: datetime, pace: float = 1.0, cast: Cast = THE_CAST) -> Iterator[Record]:
    """The attack's records in the order of their times."""
    stage = _Stage(rng, start, pace, cast)
    thief = records.user(cast.account, cast.thief, rng, (cast.first_address,), BROWSER, CLI)
    victim = records.user(cast.account, cast.victim, rng, (cast.second_address,), "python-requests/2.32.5", CLI)
    yield from _break_in(stage, thief)
    yield from _look_around(stage, thief)
    yield from _take_over(stage, thief, victim)
    yield from _read_secrets(stage, victim)
    yield from _copy_out(stage, victim)
    yield from _cover_up(stage, victim)


def _break_in(stage: _Stage, thief: Principal) -> Iterator[Record]:
    for attempt in range(7):
        moment = stage.start + timedelta(minutes=attempt * 0.5 * stage.pace)
        yield sign_in(stage.rng, moment, stage.cast.account, thief, mfa=False, success=attempt == 6)


def _look_around(stage: _Stage, thief: Principal) -> Iterator[Record]:
    for number in range(60):
        call = _LOOKING_AROUND[number % len(_LOOKING_AROUND)]
        message = f"User: {thief.identity['arn']} is not authorized to perform: {call}"
        yield stage.call(5 + number * 0.3, thief, call, error=("AccessDenied", message) if call in _DENIED else None)


def _take_over(stage: _Stage, thief: Principal, victim: Principal) -> Iterator[Record]:
    name = {"userName": stage.cast.victim}
    created = {"accessKeyId": victim.identity["accessKeyId"], "status": "Active", **name}
    yield stage.call(25, thief, "iam:CreateAccessKey", name, {"accessKey": created})
    profile = {"loginProfile": {**name, "passwordResetRequired": False}}
    yield stage.call(26, thief, "iam:CreateLoginProfile", {**name, "passwordResetRequired": False}, profile)
    policy = {**name, "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}
    yield stage.call(28, thief, "iam:AttachUserPolicy", policy, read_only=False)


def _read_secrets(stage: _Stage, victim: Principal) -> Iterator[Record]:
    yield stage.call(32, victim, "sts:GetCallerIdentity")
    yield stage.call(32.5, victim, "secretsmanager:ListSecrets", {"maxResults": 100})
    for number in range(SECRETS):
        secret = {"secretId": f"production/{('database', 'payments', 'mail', 'partner')[number % 4]}-{number:02}"}
        yield stage.call(33 + number * 0.1, victim, "secretsmanager:GetSecretValue", secret)


def _copy_out(stage: _Stage, victim: Principal) -> Iterator[Record]:
    yield stage.call(40, victim, "s3:GetBucketLocation", {"bucketName": BUCKET})
    arn = f"arn:aws:s3:::{BUCKET}"
    for number in range(OBJECTS):
        key = f"exports/2026/customers-{number:04}.csv.gz"
        resources = [
            {"type": "AWS::S3::Object", "ARN": f"{arn}/{key}"},
            {"accountId": stage.cast.account, "type": "AWS::S3::Bucket", "ARN": arn},
        ]
        sent = {"bytesTransferredIn": 0, "bytesTransferredOut": stage.rng.randrange(20_000_000, 90_000_000)}
        yield stage.call(
            41 + number * 0.2,
            victim,
            "s3:GetObject",
            {"bucketName": BUCKET, "Host": f"{BUCKET}.s3.us-east-1.amazonaws.com", "key": key},
            data_event=True,
            more={"additionalEventData": sent, "resources": resources},
        )


def _cover_up(stage: _Stage, victim: Principal) -> Iterator[Record]:
    trail = {"name": f"arn:aws:cloudtrail:{records.HOME_REGION}:{stage.cast.account}:trail/account-events"}
    yield stage.call(70, victim, "cloudtrail:StopLogging", trail, read_only=False)
    yield stage.call(71, victim, "cloudtrail:DeleteTrail", trail, read_only=False)
