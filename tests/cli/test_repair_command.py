"""`iota repair` says from when on `iota scan` has to look, for log objects whose messages are gone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from iota_dagster.cli import iota
from iota_dagster.core.arrival.notification import QUEUE
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import ObjectRef
from iota_dagster.core.store import identity, ledger
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.cli.logs import RULE, START, packed, record, write

BACKUP = datetime(2025, 3, 7, 9, 30, tzinfo=UTC)  # its newest log object; a day earlier is where to scan from


@pytest.fixture(autouse=True)
def _home(used_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"home": "home", "rules": [str(RULE.parent)], "integrations": [{"name": "logs", "path": "logs"}]}
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    write(tmp_path / "logs", 1, packed([record(1)]))


def run(*arguments: str) -> str:
    result = CliRunner().invoke(iota, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def register(key: str, integration: str, now: datetime) -> None:
    platform = open_platform(load_settings())
    ref = ObjectRef(bucket="example", key=key, etag="e")
    with platform.database.begin() as connection:
        ledger.register(
            connection,
            ref,
            integration=integration,
            delivery_hour=hour_of(START),
            kind="log",
            account=None,
            region=None,
            now=now,
        )
    platform.database.dispose()


def restored() -> None:
    """The store is that of a backup, whose newest log object waited for an outage to pass."""
    platform = open_platform(load_settings())
    with platform.database.begin() as connection:
        identity.renew_store_id(connection)
    platform.database.dispose()
    register("waiting", "logs", BACKUP)


def test_after_a_restore_the_scan_begins_a_day_before_the_newest_object_of_the_backup() -> None:
    restored()
    register("spooled", QUEUE, datetime(2025, 3, 9, tzinfo=UTC))  # as the repair itself registers them
    assert run("repair").endswith("Now look for what came after the backup:\n  iota scan --from 2025-03-06T09:00Z\n")


def test_of_a_lost_store_only_its_user_knows_what_waited() -> None:
    run("ingest", "logs")
    Path("home/iota.db").unlink()
    assert run("repair").endswith("from before the oldest outage on:\n  iota scan --from TIME\n")


def test_the_figures_name_the_beginning_of_the_scan_while_there_is_something_to_repair() -> None:
    def told(*arguments: str) -> Any:
        return json.loads(run("repair", "--json", *arguments))["scan_from"]

    restored()
    assert told("--dry-run") == told() == "2025-03-06T09:00Z"
    assert told() is None


def test_what_was_registered_after_the_backup_is_found_days_later(tmp_path: Path) -> None:
    restored()
    write(tmp_path / "logs", 7, packed([record(7)]), BACKUP)
    command = run("repair").splitlines()[-1].split()
    [report] = json.loads(run(*command[1:], "--json"))["integrations"]
    assert report["new"] == 1


def test_hours_past_their_days_that_the_lake_has_no_longer_are_no_problem() -> None:
    """Retention took them after the backup; without days in the settings they are lost, and named."""
    run("ingest", "logs")
    restored()
    for file in Path("home/lake").rglob("*.parquet"):
        file.unlink()
    assert CliRunner().invoke(iota, ["repair", "--dry-run"]).exit_code == 1
    settings = yaml.safe_load(Path("iota.yaml").read_text(encoding="utf-8"))
    Path("iota.yaml").write_text(yaml.safe_dump(settings | {"lake_days": {"*": 30}}), encoding="utf-8")
    assert json.loads(run("repair", "--json"))["problems"] == []
