"""What is wrong or missing in rules beyond what their tests can tell.

An *error* is what keeps a rule from doing its work: it cannot be loaded, nothing proves that it finds anything, nothing
can reach it. A *warning* is what its reader will miss. No code of a rule is run for this.
"""

from __future__ import annotations

import ast
import difflib
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from iota_dagster.core import yaml12
from iota_dagster.core.detection.attack import REPORT, TACTICS, tactic_and_technique
from iota_dagster.core.detection.authoring.lint_queries import query_problems
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.loader import HELPERS, load_rules
from iota_dagster.core.detection.metadata import ID_KEYS
from iota_dagster.core.detection.routing.values import is_never
from iota_dagster.core.detection.rule import Rule

Level = Literal["error", "warning"]

LOG_TYPES = (
    "AWS.ALB",
    "AWS.AuroraMySQLAudit",
    "AWS.BedrockModelInvocation",
    "AWS.CloudTrail",
    "AWS.GuardDuty",
    "AWS.S3ServerAccess",
    "AWS.SecurityFindingFormat",
    "AWS.VPCDns",
    "AWS.VPCFlow",
    "AWS.WAFWebACL",
    "Amazon.EKS.Audit",
    "Azure.MonitorActivity",
    "Cloudflare.Audit",
    "Cloudflare.DNS",
    "Cloudflare.Firewall",
    "Cloudflare.HttpRequest",
    "GCP.AuditLog",
    "GCP.GKE",
    "GCP.HTTPLoadBalancer",
    "GCP.VPCFlow",
    "GSuite.Reports",
    "GitHub.Audit",
    "GitHub.Webhook",
    "Okta.SystemLog",
    "OnePassword.AuditEvent",
    "OnePassword.ItemUsage",
    "OnePassword.SignInAttempt",
    "Slack.AuditLogs",
)
"""The log types whose events iota can hand to a rule, beside a user's own.

A copy, kept equal by a test: the sources themselves would bring pyarrow.
"""

_ID_CHARACTERS = re.compile(r"[A-Za-z0-9._-]+")
_ID_SHAPE = re.compile(r"[A-Z][A-Za-z0-9]*(?:\.[A-Z][A-Za-z0-9]*)+")
_TEXTS = {
    "Description": "what it finds and why that is bad",
    "Runbook": "what to do when it fires",
    "Reference": "the vendor's page, or the technique's",
}


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing to mend in a file."""

    file: Path
    line: int
    level: Level
    text: str


@dataclass(frozen=True, slots=True)
class LintReport:
    """What was found in so many rules, by file and line."""

    rules: int
    findings: tuple[Finding, ...]

    def count(self, level: Level) -> int:
        """How many findings are of a level."""
        return sum(finding.level == level for finding in self.findings)


@dataclass(frozen=True, slots=True)
class _Part:
    """A finding in the making: `path` leads to its place in the YAML document."""

    level: Level
    path: tuple[str | int, ...]
    text: str


def lint(folders: Sequence[Path], own_log_types: Sequence[str] = ()) -> LintReport:
    """Look through all rules below some folders, or through single YAML files; `own_log_types` are known as well."""
    log_types = (*LOG_TYPES, *own_log_types)
    pack = load_rules(folders)
    findings = [Finding(error.file, error.line, "error", error.detail) for error in pack.errors]
    for rule in pack.rules:
        findings += _lint_rule(rule, log_types)
    known = {*(rule.id for rule in pack.rules), *(rule.id for rule in pack.correlations)}
    for correlation in pack.correlations:
        # Alone, without the rules it looks at, nothing can be said of them.
        findings += _lint_correlation(correlation, known if pack.rules else None)
    findings += [Finding(file, line, "warning", text) for file, line, text in query_problems(pack)]
    broken = {error.file.resolve() for error in pack.errors}
    # A broken YAML file has an error of its own: that its code runs for nobody is no second one.
    named = {_code_file(file).resolve() for file in broken if file.suffix != ".py" and file.is_file()}
    named |= {Path(rule.code) for rule in pack.rules if rule.code}
    for code in dict.fromkeys(file for folder in folders for file in _code_files(Path(folder))):
        if code.resolve() not in broken:
            findings += _lint_code(code, code.resolve() in named)
    return LintReport(len(pack.rules) + len(pack.correlations), tuple(sorted(set(findings))))


def can_match(rule: Rule) -> bool:
    """Whether some event can meet the conditions that routing reads off a rule's code."""
    return not is_never(rule.need)


def _lint_rule(rule: Rule, log_types: Sequence[str]) -> Iterator[Finding]:
    file = Path(rule.file)
    document = yaml12.load(file.read_bytes())
    parts = [part for check in (*_CHECKS, *(_CODE_CHECKS if rule.code else ())) for part in check(rule, document.value)]
    for part in (*parts, *_check_log_types(document.value, log_types)):
        yield Finding(file, document.line(*part.path), part.level, part.text)


def _lint_correlation(rule: CorrelationRule, known: Collection[str] | None) -> Iterator[Finding]:
    document = yaml12.load(Path(rule.file).read_bytes())
    parts = [part for check in _COMMON_CHECKS for part in check(rule, document.value)]
    parts += _check_members(rule, known) if known is not None else ()
    for part in parts:
        yield Finding(Path(rule.file), document.line(*part.path), part.level, part.text)


def _lint_code(code: Path, named: bool) -> Iterator[Finding]:
    tree = ast.parse(code.read_bytes(), str(code))
    if not named and HELPERS not in code.parts and _defines(code, "rule"):
        yield Finding(code, 1, "error", "no YAML file here names this rule's code: it never runs")
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            yield Finding(code, node.lineno, "warning", "print(…) was left in: put it into alert_context, or delete it")


def _check_id(rule: Rule | CorrelationRule, values: Mapping[str, Any]) -> Iterator[_Part]:
    key = ID_KEYS[str(values["AnalysisType"])]
    if not _ID_CHARACTERS.fullmatch(rule.id):
        yield _Part("error", (key,), f"{key} {rule.id!r}: only letters, digits, '.', '-' and '_' may be in it")
    elif not _ID_SHAPE.fullmatch(rule.id):
        yield _Part("warning", (key,), f"{key} {rule.id}: write it as Vendor.Service.WhatHappened")


def _check_log_types(values: Mapping[str, Any], known: Sequence[str]) -> Iterator[_Part]:
    for index, name in enumerate(values.get("LogTypes") or ()):
        if name in known:
            continue
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.8)
        level: Level = "error" if near else "warning"
        hint = f"did you mean {near[0]}?" if near else "iota has no such events, so this rule sees none of them"
        yield _Part(level, ("LogTypes", index), f"unknown log type {name}: {hint}")


def _check_tests(rule: Rule | CorrelationRule, values: Mapping[str, Any]) -> Iterator[_Part]:
    tests = [test for test in values.get("Tests") or () if isinstance(test, Mapping)]
    expected = {test.get("ExpectedResult") for test in tests}
    if not tests:
        yield _Part("error", (), "no tests: nothing shows that it finds anything")
    elif True not in expected:
        yield _Part("error", ("Tests",), "no test fires (ExpectedResult: true): nothing shows that it finds anything")
    elif False not in expected:
        yield _Part("warning", ("Tests",), "no test is silent (ExpectedResult: false): it may match everything")
    names = Counter(test.get("Name") for test in tests)
    for index, test in enumerate(tests):
        if names[test.get("Name")] > 1:
            yield _Part("warning", ("Tests", index), f"the test name {test.get('Name')!r} stands more than once")


def _check_texts(rule: Rule | CorrelationRule, values: Mapping[str, Any]) -> Iterator[_Part]:
    for key, purpose in _TEXTS.items():
        if not values.get(key):
            yield _Part("warning", (), f"{key} is missing: {purpose}")


def _check_reports(rule: Rule | CorrelationRule, values: Mapping[str, Any]) -> Iterator[_Part]:
    listed = (values.get("Reports") or {}).get(REPORT) or ()
    if not listed:
        yield _Part("warning", ("Reports",), f"Reports: {REPORT}: is missing: [TAxxxx:Txxxx], the tactic and technique")
    for index, text in enumerate(listed):
        if tactic_and_technique(str(text)) is None:
            tactic = str(text).partition(":")[0]
            known = tactic in TACTICS or not tactic.startswith("TA")
            reason = "write TAxxxx:Txxxx or TAxxxx:Txxxx.xxx" if known else f"there is no tactic {tactic}"
            yield _Part("error", ("Reports", REPORT, index), f"{REPORT} {text!r}: {reason}")


def _check_members(rule: CorrelationRule, known: Collection[str]) -> Iterator[_Part]:
    kind = "Sequence" if rule.ordered else "Group"
    for number, member in enumerate(rule.members):
        if member.rule_id in known:
            continue
        near = difflib.get_close_matches(member.rule_id, known, n=1, cutoff=0.8)
        level: Level = "error" if near else "warning"
        hint = f"did you mean {near[0]}?" if near else "nothing it looks for can come from here"
        yield _Part(level, ("Detection", 0, kind, number, "RuleID"), f"there is no rule {member.rule_id}: {hint}")


def _check_title(rule: Rule, values: Mapping[str, Any]) -> Iterator[_Part]:
    if not rule.title and not values.get("AlertTitle") and not (rule.code and _defines(Path(rule.code), "title")):
        yield _Part("warning", (), "neither DisplayName nor a function title: its alerts are called by the rule's id")


def _check_file_name(rule: Rule, values: Mapping[str, Any]) -> Iterator[_Part]:
    file, code = Path(rule.file), Path(rule.code)
    if code.stem != file.stem:
        yield _Part("warning", ("Filename",), f"its code is called {code.name}, not {file.stem}.py")


def _check_reach(rule: Rule, values: Mapping[str, Any]) -> Iterator[_Part]:
    if not can_match(rule):
        yield _Part(
            "error", ("Filename",), f"{Path(rule.code).name} never returns True: no event can pass its conditions"
        )


_Check = Callable[[Rule, Mapping[str, Any]], Iterator[_Part]]
_COMMON_CHECKS: tuple[Callable[[Rule | CorrelationRule, Mapping[str, Any]], Iterator[_Part]], ...] = (
    _check_id,
    _check_tests,
    _check_texts,
    _check_reports,
)
_CHECKS: tuple[_Check, ...] = (*_COMMON_CHECKS, _check_title)
_CODE_CHECKS: tuple[_Check, ...] = (_check_file_name, _check_reach)


def _code_file(file: Path) -> Path:
    """The Python file that a YAML file names, or would."""
    try:
        values = yaml12.load(file.read_bytes()).value
    except yaml12.YamlError:
        values = None
    name = values.get("Filename") if isinstance(values, Mapping) else None
    return file.parent / (str(name) if name else f"{file.stem}.py")


def _code_files(root: Path) -> Iterator[Path]:
    """The Python files below a folder, hidden folders left out; of a YAML file its own."""
    if root.is_file():
        code = _code_file(root)
        if code.is_file():
            yield code
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith(".py"))


def _defines(code: Path, name: str) -> bool:
    body = ast.parse(code.read_bytes(), str(code)).body
    return any(isinstance(node, ast.FunctionDef) and node.name == name for node in body)
