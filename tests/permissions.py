"""What IAM is asked for a request, and whether policies give it: by the service authorization reference of AWS.

moto's own IAM knows the resources of few services, and no conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.aws import ACCOUNT, REGION, Asked

Statement = dict[str, Any]
PERMISSIONS = {
    "s3:CopyObject": ["s3:GetObject", "s3:PutObject"],
    "s3:HeadObject": ["s3:GetObject"],
    "s3:ListObjectsV2": ["s3:ListBucket"],
    "sqs:DeleteMessageBatch": ["sqs:DeleteMessage"],
    "sts:GetCallerIdentity": [],
}
"""Operations whose permission has another name, or none."""


@dataclass(frozen=True, slots=True)
class Permission:
    """An action, and the resource that it is asked for; queue, catalog and secrets are those of `ACCOUNT`."""

    action: str
    resource: str

    def given_by(self, statements: Sequence[Statement]) -> set[str]:
        """The names of the statements that give it."""
        return {
            statement["Sid"]
            for statement in statements
            if self.action in _listed(statement["Action"])
            and any(fnmatchcase(self.resource, pattern) for pattern in _listed(statement["Resource"]))
        }


def permissions(asked: Asked) -> list[Permission]:
    """What a request needs, all of it. `ValueError` for one that is not known here."""
    if asked.service == "s3":
        return [_of_s3(asked)]
    operation = f"{asked.service}:{asked.action}"
    needed = PERMISSIONS.get(operation, [operation])
    return [Permission(action, arn) for action in needed for arn in _resources(operation, asked.parameters)]


def _of_s3(asked: Asked) -> Permission:
    """Requests with the bucket in the path, as both boto3 and pyarrow write them for an endpoint of one's own."""
    bucket, _, key = asked.path[1:].partition("/")
    arn, asks = f"arn:aws:s3:::{bucket}", set(parse_qs(asked.query, keep_blank_values=True))
    if not key:
        if asked.method == "HEAD" or (asked.method == "GET" and "list-type" in asks):
            return Permission("s3:ListBucket", arn)
        raise ValueError(f"{asked.method} {asked.path}?{asked.query}: which permission is that?")
    actions = {"GET": "GetObject", "HEAD": "GetObject", "PUT": "PutObject", "POST": "PutObject"}
    deleting = "AbortMultipartUpload" if "uploadId" in asks else "DeleteObject"
    return Permission(f"s3:{actions.get(asked.method, deleting)}", f"{arn}/{key}")


def _resources(operation: str, parameters: dict[str, Any]) -> Iterator[str]:
    match operation.split(":"):
        case "sqs", "GetQueueUrl":
            yield f"arn:aws:sqs:{REGION}:{ACCOUNT}:{parameters['QueueName']}"
        case "sqs", _:
            _, account, name = urlsplit(parameters["QueueUrl"]).path.split("/")
            yield f"arn:aws:sqs:{REGION}:{account}:{name}"
        case "sns", "Publish":
            yield parameters["TopicArn"]
        case "sts", "AssumeRole":
            yield parameters["RoleArn"]
        case "secretsmanager", "GetSecretValue":
            yield f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:{parameters['SecretId']}-a1B2c3"
        case "glue", name:
            yield from _of_glue(name, parameters)
        case _:
            raise ValueError(f"{operation}: which resources does that need?")


def _of_glue(operation: str, parameters: dict[str, Any]) -> Iterator[str]:
    """A table's permission is asked of its database and of the catalog, too."""
    own = f"arn:aws:glue:{REGION}:{ACCOUNT}"
    about_a_database = operation.endswith("Database")
    database = (
        parameters.get("DatabaseInput", parameters).get("Name") if about_a_database else parameters["DatabaseName"]
    )
    yield from (f"{own}:catalog", f"{own}:database/{database}")
    if not about_a_database:
        names = (parameters.get("TableInput", {}).get("Name"), parameters.get("TableName"), parameters.get("Name"))
        yield f"{own}:table/{database}/{next(filter(None, names))}"


def _listed(item: str | list[str]) -> list[str]:
    return [item] if isinstance(item, str) else item


def statements(policy: str) -> list[Statement]:
    """The statements of a policy's text, all of which allow."""
    found: list[Statement] = json.loads(policy)["Statement"]
    assert all(statement["Effect"] == "Allow" for statement in found)
    return found
