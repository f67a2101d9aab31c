"""Writes the table of the rules that come with iota into rules/README.md, below its last heading."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from iota_dagster.cli.rules_table import command

RULES = Path(__file__).parents[1] / "rules"
HEADING = "## All rules\n\n"


def page() -> str:
    """The whole page with the table as it should be."""
    result = CliRunner().invoke(command, [str(RULES), "--from", str(RULES)], catch_exceptions=False)
    text, _, _ = (RULES / "README.md").read_text().partition(HEADING)
    return f"{text}{HEADING}{result.stdout}"


if __name__ == "__main__":
    (RULES / "README.md").write_text(page())
