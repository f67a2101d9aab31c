"""`iota message`: what a queue message means."""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import click

from iota_dagster.core.arrival.notification import Message, MessageKind, read_message

_MEANINGS = {
    MessageKind.S3: "S3 tells of new objects",
    MessageKind.EVENTBRIDGE_OBJECT: "EventBridge tells of a new object",
    MessageKind.CLOUDTRAIL_NOTICE: "CloudTrail tells of delivered objects",
    MessageKind.EVENTBRIDGE_EVENT: "EventBridge brings the event itself: the sensor would spool it",
    MessageKind.S3_TEST: "noise: S3 tests a new notification configuration",
    MessageKind.S3_OTHER: "noise: S3 tells of something other than new objects",
    MessageKind.SNS_SUBSCRIPTION: "noise: SNS asks to confirm a subscription or tells that one has ended",
    MessageKind.CLOUDTRAIL_VALIDATION: "noise: CloudTrail tests its topic",
    MessageKind.UNREADABLE: "unreadable: the sensor would keep it in quarantine",
}


@click.command("message")
@click.argument("file", type=click.File("rb"))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def command(file: BinaryIO, as_json: bool) -> None:
    """Tell what the queue message in FILE (`-`: standard input) means, as the sensor would read it."""
    told = read_message(file.read())
    click.echo(json.dumps(_summary(told), ensure_ascii=False) if as_json else _text(told))


def _summary(told: Message) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "kind": told.kind.value,
        "objects": [{"bucket": found.bucket, "key": found.key} for found in told.objects],
        "events": len(told.events),
    }
    if told.problems:
        summary["problems"] = list(told.problems)
    return summary


def _text(told: Message) -> str:
    lines = [f"{told.kind}: {_MEANINGS[told.kind]}"]
    lines += [f"  object  s3://{found.bucket}/{found.key}" for found in told.objects]
    lines += [f"  event   {len(event.detail)} bytes" for event in told.events]
    lines += [f"  problem {problem}" for problem in told.problems]
    return "\n".join(lines)
