"""The log objects in `tests/fixtures/logs`: some of every log type, as they are delivered."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

from iota_dagster.core.sources.base import HeadedSource, Source
from iota_dagster.core.sources.built_in import BUILT_IN
from iota_dagster.core.sources.headers import headers_within
from tests.core.reading.reader import read

FOLDER = Path(__file__).parent / "fixtures" / "logs"
HEADERS = headers_within(BUILT_IN, [source.log_type for source in BUILT_IN])
RECORDS = {
    "AWS.ALB": 11,
    "AWS.AuroraMySQLAudit": 7,
    "AWS.BedrockModelInvocation": 3,
    "AWS.CloudTrail": 6,
    "AWS.GuardDuty": 3,
    "AWS.S3ServerAccess": 8,
    "AWS.SecurityFindingFormat": 3,
    "AWS.VPCDns": 3,
    "AWS.VPCFlow": 11,
    "AWS.WAFWebACL": 5,
    "Amazon.EKS.Audit": 4,
    "Azure.MonitorActivity": 6,
    "Cloudflare.Audit": 2,
    "Cloudflare.DNS": 3,
    "Cloudflare.Firewall": 3,
    "Cloudflare.HttpRequest": 3,
    "GCP.AuditLog": 5,
    "GCP.GKE": 5,
    "GCP.HTTPLoadBalancer": 2,
    "GCP.VPCFlow": 3,
    "GSuite.Reports": 3,
    "GitHub.Audit": 3,
    "GitHub.Webhook": 6,
    "Okta.SystemLog": 4,
    "OnePassword.AuditEvent": 2,
    "OnePassword.ItemUsage": 2,
    "OnePassword.SignInAttempt": 3,
    "Slack.AuditLogs": 3,
}
"""How many records the objects of each log type hold."""

Record = tuple[bytes, bytes | None]
"""A record, and the line above it that names its fields."""


@cache
def objects() -> dict[str, bytes]:
    """The content of every object by its key, which begins with its log type."""
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())
    return {path.relative_to(FOLDER).as_posix(): path.read_bytes() for path in files}


@cache
def records() -> dict[str, list[Record]]:
    """The records of every log type, in the order of their objects."""
    found: defaultdict[str, list[Record]] = defaultdict(list)
    for key, content in objects().items():
        whole = read(content, headers=HEADERS)
        assert whole.damages == [], key
        found[key.partition("/")[0]] += zip(whole.records, whole.headers, strict=True)
    return dict(found)


def below(source: Source, header: bytes | None) -> Source:
    """The source as it reads the lines below a header."""
    if header is not None and isinstance(source, HeadedSource) and source.is_header(header):
        return source.below(header)
    return source
