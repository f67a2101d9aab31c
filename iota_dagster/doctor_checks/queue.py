"""The queue: reachable, who may send to it, by which key, and what becomes of messages that nobody deletes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from iota_dagster.doctor_checks.aws_errors import what_to_do
from iota_dagster.doctor_checks.finding import Check, Finding, failed, ok, skipped, warning
from iota_dagster.doctor_checks.site import Site

_SENDERS = {"events.amazonaws.com": "EventBridge", "s3.amazonaws.com": "S3", "sns.amazonaws.com": "SNS"}
_SENDS = {"*", "sqs:*", "sqs:send*", "sqs:sendmessage"}
_AWS_KEY = "alias/aws/sqs"
_VISIBILITY = (60, 900)
_DELIVERIES = 3


def checks(site: Site) -> list[Check]:
    """The queue, with several findings."""
    return [Check("queue", partial(_queue, site), what_to_do)]


def _queue(site: Site) -> Iterator[Finding]:
    url = site.settings.queue_url
    if url is None:
        yield skipped("no queue_url: `iota scan` finds new objects")
        return
    found = site.own.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    waiting, taken = found["ApproximateNumberOfMessages"], found["ApproximateNumberOfMessagesNotVisible"]
    yield ok(f"{url}: about {waiting} messages wait, {taken} are being handled")
    yield _senders(json.loads(found.get("Policy") or "{}"))
    if key := found.get("KmsMasterKeyId"):
        yield _encrypted(key)
    yield _hidden(int(found["VisibilityTimeout"]))
    yield from _redrive(site, json.loads(found.get("RedrivePolicy") or "{}"))


def _senders(policy: Mapping[str, Any]) -> Finding:
    """Who may send, by the statements that allow it; what a statement denies is not looked at."""
    allowed = [item for item in _listed(policy.get("Statement")) if item.get("Effect") == "Allow" and _sends(item)]
    services = sorted({_SENDERS[name] for item in allowed for name in _principals(item) if name in _SENDERS})
    anybody = any("*" in _principals(item) for item in allowed)
    if not services and not anybody:
        return failed(
            "its policy lets neither S3, SNS nor EventBridge send to it",
            "set deploy/aws/queue-policy.json as its policy: no notification arrives",
        )
    open_ones = [item for item in allowed if not item.get("Condition")]
    shown = "anybody" if anybody else ", ".join(services)
    if any("*" in _principals(item) for item in open_ones):
        return warning("anybody may send to it", "set deploy/aws/queue-policy.json: it lets only your topic send")
    if any(name in _SENDERS for item in open_ones for name in _principals(item)):
        return warning(f"{shown} may send to it, for any AWS customer", "give its policy a condition on aws:SourceArn")
    return ok(f"{shown} may send to it, under a condition")


def _sends(statement: Mapping[str, Any]) -> bool:
    return any(str(action).lower() in _SENDS for action in _listed(statement.get("Action")))


def _principals(statement: Mapping[str, Any]) -> set[str]:
    principal = statement.get("Principal")
    if not isinstance(principal, Mapping):
        return {str(principal)}
    return {str(name) for names in principal.values() for name in _listed(names)}


def _listed(value: Any) -> list[Any]:
    """IAM writes a list of one as the one itself."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _encrypted(key: str) -> Finding:
    """A key of KMS must let in whoever sends; its policy cannot be read with the permissions that iota needs."""
    if key.endswith(_AWS_KEY):
        return failed(
            f"it is encrypted with {_AWS_KEY}, which S3, SNS and EventBridge cannot use: no notification arrives",
            "encrypt it with SSE-SQS, or with a key of your own whose policy lets them in",
        )
    return warning(
        f"it is encrypted with the key {key}",
        "see that the key's policy allows kms:GenerateDataKey* and kms:Decrypt to whoever sends (sns.amazonaws.com, "
        "events.amazonaws.com, s3.amazonaws.com), or nothing arrives, and that our own role may kms:Decrypt with it",
    )


def _hidden(seconds: int) -> Finding:
    least, most = _VISIBILITY
    if seconds < least:
        return warning(
            f"its visibility timeout is {seconds} s",
            f"set it to {least} to {most} s: a message comes again while it is still being handled",
        )
    if seconds > most:
        return warning(
            f"its visibility timeout is {seconds} s",
            f"set it to {least} to {most} s: after a crash its messages wait for so long",
        )
    return ok(f"its visibility timeout is {seconds} s")


def _redrive(site: Site, policy: Mapping[str, Any]) -> Iterator[Finding]:
    if not policy:
        yield warning(
            "it has no redrive policy",
            "give it a dead-letter queue: a message that cannot be stored comes again until it expires, unseen",
        )
        return
    if (deliveries := int(policy["maxReceiveCount"])) < _DELIVERIES:
        yield warning(
            f"after {deliveries} deliveries a message goes to the dead-letter queue",
            f"set maxReceiveCount to {_DELIVERIES} or more: a short outage would put good messages there",
        )
    yield _dead_letters(site, policy["deadLetterTargetArn"])


def _dead_letters(site: Site, arn: str) -> Finding:
    *_, account, name = arn.split(":")
    try:
        url = site.own.sqs().get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        answer = site.own.sqs().get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    except ClientError as error:
        return warning(f"its dead-letter queue {name} cannot be looked at: {error}", what_to_do(error))
    count = int(answer["Attributes"]["ApproximateNumberOfMessages"])
    if count:
        return warning(
            f"its dead-letter queue {name} holds about {count} messages",
            "look at them (`iota message`), then send them back by a redrive in the SQS console",
        )
    return ok(f"its dead-letter queue {name} is empty")
