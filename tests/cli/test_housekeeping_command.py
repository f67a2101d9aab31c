"""`iota housekeeping`, `backup`, `restore` and `repair`: one installation's way through a loss."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from iota_dagster.core.errors import IotaError
from tests.cli.logs import RULE, packed, record, write


@pytest.fixture
def place(here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with one ingested log."""
    monkeypatch.setenv("IOTA_RULES", f"[{RULE}]")
    write(tmp_path / "logs", 1, packed([record(1), record(2)]))
    run("ingest", "logs", "--json")
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(iota, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def events() -> int:
    return int(
        json.loads(run("query", "SELECT count(*) AS n FROM cloudtrail_events", "--format", "json").stdout)[0]["n"]
    )


def test_a_dry_run_counts_and_the_pass_itself_leaves_what_is_in_use(place: Path) -> None:
    found = answer("housekeeping", "--dry-run")
    assert found["dry_run"]
    assert (found["compacted"]["count"], found["lake_files"]["count"], found["dagster_runs"]["count"]) == (0, 0, 0)
    assert "hours past their days" in run("housekeeping").stdout
    assert events() == 2


def test_the_history_that_is_kept_in_order_is_that_of_dagster_home(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (place / "home" / "dagster").rglob("*.db")}
    elsewhere = place / "elsewhere"
    monkeypatch.setenv("DAGSTER_HOME", str(elsewhere))
    elsewhere.mkdir()
    run("housekeeping", "--dry-run")
    assert list(elsewhere.rglob("*.db"))
    assert before == {path: path.stat().st_mtime_ns for path in (place / "home" / "dagster").rglob("*.db")}


def test_days_of_a_table_take_its_hours_and_they_can_be_brought_back(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTA_LAKE_DAYS", "{cloudtrail_events: 30}")
    assert answer("housekeeping", "--dry-run")["expired"]["count"] == 1
    assert events() == 2
    assert answer("housekeeping")["expired"]["count"] == 1
    assert events() == 0
    wanted = ("housekeeping", "--bring-back", "cloudtrail_events", "--from", "2025-03-01", "--to", "2025-03-02")
    assert "1 hours of cloudtrail_events take rows again; 1 batches" in run(*wanted).stdout
    assert answer(*wanted) == {"table": "cloudtrail_events", "hours": 0, "batches": 0}
    run("backfill", "--only-new", "--from", "2025-03-01T10", "--to", "2025-03-01T11", "--json")
    assert events() == 2
    monkeypatch.setenv("IOTA_LAKE_DAYS", "{cloudtrial: 30}")
    with pytest.raises(IotaError, match="cloudtrial is no table"):
        run("housekeeping")


@pytest.mark.parametrize(
    "left_out", [{"--bring-back"}, {"--from"}, {"--to"}, {"--bring-back", "--to"}, {"--bring-back", "--from"}]
)
def test_a_forgotten_option_of_bringing_back_does_not_keep_house(
    left_out: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    given = {"--bring-back": "cloudtrail_events", "--from": "2025-03-01", "--to": "2025-03-02"}
    arguments = [word for name, value in given.items() if name not in left_out for word in (name, value)]
    assert "go together" in run("housekeeping", *arguments, code=2).stderr
    assert not (tmp_path / "home").exists()


def test_options_that_do_not_go_together_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    span = ("--from", "2025-03-01", "--to", "2025-03-02")
    run("housekeeping", "--bring-back", "cloudtrail_events", *span, "--dry-run", code=2)
    run("repair", "--dry-run", "--adopt", code=2)
    with pytest.raises(IotaError, match="nothing lies between"):
        run("housekeeping", "--bring-back", "cloudtrail_events", "--from", "2025-03-02", "--to", "2025-03-01")
    with pytest.raises(IotaError, match="is no table of the lake"):  # an empty variable of a script
        run("housekeeping", "--bring-back", "", *span)


def test_a_restored_store_learns_from_its_lake_and_goes_on(place: Path) -> None:
    run("backup", "store.backup")
    write(place / "logs", 2, packed([record(3)]))
    run("ingest", "logs", "--json")
    run("restore", "store.backup", "--replace")
    assert events() == 2
    write(place / "logs", 3, packed([record(4)]))
    refused = run("ingest", "logs", "--json", code=1)
    assert "iota repair" in refused.stderr
    assert answer("repair", "--dry-run")["rows"] == 3
    assert answer("repair")["batches"] == 1
    assert answer("repair")["is_own"]
    assert events() == 3
    run("ingest", "logs", "--json")
    assert events() == 4


def test_adopting_lets_the_store_go_on_as_it_is(place: Path) -> None:
    run("backup", "store.backup")
    run("restore", "store.backup", "--replace")
    assert "is this store's lake now" in run("repair", "--adopt").stdout
    assert answer("repair", "--adopt") == {"adopted": (place / "home" / "lake").as_uri()}
    run("ingest", "logs", "--json")
    assert events() == 2
