"""`iota backfill`: a span of hours from its buckets to the lake, once or once more, and nothing outside the span."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from dagster._core.launcher import WorkerStatus

from iota_dagster.cli.backfill import command
from iota_dagster.core.batch.owner import current_owner
from iota_dagster.core.batch.road import Road
from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.store import ledger, reserved_hours
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.claims import Assignment
from iota_dagster.home import prepare_home
from iota_dagster.ingesting import backfill
from iota_dagster.launcher import PROCESS_TAG
from iota_dagster.platform import open_platform
from iota_dagster.scanning import scan_hours
from iota_dagster.settings import load_settings
from tests.aws import Aws
from tests.cli.logs import START, packed, record, write

HOUR = hour_of(START)
SPAN = ("--from", "2025-03-01T10", "--to", "2025-03-01T12")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, used_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configure(*more: dict[str, str], **settings: str) -> None:
    integrations = [{"name": "folder", "path": "logs"}, *more]
    Path("iota.yaml").write_text(yaml.safe_dump({"home": "home", "integrations": integrations} | settings))


def run(*arguments: str) -> tuple[dict[str, Any], str]:
    """The summary without its time, and what was complained about."""
    result = CliRunner().invoke(command, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == int(bool(result.stderr))
    figures = json.loads(result.stdout)
    assert figures.pop("seconds") > 0
    return figures, result.stderr


def some(figures: dict[str, Any], *names: str) -> tuple[Any, ...]:
    return tuple(figures[name] for name in names)


def lake() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path("home/lake").rglob("*.parquet")}


def statuses() -> list[tuple[int, str]]:
    platform = open_platform(load_settings())
    with platform.database.read() as connection:
        rows = ledger.list_objects(connection)
    platform.database.dispose()
    return sorted((row["delivery_hour"] - HOUR, row["status"]) for row in rows)


def test_a_span_is_scanned_and_processed_and_once_more_on_demand(tmp_path: Path) -> None:
    for hour in range(3):
        start = START + timedelta(hours=hour)
        write(tmp_path / "logs", hour, packed([record(100 * hour + number, start=start) for number in range(5)]), start)
    configure()
    platform = open_platform(load_settings())
    scan_hours(platform, [HOUR + 2])  # pending, but not in the span
    platform.database.dispose()

    first, complaint = run(*SPAN, "--only-new")
    assert complaint == ""
    assert first == {
        "hours": 2,
        "listed": 2,
        "new": 2,
        "again": 0,
        "objects": 2,
        "records": 10,
        "events": 10,
        "duplicates": 0,
        "quarantined": 0,
        "matches": 0,
        "alerts": 0,
        "rows": {"cloudtrail_events": 10},
        "problems": [],
    }
    assert statuses() == [(0, "done"), (1, "done"), (2, "pending")]

    before = lake()
    for path in before:
        Path(path).unlink()
    nothing, complaint = run(*SPAN, "--only-new")
    assert (some(nothing, "hours", "listed", "new", "again", "objects"), complaint) == ((2, 2, 0, 0, 0), "")
    assert lake() == {}
    again, complaint = run(*SPAN)
    assert (some(again, "hours", "listed", "new", "again", "objects"), complaint) == ((2, 2, 0, 2, 0), "")
    assert lake() == before
    assert statuses() == [(0, "done"), (1, "done"), (2, "pending")]


def test_what_cannot_be_done_again_or_scanned_is_told_and_the_rest_is_done(tmp_path: Path, aws: Aws) -> None:
    lost = write(tmp_path / "logs", 1, packed([record(1)]))
    configure()
    assert some(run(*SPAN)[0], "new", "again", "objects") == (1, 0, 1)
    before = lake()
    lost.unlink()
    write(tmp_path / "logs", 2, packed([record(3700)]), START + timedelta(hours=1))
    configure({"name": "gone", "bucket": "a-bucket-that-is-gone"}, endpoint_url=aws.endpoint)
    figures, complaint = run(*SPAN)
    assert some(figures, "hours", "listed", "new", "again", "objects") == (2, 1, 1, 1, 1)
    assert "gone: a-bucket-that-is-gone/: the bucket does not exist" in complaint
    assert "was left as it is: missing: " in complaint
    assert figures["problems"] == complaint.splitlines()[-2:]
    assert lost.name in complaint
    assert before.items() < lake().items()


def test_progress_counts_what_is_new_and_what_is_done_again(tmp_path: Path) -> None:
    for number in range(3):
        write(tmp_path / "logs", number, packed([record(number)]))
    configure()
    platform = open_platform(load_settings())
    seen: list[tuple[int, int]] = []
    backfill(platform, range(HOUR, HOUR + 1), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)
    write(tmp_path / "logs", 3, packed([record(3)]))
    done = backfill(platform, range(HOUR, HOUR + 1), progress=lambda done, total: seen.append((done, total)))
    platform.database.dispose()
    assert seen[-1] == (4, 4)
    assert all(0 <= done <= total for done, total in seen)
    assert some(done.as_dict(), "again", "objects", "events") == (3, 1, 1)


def test_the_sensors_leave_its_hours_alone_while_it_goes_on(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(1)]))
    configure()
    platform = open_platform(load_settings())
    seen: list[list[range]] = []

    def look(*_: int) -> None:
        with platform.database.read() as connection:
            seen.append(reserved_hours.spans(connection, datetime.now(UTC)))

    span = range(HOUR, HOUR + 2)
    backfill(platform, span, progress=look)
    assert seen[-1] == [span]
    look()
    platform.database.dispose()
    assert seen[-1] == []


def test_what_comes_elsewhere_meanwhile_is_left_to_the_sensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for hour in (0, 2):
        start = START + timedelta(hours=hour)
        write(tmp_path / "logs", hour, packed([record(hour, start=start)]), start)
    configure()
    platform = open_platform(load_settings())
    claim = Road.claim

    def claiming(road: Road, run: RunIdentity, hours: Sequence[Hour], *, again: bool) -> list[Assignment]:
        scan_hours(platform, [HOUR + 2])
        return claim(road, run, hours, again=again)

    monkeypatch.setattr(Road, "claim", claiming)
    done = backfill(platform, range(HOUR, HOUR + 1))
    platform.database.dispose()
    assert some(done.as_dict(), "objects", "problems") == (1, [])
    assert statuses() == [(0, "done"), (2, "pending")]


def test_what_comes_into_its_hours_after_the_scan_is_left_to_the_sensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "logs", 0, packed([record(0)]))
    configure()
    platform = open_platform(load_settings())
    deliver = Road.deliver

    def delivering(road: Road) -> object:
        write(tmp_path / "logs", 1, packed([record(1)]))
        scan_hours(platform, [HOUR])
        return deliver(road)

    monkeypatch.setattr(Road, "deliver", delivering)
    backfill(platform, range(HOUR, HOUR + 1))
    platform.database.dispose()
    assert statuses() == [(0, "done"), (0, "pending")]


def test_run_monitoring_sees_that_its_runs_live(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(1)]))
    configure()
    run(*SPAN)
    with dg.DagsterInstance.from_config("home/dagster") as instance:
        (mine,) = instance.get_runs()
        assert mine.tags[PROCESS_TAG] == current_owner()
        assert instance.run_launcher.check_run_worker_health(mine).status is WorkerStatus.RUNNING


def test_a_run_that_does_not_begin_says_why(tmp_path: Path) -> None:
    write(tmp_path / "logs", 1, packed([record(1)]))
    configure()
    prepare_home(load_settings())
    settings = Path("home/dagster/dagster.yaml")
    logs = {
        "module": "dagster_aws.s3.compute_log_manager",
        "class": "S3ComputeLogManager",
        "config": {"bucket": {"env": "RUN_LOGS_BUCKET"}},
    }
    settings.write_text(settings.read_text() + yaml.safe_dump({"compute_logs": logs}))
    figures, complaint = run(*SPAN)
    assert figures["objects"] == 0
    assert "failed before its first step" in complaint
    assert "RUN_LOGS_BUCKET" in complaint


def test_people_get_a_table(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    configure()
    result = CliRunner().invoke(command, SPAN, catch_exceptions=False)
    assert result.exit_code == 0
    assert {"hours", "listed", "new", "again", "events"} <= set(result.stdout.split())
