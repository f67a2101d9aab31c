"""A new rule to start from: a small one that works, whose comments say what each part is for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from iota_dagster.core.errors import RuleError

_ID = re.compile(r"[A-Z][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]*)+")
_LOG_TYPE = re.compile(r"[A-Za-z0-9]+(?:\.[A-Za-z0-9]+)+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z][a-z]*|[0-9]+|[a-z]+")


@dataclass(frozen=True, slots=True)
class Sample:
    """The top-level field that says what happened in a log type, and two values: one to find, one to leave alone."""

    field: str
    bad: str
    good: str
    reference: str
    actor: tuple[str, ...]
    where: tuple[str, ...]


_SAMPLES = {
    "AWS.CloudTrail": Sample(
        "eventName",
        "DeleteVault",
        "DescribeVault",
        "https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html",
        ("userIdentity", "arn"),
        ("recipientAccountId",),
    ),
    "GitHub.Audit": Sample(
        "action",
        "repo.destroy",
        "repo.create",
        "https://docs.github.com/en/organizations/keeping-your-organization-secure",
        ("actor",),
        ("org",),
    ),
    "Okta.SystemLog": Sample(
        "eventType",
        "zone.delete",
        "zone.create",
        "https://developer.okta.com/docs/reference/api/event-types/",
        ("actor", "alternateId"),
        ("client", "ipAddress"),
    ),
    "Slack.AuditLogs": Sample(
        "action",
        "workspace_deleted",
        "workspace_created",
        "https://api.slack.com/admins/audit-logs-call",
        ("actor", "user", "email"),
        ("context", "ip_address"),
    ),
}
_OTHER = Sample("action", "delete", "read", "https://attack.mitre.org/techniques/T1485/", ("actor",), ("account",))


def new_rule(rule_id: str, log_type: str = "AWS.CloudTrail", folder: Path | None = None) -> tuple[Path, Path]:
    """Write a rule's Python and YAML file and return their paths; `RuleError` when a name is bad or a file exists.

    Without a folder they go where rules of that log type belong below `./rules`.
    """
    if not _ID.fullmatch(rule_id):
        raise RuleError(f"rule id {rule_id!r}: write it as Vendor.Service.WhatHappened, as in AWS.S3.BucketEmptied")
    if not _LOG_TYPE.fullmatch(log_type):
        raise RuleError(f"log type {log_type!r}: write it as Vendor.Kind, for example AWS.CloudTrail")
    folder = folder or Path("rules", folder_of(log_type))
    stem = _snake(rule_id.rpartition(".")[2])
    code, document = folder / f"{stem}.py", folder / f"{stem}.yml"
    for file in (code, document):
        if file.exists():
            raise RuleError(f"{file} exists and stays as it is: choose another id or --folder")
    folder.mkdir(parents=True, exist_ok=True)
    sample = _SAMPLES.get(log_type, _OTHER)
    for file, text in ((code, _code(sample)), (document, _document(rule_id, log_type, code.name, sample))):
        with file.open("x", encoding="utf-8") as stream:
            stream.write(text)
    return code, document


def folder_of(log_type: str) -> str:
    """The folder of a log type's rules: one per kind of log of AWS, one per vendor of the others."""
    vendor, *rest = log_type.lower().split(".")
    return "_".join([vendor, *rest]) if vendor == "aws" else vendor


def _snake(name: str) -> str:
    """`SignInWithoutMFA` -> `sign_in_without_mfa`; with a letter in front, so that it can be a module's name."""
    words = "_".join(word.lower() for word in _WORD.findall(name))
    return words if words[:1].isalpha() else f"rule_{words}"


def _walk(keys: tuple[str, ...]) -> str:
    """The expression that reads a value which may lie deeper."""
    path = ", ".join(f'"{key}"' for key in keys)
    return f'event.deep_get({path}, default="unknown")'


def _log(indent: int, sample: Sample) -> str:
    """The sample's actor and place as YAML, nested as the keys say."""
    lines = []
    for keys, value in ((sample.actor, "alice"), (sample.where, "example")):
        *above, last = keys
        text = f"{last}: {value}"
        for key in reversed(above):
            text = f"{key}: {{ {text} }}"
        lines.append(" " * indent + text)
    return "\n".join(lines)


def _code(sample: Sample) -> str:
    return f'''\
# What to look for. One test per member keeps the list honest: see `iota rules mutate`.
NAMES = ("{sample.bad}",)


def rule(event):
    """Return exactly True (a match) or False, for any event of the log type, however odd it is."""
    # The cheapest test of a top-level field comes first: iota reads it off and spares the rule all other events.
    return event.get("{sample.field}") in NAMES


def title(event):
    """Say who did what where. Matches of one title within DedupPeriodMinutes become one alert."""
    return f"{{actor(event)}} did {{event.get('{sample.field}')}} in {{place(event)}}"


def dedup(event):
    """Group what belongs together. Without this function the title groups."""
    return f"{{place(event)}}/{{actor(event)}}"


def alert_context(event):
    """Give an analyst what the next step needs, as plain values."""
    return {{"actor": actor(event), "what": event.get("{sample.field}"), "where": place(event)}}


def actor(event):
    # A null counts as absent, so the default holds for both.
    return {_walk(sample.actor)}


def place(event):
    return {_walk(sample.where)}
'''


def _document(rule_id: str, log_type: str, code: str, sample: Sample) -> str:
    return f"""\
AnalysisType: rule
Filename: {code}
RuleID: {rule_id}
# The short form for people, used where the code gives no title.
DisplayName: Something was deleted
Enabled: true
LogTypes: [{log_type}]
# Info, Low, Medium, High or Critical: how soon somebody must look. `severity(event)` may decide it case by case.
Severity: Medium
Description: >-
  Somebody deleted something. Say here what the rule finds and why that is bad.
Reference: {sample.reference}
Runbook: |
  1. Ask `actor` in the alert's context whether the change was planned.
  2. Look at everything that `actor` did in the hour before.
  3. Undo the change and take the actor's credentials away if nobody knows of it.
# Tactic and technique of MITRE ATT&CK: https://attack.mitre.org
Reports:
  MITRE ATT&CK:
    - TA0040:T1485
# Matches of one dedup string within so many minutes are one alert, raised when there are Threshold of them.
DedupPeriodMinutes: 60
Threshold: 1
Tests:
  - Name: What it must find
    ExpectedResult: true
    # Optional: what the functions must make of it. There are ExpectedSeverity, ExpectedDedup and ExpectedContext too.
    ExpectedTitle: alice did {sample.bad} in example
    Log: &found
      {sample.field}: {sample.bad}
{_log(6, sample)}
  - Name: What it must leave alone
    ExpectedResult: false
    Log:
      # The event above with another value: `<<` takes over the keys that are not given here.
      <<: *found
      {sample.field}: {sample.good}
"""
