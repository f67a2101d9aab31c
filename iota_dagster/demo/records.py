"""CloudTrail records as AWS writes them, about principals and addresses that exist in documentation only."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Record = dict[str, Any]

PRODUCTION, DEVELOPMENT, SECURITY = "111122223333", "444455556666", "777788889999"
ACCOUNTS = (PRODUCTION, DEVELOPMENT, SECURITY)
HOME_REGION, OTHER_REGIONS = "us-east-1", ("eu-west-1", "us-west-2")
ORGANIZATION = "o-exampleorgid"

CLI = "aws-cli/2.31.13 md/awscrt#0.28.2 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython"
BOTO3 = "Boto3/1.40.55 md/Botocore#1.40.55 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.12.11 md/pyimpl#CPython"
JAVA = (
    "aws-sdk-java/2.34.10 md/io#sync md/http#Apache ua/2.1 os/Linux#6.1.153 lang/java#21.0.8 md/vendor#Amazon.com_Inc."
)
TERRAFORM = "APN/1.0 HashiCorp/1.0 Terraform/1.13.4 (+https://www.terraform.io) terraform-provider-aws/6.17.0"
BROWSER = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/141.0.0.0 Safari/537.36"
)


@dataclass(frozen=True)
class Principal:
    """Who calls: the `userIdentity`, and where from. A service has its own name for address and agent."""

    identity: Mapping[str, Any]
    addresses: tuple[str, ...]
    agents: tuple[str, ...]


def access_key(rng: random.Random, prefix: str = "AKIA") -> str:
    """An access key id in the form that AWS's own documentation uses for examples."""
    return prefix + "".join(rng.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=9)) + "EXAMPLE"


def user(account: str, name: str, rng: random.Random, addresses: tuple[str, ...], *agents: str) -> Principal:
    """An IAM user with one access key."""
    identity = {
        "type": "IAMUser",
        "principalId": access_key(rng, "AIDA") + "0",
        "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account,
        "accessKeyId": access_key(rng),
        "userName": name,
    }
    return Principal(identity, addresses, agents)


def role(
    account: str, name: str, session: str, since: datetime, rng: random.Random, addresses: tuple[str, ...], *agents: str
) -> Principal:
    """A session of a role."""
    role_id = access_key(rng, "AROA") + "0"
    issuer = {
        "type": "Role",
        "principalId": role_id,
        "arn": f"arn:aws:iam::{account}:role/{name}",
        "accountId": account,
        "userName": name.rpartition("/")[2],
    }
    identity = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{issuer['userName']}/{session}",
        "accountId": account,
        "accessKeyId": access_key(rng, "ASIA"),
        "sessionContext": {
            "sessionIssuer": issuer,
            "attributes": {"creationDate": stamp(since), "mfaAuthenticated": "false"},
        },
    }
    return Principal(identity, addresses, agents)


def service(name: str) -> Principal:
    """An AWS service that calls on its own behalf."""
    return Principal({"type": "AWSService", "invokedBy": name}, (name,), (name,))


def stamp(moment: datetime) -> str:
    """A time as CloudTrail writes it: whole seconds, UTC."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def record(
    rng: random.Random,
    moment: datetime,
    account: str,
    region: str,
    who: Principal,
    call: str,
    request: Any = None,
    response: Any = None,
    *,
    read_only: bool = True,
    data_event: bool = False,
    event_type: str = "AwsApiCall",
    error: tuple[str, str] | None = None,
    more: Mapping[str, Any] | None = None,
) -> Record:
    """One record. `call` is `service:EventName`; `more` are fields of their own, such as `resources`."""
    source, name = call.split(":")
    address = rng.choice(who.addresses)
    made: Record = {
        "eventVersion": "1.11",
        "userIdentity": dict(who.identity),
        "eventTime": stamp(moment),
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": address,
        "userAgent": rng.choice(who.agents),
    }
    if error:
        made |= {"errorCode": error[0], "errorMessage": error[1]}
    made |= {
        "requestParameters": request,
        "responseElements": None if error or read_only else response,
        **(more or {}),
        "requestID": new_id(rng),
        "eventID": new_id(rng),
        "readOnly": read_only,
        "eventType": event_type,
        "managementEvent": not data_event,
        "recipientAccountId": account,
        "eventCategory": "Data" if data_event else "Management",
    }
    if not address.endswith(".amazonaws.com") and event_type == "AwsApiCall":
        host = f"{source}.{region}.amazonaws.com"
        made["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    return made


def new_id(rng: random.Random) -> str:
    """A random UUID."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def earlier(moment: datetime, rng: random.Random, hours: float = 1) -> datetime:
    """A moment at most some hours before."""
    return moment - timedelta(hours=hours * rng.random())
