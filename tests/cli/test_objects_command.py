"""`iota objects`: the ledger in numbers, and object by object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from iota_dagster.cli import iota, tables
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.store import ledger
from iota_dagster.ingesting import register_path
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.cli.logs import packed, record, write

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def ledger_of_three(here: None, tmp_path: Path) -> list[str]:
    """Three registered objects, one of them missing since; their names in the order of registration."""
    paths = [write(tmp_path / "logs", number, packed([record(number)])) for number in (1, 2, 3)]
    platform = open_platform(load_settings())
    register_path(platform, tmp_path / "logs")
    with platform.database.begin() as connection:
        newest = ledger.list_objects(connection, limit=1)[0]
        ledger.set_status(connection, [newest["id"]], ObjectStatus.MISSING, "there is no such file")
    platform.database.dispose()
    return [path.name for path in paths]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(iota, ["objects", *arguments], catch_exceptions=False)


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.mark.usefixtures("ledger_of_three")
def test_the_ledger_is_counted_by_integration_and_status() -> None:
    rows = {(row["integration"], row["status"]): row["objects"] for row in answer()}
    assert rows == {("logs", "missing"): 1, ("logs", "pending"): 2}
    text = run().stdout
    assert "pending" in text
    assert "missing" in text


def test_objects_of_a_status_are_listed_newest_first(ledger_of_three: list[str]) -> None:
    first, second, third = ledger_of_three
    [missing] = answer("--status", "missing")
    assert missing["key"].endswith(third)
    assert missing["error"] == "there is no such file"
    assert missing["delivery_hour"] == "2025-03-01-10:00"
    assert [Path(row["key"]).name for row in answer("--status", "pending")] == [second, first]
    assert [Path(row["key"]).name for row in answer("--status", "pending", "--limit", "1")] == [second]


@pytest.mark.usefixtures("ledger_of_three")
def test_a_limit_of_nothing_is_none_and_less_is_a_usage_error() -> None:
    assert len(answer("--status", "pending", "--limit", "0")) == 2
    assert run("--status", "pending", "--limit", "-5").exit_code == 2


def test_an_empty_ledger_says_so() -> None:
    assert run().stdout == "no log objects\n"
    assert answer() == []


def test_an_unknown_status_is_a_usage_error_with_the_known_ones() -> None:
    result = run("--status", "lost")
    assert result.exit_code == 2
    assert "quarantined" in result.stderr


@pytest.mark.usefixtures("ledger_of_three")
def test_piped_each_object_is_a_line_with_its_whole_key() -> None:
    lines = run("--status", "pending").stdout.splitlines()
    assert len([line for line in lines if ".json.gz" in line and "2025-03-01-10:00" in line]) == 2


@pytest.mark.usefixtures("ledger_of_three")
def test_on_a_narrow_terminal_each_object_stands_by_itself_and_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "console", lambda: Console(width=80))
    shown = run("--status", "missing").stdout
    [missing] = answer("--status", "missing")
    assert f"          key  {missing['key']}\n" in shown
    assert f"        error  {missing['error']}\n" in shown
    assert "integration  status " in run().stdout
