"""What happens in the accounts all day: a few dozen kinds of calls by people, programs and AWS services."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from iota_dagster.demo import records
from iota_dagster.demo.records import BOTO3, BROWSER, CLI, JAVA, TERRAFORM, Principal, Record

_OFFICE = ("192.0.2.10", "192.0.2.11", "192.0.2.57", "2001:db8:0:1::a")
_NAT = ("198.51.100.7", "198.51.100.8")
_BUILD = ("198.51.100.40",)
_REGIONS = (records.HOME_REGION,) * 8 + records.OTHER_REGIONS
_DENIED = (
    "User: {arn} is not authorized to perform: {action} because no identity-based policy allows the {action} action"
)


@dataclass(frozen=True)
class Kind:
    """A kind of call: how frequent, by whom, and what it asks and gets, given an account and a source of chance."""

    weight: int
    who: str
    call: str
    request: Callable[[str, random.Random], Any] | None = None
    response: Any = None
    writes: bool = False
    data: bool = False


def _bucket(account: str) -> str:
    return f"example-{account[:4]}-assets"


def _object(account: str, rng: random.Random) -> Record:
    bucket = _bucket(account)
    key = f"orders/2026/{rng.randrange(1, 13):02}/{rng.getrandbits(48):012x}.json"
    return {"bucketName": bucket, "Host": f"{bucket}.s3.us-east-1.amazonaws.com", "key": key}


def _instances(_: str, rng: random.Random) -> Record:
    return {"instancesSet": {"items": [{"instanceId": f"i-{rng.getrandbits(68):017x}"}]}, "filterSet": {}}


def _filters(_: str, rng: random.Random) -> Record:
    tags = rng.sample(["web", "orders", "billing", "search"], 2)
    return {"filterSet": {"items": [{"name": "tag:app", "valueSet": {"items": [{"value": tag} for tag in tags]}}]}}


def _assume(account: str, rng: random.Random) -> Record:
    name = rng.choice(["orders-worker", "deploy", "web-server"])
    session = f"{name}-{rng.getrandbits(32):08x}"
    return {"roleArn": f"arn:aws:iam::{account}:role/{name}", "roleSessionName": session, "durationSeconds": 3600}


def _key(account: str, rng: random.Random) -> Record:
    table = rng.choice(["orders", "customers", "carts"])
    return {
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": {"aws:dynamodb:tableName": table, "aws:dynamodb:subscriberId": account},
    }


def _run(_: str, rng: random.Random) -> Record:
    group = {"groupId": f"sg-{rng.getrandbits(68):017x}"}
    return {
        "instancesSet": {"items": [{"imageId": "ami-0abcdef1234567890", "minCount": 1, "maxCount": 1}]},
        "instanceType": rng.choice(["t3.medium", "m7g.large"]),
        "networkInterfaceSet": {"items": [{"deviceIndex": 0, "groupSet": {"items": [group]}}]},
        "monitoring": {"enabled": True},
    }


def _named(name: str, *values: str) -> Callable[[str, random.Random], Record]:
    return lambda _, rng: {name: rng.choice(values)}


def _evaluations(_: str, rng: random.Random) -> Record:
    return {"evaluations": [{"complianceType": "COMPLIANT", "complianceResourceId": f"i-{rng.getrandbits(68):017x}"}]}


_CREDENTIALS = {"credentials": {"accessKeyId": "ASIAIOSFODNN7EXAMPLE", "expiration": "Jan 1, 2030, 12:00:00 AM"}}
_STARTED = {"instancesSet": {"items": [{"instanceId": "i-1234567890abcdef0", "instanceState": {"name": "pending"}}]}}
_DONE = {"_return": True}

KINDS = (
    Kind(160, "worker", "s3:GetObject", _object, data=True),
    Kind(60, "worker", "s3:PutObject", _object, {"x-amz-server-side-encryption": "AES256"}, writes=True, data=True),
    Kind(25, "worker", "s3:HeadObject", _object, data=True),
    Kind(12, "worker", "s3:DeleteObject", _object, writes=True, data=True),
    Kind(70, "ec2.amazonaws.com", "sts:AssumeRole", _assume, _CREDENTIALS),
    Kind(40, "lambda.amazonaws.com", "sts:AssumeRole", _assume, _CREDENTIALS),
    Kind(30, "deployer", "sts:AssumeRole", _assume, _CREDENTIALS),
    Kind(15, "person", "sts:GetCallerIdentity"),
    Kind(70, "dynamodb.amazonaws.com", "kms:Decrypt", _key),
    Kind(40, "worker", "kms:GenerateDataKey", _key),
    Kind(18, "worker", "dynamodb:DescribeTable", _named("tableName", "orders", "customers", "carts")),
    Kind(30, "worker", "logs:CreateLogStream", _named("logGroupName", "/app/orders", "/app/web"), writes=True),
    Kind(25, "person", "logs:DescribeLogGroups"),
    Kind(55, "autoscaling.amazonaws.com", "ec2:DescribeInstances", _instances),
    Kind(45, "person", "ec2:DescribeInstances", _filters),
    Kind(20, "person", "ec2:DescribeSecurityGroups", _filters),
    Kind(15, "deployer", "ec2:DescribeSubnets", _filters),
    Kind(15, "person", "ec2:DescribeVolumes", _filters),
    Kind(12, "elasticloadbalancing.amazonaws.com", "ec2:DescribeNetworkInterfaces", _filters),
    Kind(5, "autoscaling.amazonaws.com", "ec2:RunInstances", _run, _STARTED, writes=True),
    Kind(5, "autoscaling.amazonaws.com", "ec2:TerminateInstances", _instances, _STARTED, writes=True),
    Kind(6, "deployer", "ec2:CreateTags", _filters, _DONE, writes=True),
    Kind(10, "deployer", "iam:GetRole", _named("roleName", "orders-worker", "deploy", "web-server")),
    Kind(10, "deployer", "iam:ListAttachedRolePolicies", _named("roleName", "orders-worker", "deploy")),
    Kind(5, "person", "iam:ListUsers"),
    Kind(5, "person", "iam:GetUser", _named("userName", "alice", "carol", "dan")),
    Kind(15, "person", "s3:ListBuckets", _named("Host", "s3.amazonaws.com")),
    Kind(15, "config.amazonaws.com", "s3:GetBucketAcl", lambda account, _: {"bucketName": _bucket(account)}),
    Kind(30, "worker", "ssm:UpdateInstanceInformation", _named("instanceId", "i-1234567890abcdef0"), writes=True),
    Kind(18, "worker", "ssm:GetParameter", _named("name", "/orders/feature-flags", "/web/locale")),
    Kind(6, "worker", "secretsmanager:GetSecretValue", _named("secretId", "orders/database")),
    Kind(8, "worker", "ecr:GetAuthorizationToken"),
    Kind(12, "worker", "ecr:BatchGetImage", _named("repositoryName", "orders", "web")),
    Kind(20, "deployer", "ecs:DescribeServices", _named("cluster", "orders", "web")),
    Kind(4, "deployer", "ecs:UpdateService", _named("service", "orders", "web"), _DONE, writes=True),
    Kind(10, "deployer", "cloudformation:DescribeStacks", _named("stackName", "orders", "network")),
    Kind(12, "person", "lambda:ListFunctions20150331"),
    Kind(8, "deployer", "lambda:GetFunction20150331v2", _named("functionName", "resize", "notify")),
    Kind(4, "deployer", "lambda:UpdateFunctionCode20150331v2", _named("functionName", "resize"), _DONE, writes=True),
    Kind(15, "person", "monitoring:DescribeAlarms", _named("stateValue", "ALARM", "OK")),
    Kind(10, "person", "rds:DescribeDBInstances"),
    Kind(12, "person", "elasticloadbalancing:DescribeTargetHealth", _named("targetGroupArn", "web", "orders")),
    Kind(12, "person", "autoscaling:DescribeAutoScalingGroups"),
    Kind(12, "config.amazonaws.com", "config:PutEvaluations", _evaluations, writes=True),
    Kind(8, "person", "health:DescribeEventAggregates", _named("aggregateField", "eventTypeCategory")),
    Kind(6, "person", "cloudtrail:LookupEvents", _named("maxResults", "50")),
    Kind(4, "person", "cloudtrail:DescribeTrails"),
    Kind(3, "person", "organizations:DescribeOrganization"),
    Kind(4, "person", "signin:ConsoleLogin"),
)


def noise(rng: random.Random, start: datetime, end: datetime, events: int) -> Iterator[Record]:
    """So many records of ordinary days between two moments, in no order."""
    people = {account: _people(account, start, rng) for account in records.ACCOUNTS}
    weights = [kind.weight for kind in KINDS]
    accounts = rng.choices(records.ACCOUNTS, (6, 3, 1), k=events)
    for account, kind in zip(accounts, rng.choices(KINDS, weights, k=events), strict=True):
        moment = start + (end - start) * rng.random()
        who = rng.choice(people[account][kind.who]) if kind.who in people[account] else records.service(kind.who)
        yield (
            sign_in(rng, moment, account, who)
            if kind.call == "signin:ConsoleLogin"
            else _call(rng, moment, account, who, kind)
        )


def sign_in(
    rng: random.Random, moment: datetime, account: str, who: Principal, *, mfa: bool = True, success: bool = True
) -> Record:
    """Somebody's sign-in to the console."""
    identity = {name: value for name, value in who.identity.items() if name != "accessKeyId"}
    url = "https://console.aws.amazon.com/console/home?hashArgs=%23&isauthcode=true&state=hashArgsFromTB_us-east-1_1234"
    made = records.record(
        rng,
        moment,
        account,
        records.HOME_REGION,
        Principal(identity, who.addresses, (BROWSER,)),
        "signin:ConsoleLogin",
        event_type="AwsConsoleSignIn",
        read_only=False,
        response={"ConsoleLogin": "Success"},
        more={"additionalEventData": {"LoginTo": url, "MobileVersion": "No", "MFAUsed": "Yes" if mfa else "No"}},
    )
    if not success:
        made |= {"errorMessage": "Failed authentication", "responseElements": {"ConsoleLogin": "Failure"}}
    return made


def _people(account: str, start: datetime, rng: random.Random) -> dict[str, list[Principal]]:
    since = records.earlier(start, rng)
    sessions = [f"i-{rng.getrandbits(68):017x}" for _ in range(4)]
    return {
        "person": [records.user(account, name, rng, _OFFICE, CLI, BROWSER) for name in ("alice", "carol", "dan")],
        "worker": [records.role(account, "orders-worker", name, since, rng, _NAT, BOTO3, JAVA) for name in sessions],
        "deployer": [records.role(account, "deploy", "pipeline", since, rng, _BUILD, TERRAFORM, CLI)],
    }


def _call(rng: random.Random, moment: datetime, account: str, who: Principal, kind: Kind) -> Record:
    request = kind.request(account, rng) if kind.request else None
    error = _error(rng, who, kind) if rng.random() < 0.02 else None
    more: Record = {}
    if kind.data:
        arn = f"arn:aws:s3:::{request['bucketName']}" if request else ""
        more["additionalEventData"] = {
            "SignatureVersion": "SigV4",
            "CipherSuite": "TLS_AES_128_GCM_SHA256",
            "bytesTransferredIn": 0,
            "AuthenticationMethod": "AuthHeader",
            "x-amz-id-2": f"{rng.getrandbits(384):096x}",
            "bytesTransferredOut": rng.randrange(100_000),
        }
        more["resources"] = [
            {"type": "AWS::S3::Object", "ARN": f"{arn}/{request['key'] if request else ''}"},
            {"accountId": account, "type": "AWS::S3::Bucket", "ARN": arn},
        ]
    at_home = account != records.PRODUCTION or kind.call.startswith(("iam:", "s3:", "organizations:"))
    region = records.HOME_REGION if at_home else rng.choice(_REGIONS)
    return records.record(
        rng,
        moment,
        account,
        region,
        who,
        kind.call,
        request,
        kind.response,
        read_only=not kind.writes,
        data_event=kind.data,
        error=error,
        more=more,
    )


def _error(rng: random.Random, who: Principal, kind: Kind) -> tuple[str, str]:
    if rng.random() < 0.5:
        return "ThrottlingException", "Rate exceeded"
    action = kind.call.replace(".amazonaws.com", "")
    return "AccessDenied", _DENIED.format(arn=who.identity.get("arn", "unknown"), action=action)
