"""`iota rules table`: a pack as a Markdown table."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import click

from iota_dagster.cli.rules_paths import Paths, chosen, paths_argument, quiet_rules

if TYPE_CHECKING:
    from iota_dagster.core.detection.correlation.rule import CorrelationRule
    from iota_dagster.core.detection.rule import Rule

    AnyRule = Rule | CorrelationRule


@click.command("table")
@paths_argument
@click.option(
    "--from",
    "base",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that links start from. [default: the first PATH that is a folder, else this one]",
)
def command(paths: Paths, base: Path | None) -> None:
    """Print the rules of ./rules, or of PATH, as a Markdown table, log type by log type."""
    from iota_dagster.core.detection.loader import load_rules

    folders = chosen(paths)
    with quiet_rules():
        pack = load_rules(folders)
    for error in pack.errors:
        click.echo(f"CANNOT LOAD {error}", err=True)
    rules: list[AnyRule] = [*pack.rules, *pack.correlations]
    click.echo("\n".join(_lines(rules, base or next(filter(Path.is_dir, folders), Path()))).rstrip())
    if pack.errors:
        raise click.exceptions.Exit(1)


def _lines(rules: Sequence[AnyRule], base: Path) -> Iterator[str]:
    for (_, heading), group in groupby(sorted(rules, key=_order), key=_section):
        listed = list(group)
        yield from (f"### {heading} ({len(listed)})", "")
        yield from ("| rule | tactic (technique) | severity | fires on |", "|---|---|---|---|")
        yield from (_row(rule, base) for rule in listed)
        yield ""


def _order(rule: AnyRule) -> tuple[tuple[bool, str], str]:
    return _section(rule), rule.id


def _section(rule: AnyRule) -> tuple[bool, str]:
    """The heading that a rule stands under; those of scheduled queries and of other rules' matches come last."""
    if getattr(rule, "kind", None) == "scheduled_rule":
        return True, "Scheduled queries"
    log_types: Sequence[str] | None = getattr(rule, "log_types", None)
    return (True, "Correlations") if log_types is None else (False, ", ".join(sorted(log_types)))


def _row(rule: AnyRule, base: Path) -> str:
    link = Path(os.path.relpath(rule.file, base)).as_posix()
    off = "" if rule.enabled else " (disabled)"
    cells = (f"[{rule.id}]({link})", _tactics(rule), rule.severity.lower() + off, _fires_on(rule))
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


def _tactics(rule: AnyRule) -> str:
    from iota_dagster.core.detection.attack import REPORT, TACTICS, tactic_and_technique

    pairs = filter(None, (tactic_and_technique(str(text)) for text in rule.reports.get(REPORT) or ()))
    return ", ".join(f"{TACTICS[tactic]} ({technique})" for tactic, technique in pairs)


def _fires_on(rule: AnyRule) -> str:
    """The display name, else the description's first sentence."""
    return " ".join((rule.title or rule.description.partition(". ")[0].rstrip(".")).split())
