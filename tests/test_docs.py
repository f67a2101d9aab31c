"""The documentation is true: its commands run, its tables are complete, its links and paths lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from iota_dagster.cli import COMMANDS, iota, rules_table
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.sources import SOURCES
from scripts import log_sources_page
from tests.cli.logs import packed, record, write

ROOT = Path(__file__).parent.parent
DOCS = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
PAGES = ("README.md", "CHANGELOG.md", "rules/README.md", "deploy/aws/README.md", *DOCS)
SHELL = """\
set -euo pipefail
trap 'echo "this command of the documentation failed: $BASH_COMMAND" >&2' ERR
"""


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def commands(page: str) -> list[str]:
    """What stands behind the prompts of a page's `console` blocks."""
    blocks = re.findall(r"^```console\n(.*?)^```$", read(page), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert all(line.startswith("$ ") for line in lines), "a console block holds commands, one a line, and no output"
    return [line.removeprefix("$ ") for line in lines]


def home(folder: Path) -> dict[str, str]:
    """An environment whose `iota` and `python` are those of the tests, and that knows no other settings."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("IOTA_", "DAGSTER_"))}
    return keep | {"PATH": f"{Path(sys.executable).parent}:{keep['PATH']}", "HOME": str(folder)}


@pytest.mark.timeout(300)  # each of two dozen commands starts Python anew
@pytest.mark.parametrize("page", ["README.md", "docs/operations.md"])
def test_every_command_of_a_page_runs(page: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    whole = packed([record(number) for number in range(40)])
    write(tmp_path / "logs", 1, whole)
    write(tmp_path / "logs", 2, packed([record(number) for number in range(50, 90)])[:-60])
    shutil.copytree(ROOT / "rules", tmp_path / "rules")
    (tmp_path / "iota.yaml").write_text("integrations: [{name: logs, path: logs}]\n")
    script = commands(page)
    if "iota ingest logs" not in script:
        script.insert(0, "iota ingest logs")
        request.getfixturevalue("used_home").rename(tmp_path / ".iota")
    result = subprocess.run(
        ["bash", "-c", SHELL + "\n".join(script)], cwd=tmp_path, env=home(tmp_path), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert "truncated" in result.stdout
    assert (tmp_path / ".iota" / "iota.db").exists()


@pytest.mark.parametrize("page", [page for page in PAGES if page not in ("README.md", "docs/operations.md")])
def test_no_other_page_has_commands_that_nothing_runs(page: str) -> None:
    assert commands(page) == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_is_there(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:`|^ {4})make ([a-z-]+)", read(page), re.MULTILINE)) <= targets


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"^\| `iota {name}[ `]", read("README.md"), re.MULTILINE)


def test_the_readme_names_no_command_that_is_not_there() -> None:
    assert set(re.findall(r"`iota ([a-z]+)", read("README.md"))) <= set(COMMANDS)


def leaves(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    """Each command that does something, by its words behind `iota`."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below
        yield from leaves(below, f"{path} {name}".strip())


def test_the_readme_says_which_commands_have_no_json() -> None:
    options = {name: {text for item in found.params for text in item.opts} for name, found in leaves(iota, "")}
    without = {name for name, found in options.items() if not found & {"--json", "--format"}}
    (sentence,) = re.findall(r"; only ([^.;]*) have no JSON", read("README.md"))
    assert set(re.findall(r"`([a-z ]+)`", sentence)) == without


def test_the_readme_has_every_command_of_a_group_in_its_table() -> None:
    for name, _ in leaves(iota, ""):
        group, _, command = name.partition(" ")
        rows = re.findall(rf"^\| (`iota {group}[ `].*?) \|", read("README.md"), re.MULTILINE)
        assert any(re.search(rf"[ `]{command}`", row) for row in rows) or not command, name


def test_the_table_of_the_rules_is_as_the_command_makes_it() -> None:
    table = CliRunner().invoke(rules_table.command, [str(ROOT / "rules"), "--from", str(ROOT / "rules")]).stdout
    assert "| [AWS.CloudTrail.LoggingImpaired](" in table
    assert read("rules/README.md").endswith(f"## All rules\n\n{table}")


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file(page: str) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", read(page))
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []


def test_the_architecture_names_code_that_exists() -> None:
    paths = re.findall(r"`((?:core|defs)/[^`]*|(?!iota_dagster/)[a-z_]+/|[a-z_]+\.py)`", read("docs/architecture.md"))
    assert len(paths) > 20
    assert [path for path in paths if not (ROOT / "iota_dagster" / path).exists()] == []


def test_the_architecture_names_every_folder_of_the_code() -> None:
    folders = sorted(path.parent.name for path in (ROOT / "iota_dagster").glob("*/__init__.py"))
    shown = read("docs/architecture.md")
    assert [name for name in folders if f"`{name}/" not in shown] == []


def test_the_architecture_names_every_asset() -> None:
    sources = "".join(path.read_text() for path in (ROOT / "iota_dagster/defs/assets").glob("*.py"))
    assets = set(re.findall(r"^@hourly_asset\([^\n]*\)\ndef (\w+)", sources, re.MULTILINE))
    assert assets >= {"raw_logs", "events", "lake", "alerts", "alert_deliveries"}
    shown = read("docs/architecture.md")
    assert [name for name in sorted({*assets, alert_matches.TABLE}) if f"`{name}`" not in shown] == []


def test_the_page_of_the_log_types_is_current() -> None:
    assert read("docs/log-sources.md") == log_sources_page.page(), "run `make docs`"
    shown = read("docs/log-sources.md")
    assert [source.table for source in SOURCES.values() if f"`{source.table}`" not in shown] == []


def test_the_operations_explain_every_status_of_an_object() -> None:
    shown = read("docs/operations.md")
    assert [status for status in ObjectStatus if f"| `{status}` |" not in shown] == []


def test_the_readme_is_short() -> None:
    assert len(read("README.md").splitlines()) < 150
