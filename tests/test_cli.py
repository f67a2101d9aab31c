"""The `iota` command itself: help, errors, and what it does not import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from iota_dagster import cli
from iota_dagster.core.errors import Outage, SettingsError
from iota_dagster.settings import load_settings


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["iota", *arguments])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    return int(caught.value.code or 0)


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> list[Exception | int]:
    """A subcommand `probe` that notes `batch_objects`, or raises the exception that it finds in its list."""
    notes: list[Exception | int] = []

    @click.command()
    def command() -> None:
        if notes:
            note = notes.pop()
            assert isinstance(note, Exception)
            raise note
        notes.append(load_settings().batch_objects)

    module = type(sys)("iota_dagster.cli.probe")
    vars(module)["command"] = command
    monkeypatch.setitem(sys.modules, "iota_dagster.cli.probe", module)
    monkeypatch.setitem(cli.COMMANDS, "probe", "Probe.")
    return notes


def test_help_lists_every_command() -> None:
    result = CliRunner().invoke(cli.iota, ["--help"])
    assert result.exit_code == 0
    for name, text in cli.COMMANDS.items():
        assert f"  {name}" in result.output
        assert text in result.output


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['iota', '--help']\n"
        "from iota_dagster.cli import main\n"
        "try: main()\n"
        "finally: print(*{name.split('.')[0] for name in sys.modules}, file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"boto3", "dagster", "duckdb", "numpy", "pandas", "pyarrow", "pydantic", "rich", "sqlalchemy", "yaml"}
    assert not heavy & set(result.stderr.split())


@pytest.mark.parametrize("name", sorted(cli.COMMANDS))
def test_every_command_exists_and_has_help(name: str) -> None:
    result = CliRunner().invoke(cli.iota, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert f"iota {name}" in result.output


def test_an_unknown_command_is_a_usage_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "querry") == 2
    assert "querry" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [Outage("the store does not answer"), SettingsError("iota.yaml:1:1: home: is missing")]
)
def test_an_error_of_ours_is_a_line_on_stderr_and_exit_code_1(
    error: Exception,
    probe: list[Exception | int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    probe.append(error)
    assert run(monkeypatch, "probe") == 1
    assert capsys.readouterr() == ("", f"Error: {error}\n")


def test_an_error_of_ours_steers_no_terminal(
    probe: list[Exception | int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    probe.append(Outage("s3://logs/a\x1b]0;b\x07: gone"))
    assert run(monkeypatch, "probe") == 1
    assert capsys.readouterr().err == "Error: s3://logs/a\\x1b]0;b\\x07: gone\n"


def test_any_other_exception_keeps_its_traceback(probe: list[Exception | int], monkeypatch: pytest.MonkeyPatch) -> None:
    probe.append(ZeroDivisionError("a bug"))
    monkeypatch.setattr(sys, "argv", ["iota", "probe"])
    with pytest.raises(ZeroDivisionError, match="a bug"):
        cli.main()


def test_config_chooses_the_settings_file_of_a_command(
    probe: list[Exception | int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTA_CONFIG", "")  # so that it is taken back after the test
    file = tmp_path / "other.yaml"
    file.write_text("batch_objects: 11")
    assert run(monkeypatch, "--config", str(file), "probe") == 0
    assert probe == [11]


def test_a_mistyped_command_is_told_with_what_may_be_meant() -> None:
    result = CliRunner().invoke(cli.iota, ["querry"])
    assert result.exit_code == 2
    assert "No such command 'querry'. Did you mean query?" in result.stderr
