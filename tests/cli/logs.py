"""Small CloudTrail folders for the tests of the commands, in AWS's own key layout."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ACCOUNT, REGION = "111122223333", "eu-central-1"
START = datetime(2025, 3, 1, 10, tzinfo=UTC)
"""The hour that the files are named after; their events happen in it."""
RULE = Path(__file__).parents[2] / "rules/aws_cloudtrail/logging_impaired.yml"
"""The rule that finds `StopLogging`, for tests that need no other: to read all rules takes seconds."""

Record = dict[str, Any]


def record(number: int, name: str = "DescribeInstances", start: datetime = START, **more: Any) -> Record:
    """One event, `number` seconds into the hour; the number makes its id."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "userName": "ana",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/ana",
            "accountId": ACCOUNT,
        },
        "eventTime": (start + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": "cloudtrail.amazonaws.com" if name == "StopLogging" else "ec2.amazonaws.com",
        "eventName": name,
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "example",
        "requestParameters": {"name": "example-trail"},
        "responseElements": None,
        "eventID": f"00000000-0000-4000-8000-{number:012}",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    } | more


def packed(records: Sequence[Mapping[str, Any]]) -> bytes:
    """Records as AWS delivers them."""
    return gzip.compress(json.dumps({"Records": records}).encode(), mtime=0)


def write(folder: Path, number: int, content: bytes, start: datetime = START) -> Path:
    """Write a log object at its key; the number makes its name."""
    name = f"{ACCOUNT}_CloudTrail_{REGION}_{start:%Y%m%dT%H%MZ}_{number:016}.json.gz"
    path = folder / "AWSLogs" / ACCOUNT / "CloudTrail" / REGION / f"{start:%Y/%m/%d}" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
