"""`iota rules`: the tests of the detection rules."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import click

from iota_dagster.cli import (
    rules_backtest,
    rules_coverage,
    rules_explain,
    rules_lint,
    rules_mutate,
    rules_new,
    rules_queries,
    rules_stale,
    rules_table,
)
from iota_dagster.cli.rules_paths import Paths, chosen, paths_argument, quiet_rules
from iota_dagster.cli.text import printable
from iota_dagster.core.detection.authoring.folder_tests import run_folder_tests
from iota_dagster.core.detection.authoring.test_report import TestFailure, TestReport
from iota_dagster.core.workers import usable_cores


@click.group("rules")
def command() -> None:
    """Work with detection rules."""


@command.command("test")
@paths_argument
@click.option("--rule", "rule_id", metavar="ID", help="Only the tests of this rule.")
@click.option("--name", "test_name", metavar="TEST", help="Only the tests of this name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def test(paths: Paths, rule_id: str | None, test_name: str | None, as_json: bool) -> None:
    """Run the tests of rules, by default of those in ./rules, else the settings'; exit with 1 when one fails, a
    file cannot be loaded, or there are no rules.

    PATH is a folder of rules or the YAML file of one.
    """
    folders = chosen(paths)
    started = time.perf_counter()
    with quiet_rules():
        report = run_folder_tests(folders, rule_id, test_name, processes=usable_cores())
    report = replace(report, seconds=round(time.perf_counter() - started, 3))
    click.echo(json.dumps(_as_json(report), default=str) if as_json else _as_text(report))
    if nothing := not (report.rules or report.failed or report.skipped):
        click.echo(f"There are no rules in {', '.join(map(str, folders))}: is this the folder?", err=True)
    if report.failed or nothing:
        raise click.exceptions.Exit(1)


def _as_json(report: TestReport) -> dict[str, Any]:
    return {
        "rules": report.rules,
        "tests": report.tests,
        "passed": report.passed,
        "failed": report.failed,
        "skipped": len(report.skipped),
        "skipped_rules": [{"rule": item.id, "reason": item.reason, "file": str(item.file)} for item in report.skipped],
        "failures": [
            {
                "rule": failure.rule,
                "test": failure.test,
                "expected": failure.expected,
                "got": failure.got,
                "error": failure.error,
                "file": f"{failure.file}:{failure.line}",
            }
            for failure in report.failures
        ],
        "seconds": report.seconds,
    }


def _as_text(report: TestReport) -> str:
    lines = [line for failure in report.failures for line in [*_describe(failure), ""]]
    lines += [f"skipped {item.id}: {item.reason} ({item.file})" for item in report.skipped]
    summary = f"{report.rules} rules, {report.tests} tests: {report.passed} passed, {report.failed} failed"
    if report.skipped:
        summary += f", {len(report.skipped)} skipped"
    return "\n".join([*lines, f"{summary} in {report.seconds:.2f} s"])


def _describe(failure: TestFailure) -> list[str]:
    """A failure as a person wants it: which test, where, what was expected, what came, and on which event."""
    if failure.rule is None:
        return [f"CANNOT LOAD {failure.file}:{failure.line}", f"  {printable(failure.error or '')}"]
    lines = [f"FAILED {failure.rule}: {failure.test}", f"  at        {failure.file}:{failure.line}"]
    if failure.error:
        lines.append(f"  error     {printable(failure.error)}")
    lines += [f"  expected  {_value(failure.expected)}", f"  got       {_value(failure.got)}"]
    if failure.event is not None:  # a correlation rule has none
        lines.append(f"  event     {_shorten(json.dumps(failure.event, default=str))}")
    return lines


def _value(value: object) -> str:
    words = {True: "a match", False: "no match", None: "nothing"}
    return words[value] if isinstance(value, bool | None) else json.dumps(value, default=str)


def _shorten(text: str, limit: int = 2000) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


for _module in (
    rules_backtest,
    rules_coverage,
    rules_explain,
    rules_lint,
    rules_mutate,
    rules_new,
    rules_queries,
    rules_stale,
    rules_table,
):
    command.add_command(_module.command)
