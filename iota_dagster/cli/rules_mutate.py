"""`iota rules mutate`: do the tests of rules pin them?"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.rules_paths import Paths, chosen, paths_argument, quiet_rules

if TYPE_CHECKING:
    from iota_dagster.core.detection.authoring.mutation import MutationReport


@click.command("mutate")
@paths_argument
@click.option("--rule", "rule_id", metavar="ID", help="Only this rule.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(paths: Paths, rule_id: str | None, as_json: bool) -> None:
    """Change each decision of rules, by default of those in ./rules, else the settings': do their tests notice?

    A change that no test notices is a survivor: it is printed, and the exit code is 1. PATH is a folder of rules or
    the YAML file of one.
    """
    from iota_dagster.core.detection.authoring.mutation import mutate
    from iota_dagster.core.detection.loader import load_rules

    with quiet_rules():
        report = mutate(load_rules(chosen(paths)), rule_id)
    click.echo(json.dumps(_as_json(report), default=str) if as_json else _as_text(report))
    if report.survivors or report.errors:
        raise click.exceptions.Exit(1)


def _as_json(report: MutationReport) -> dict[str, Any]:
    return {
        "rules": report.rules,
        "mutants": report.mutants,
        "killed": report.killed,
        "survived": len(report.survivors),
        "survivors": [asdict(survivor) for survivor in report.survivors],
        "errors": [str(error) for error in report.errors],
        "seconds": report.seconds,
    }


def _as_text(report: MutationReport) -> str:
    lines = [f"CANNOT JUDGE {error}" for error in report.errors]
    lines += [f"{item.file}:{item.line}: {item.change}" for item in report.survivors]
    counts = f"{report.mutants} mutants: {report.killed} killed, {len(report.survivors)} survived"
    return "\n".join([*lines, f"{report.rules} rules, {counts} in {report.seconds:.2f} s"])
