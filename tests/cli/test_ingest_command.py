"""`iota ingest`: a folder through the real assets, once; and what is lost can be had again."""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli import iota
from iota_dagster.core.batch.owner import owner_of
from iota_dagster.core.batch.road import Branch, Road
from iota_dagster.core.errors import Outage
from iota_dagster.core.store import ledger
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.ingesting import register_path
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.cli.logs import START, packed, record, write

pytestmark = pytest.mark.usefixtures("used_home", "here")


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(iota, [str(argument) for argument in arguments], catch_exceptions=False)


def ingest(*paths: str | Path) -> dict[str, object]:
    result = run("ingest", *paths, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    figures = json.loads(result.stdout)
    assert figures.pop("seconds") > 0
    return dict(figures)


def query(sql: str) -> list[dict[str, object]]:
    return list(json.loads(run("query", sql, "--format", "json").stdout))


def test_rules_that_cannot_be_read_keep_no_event_out_and_do_not_pass_for_success(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(number) for number in range(20)]))
    Path("iota.yaml").write_text("rules: [iota:rules, mine]\n")
    result = run("ingest", tmp_path / "logs", "--json")
    figures = json.loads(result.stdout)
    assert (result.exit_code, figures["events"]) == (1, 20)
    assert [text for text in figures["problems"] if "rules not applied" in text and "mine" in text]
    again = run("ingest", tmp_path / "logs", "--json")
    assert (again.exit_code, json.loads(again.stdout)["problems"]) == (0, [])


def test_a_folder_is_read_once_however_often_it_is_named(tmp_path: Path) -> None:
    recent = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    logs = tmp_path / "logs"
    write(logs, 1, packed([record(number, start=recent) for number in range(20)]), recent)
    write(logs, 2, packed([record(5, start=recent), record(30, "StopLogging", recent)]), recent)

    expected = {
        "objects": 2,
        "records": 22,
        "events": 21,
        "duplicates": 1,
        "quarantined": 0,
        "matches": 1,
        "alerts": 1,
        "rows": {"alert_matches": 1, "cloudtrail_events": 21},
        "problems": [],
    }
    assert ingest(logs) == expected
    nothing: dict[str, object] = dict.fromkeys(expected, 0) | {"rows": {}, "problems": []}
    assert ingest(logs, logs) == nothing
    assert query("SELECT COUNT(*) AS n, COUNT(DISTINCT p_event_id) AS ids FROM cloudtrail_events") == [
        {"n": 21, "ids": 21}
    ]
    title = "ana impaired CloudTrail in account 111122223333: StopLogging"
    lines = (tmp_path / "home" / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line)["title"] for line in lines] == [title]

    # A copy elsewhere is another object with the same events; a single file may be named as well.
    copy = shutil.copy(next(logs.rglob("*2.json.gz")), tmp_path)
    assert ingest(copy) == nothing | {"objects": 1, "records": 2, "duplicates": 2}
    shown = run("ingest", logs)
    assert shown.exit_code == 0
    assert "cloudtrail_events" not in shown.stdout
    assert "problems" not in shown.stdout
    assert len((tmp_path / "home" / "alerts.jsonl").read_text().splitlines()) == 1


def test_an_hour_done_again_brings_back_a_file_that_the_lake_has_lost(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(number) for number in range(3)]))
    assert ingest("logs")["events"] == 3
    [file] = (tmp_path / "home" / "lake" / "cloudtrail_events").rglob("*.parquet")
    before = file.read_bytes()
    file.unlink()

    platform = open_platform(load_settings())
    with platform.database.read() as connection:
        [item] = ledger.list_objects(connection)
    road, hours = platform.road, [item["delivery_hour"]]
    again = road.run_identity("again")
    for assignment in road.claim(again, hours, again=True):
        road.prepare(again, assignment)
    for branch, publish in ((Branch.LAKE, road.publish), (Branch.ALERTS, road.judge)):
        for batch in road.to_publish(again, hours, branch):
            publish(batch)
    platform.database.dispose()
    assert file.read_bytes() == before


def test_a_run_that_cannot_begin_is_told_and_its_objects_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from iota_dagster.defs.resources.platform import PlatformResource

    def fail(*_: object) -> None:
        raise Outage("the store does not answer")

    write(tmp_path / "logs", 1, packed([record(1)]))
    with monkeypatch.context() as patched:
        patched.setattr(PlatformResource, "setup_for_execution", fail)
        result = run("ingest", "logs", "--json")
    assert json.loads(result.stdout)["objects"] == 0
    assert "failed before its first step" in result.stderr
    assert ingest("logs")["events"] == 1


def test_a_folder_that_is_not_there_is_a_usage_error() -> None:
    result = run("ingest", "nowhere")
    assert result.exit_code == 2
    assert "nowhere" in result.stderr


def test_objects_outside_the_partitions_stay_pending_and_the_setting_is_named(tmp_path: Path) -> None:
    early = datetime(2019, 12, 31, 23, tzinfo=UTC)
    write(tmp_path / "logs", 1, packed([record(1, start=early)]), early)
    result = run("ingest", "logs", "--json")
    figures = json.loads(result.stdout)
    assert figures["objects"] == 0
    assert "IOTA_PARTITIONS_START" in result.stderr
    assert figures["problems"] == result.stderr.splitlines()
    assert "2019-12-31-23:00" in result.stderr
    [row] = json.loads(run("objects", "--json").stdout)
    assert (row["status"], row["objects"]) == ("pending", 1)


def test_ctrl_c_ends_the_command_without_a_traceback_and_the_next_one_does_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = START + timedelta(days=3)  # a run of its own, which must not begin
    write(tmp_path / "logs", 1, packed([record(1)]))
    write(tmp_path / "logs", 2, packed([record(2, start=later)]), later)
    prepared = []

    def interrupted(*_: object) -> None:
        prepared.append(1)
        signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patched:
        patched.setattr(Road, "prepare", interrupted)
        result = run("ingest", "logs")
    assert (result.exit_code, result.stdout, len(prepared)) == (130, "", 1)
    assert result.stderr.splitlines()[-1].startswith("Interrupted. Nothing is lost: ")
    assert "Traceback" not in result.stderr
    assert "Stack Trace" not in result.stderr
    assert ingest("logs")["events"] == 2


def test_a_path_that_cannot_be_read_is_told_and_the_others_have_their_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "logs", 1, packed([record(1)]))
    (tmp_path / "closed" / "inside").mkdir(parents=True)
    scandir = os.scandir

    def closed(path: Path | int) -> object:  # to root every folder is open
        if isinstance(path, Path) and path.name == "inside":
            raise PermissionError(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", closed)
    result = run("ingest", "closed", "logs", "--json")
    figures = json.loads(result.stdout)
    assert (result.exit_code, figures["events"]) == (1, 1)
    assert figures["problems"] == [
        f"file://{tmp_path}/closed/inside/: the folder may not be read by user {os.geteuid()}"
    ]


def test_a_folder_without_logs_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = run("ingest", "empty")
    assert (result.exit_code, result.stderr) == (0, "empty: there are no log files in it\n")


def test_what_another_run_is_at_is_said(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(1)]))
    platform = open_platform(load_settings())
    register_path(platform, tmp_path / "logs")
    with platform.database.read() as connection:
        hours = ledger.pending_hours(connection, datetime.now(UTC))
    another = RunIdentity("another", owner_of(os.getppid()))  # a process that lives
    platform.road.claim(another, hours, again=False)
    result = run("ingest", "logs")
    platform.database.dispose()
    assert result.stderr == "1 log objects are still being processed by another run: see `iota status`\n"
    assert result.exit_code == 0
