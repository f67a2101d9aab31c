"""`iota rules lint`: what is wrong or missing in rules."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.rules_paths import Paths, chosen, paths_argument, quiet_rules

if TYPE_CHECKING:
    from iota_dagster.core.detection.authoring.lint import LintReport


@click.command("lint")
@paths_argument
@click.option("--strict", is_flag=True, help="Warnings count as errors.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(paths: Paths, strict: bool, as_json: bool) -> None:
    """Look for mistakes and gaps in rules, by default in those of ./rules, else the settings'.

    The exit code is 1 when there are errors. PATH is a folder of rules or the YAML file of one.
    """
    from iota_dagster.core.detection.authoring.lint import lint
    from iota_dagster.log_types import own_log_types
    from iota_dagster.settings import load_settings

    own = [schema.log_type for schema in own_log_types(load_settings())]
    with quiet_rules():
        report = lint(chosen(paths), own)
    click.echo(json.dumps(_as_json(report), default=str) if as_json else _as_text(report))
    if report.count("error") or (strict and report.findings):
        raise click.exceptions.Exit(1)


def _as_json(report: LintReport) -> dict[str, Any]:
    return {
        "rules": report.rules,
        "errors": report.count("error"),
        "warnings": report.count("warning"),
        "findings": [asdict(finding) for finding in report.findings],
    }


def _as_text(report: LintReport) -> str:
    lines = [f"{item.file}:{item.line}: {item.level}: {item.text}" for item in report.findings]
    summary = f"{report.rules} rules: {report.count('error')} errors, {report.count('warning')} warnings"
    return "\n".join([*lines, summary])
