"""The checks of completeness in Dagster: what they show, when they fail, and that people are told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import register_objects
from iota_dagster.core.completeness.freshness import FEWEST_GAPS
from iota_dagster.core.hours import hour_start
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects
from iota_dagster.defs.assets import ASSETS
from iota_dagster.defs.checks.completeness import COMPLETENESS_CHECKS
from iota_dagster.defs.completeness_job import COMPLETENESS_JOBS, COMPLETENESS_SCHEDULES
from iota_dagster.defs.resources import resources
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.core.completeness.digests import Trail, contents
from tests.road.world import drive

HOUR = timedelta(hours=1)
defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=COMPLETENESS_CHECKS,
    jobs=COMPLETENESS_JOBS,
    schedules=COMPLETENESS_SCHEDULES,
    resources=resources(),
    executor=dg.in_process_executor,
)


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is read as the integration `inbox`."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    (tmp_path / "rules").mkdir()
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IOTA_RULES", json.dumps([str(tmp_path / "rules")]))
    monkeypatch.setenv("IOTA_PROCESS_WORKERS", "1")
    monkeypatch.setenv("IOTA_INTEGRATIONS", json.dumps([{"name": "inbox", "path": str(folder)}]))
    return folder


def write(inbox: Path, key: str, data: bytes) -> None:
    path = inbox / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def take(inbox: Path, *, all_the_way: bool = True) -> None:
    """Enter what lies there into the ledger and process it."""
    platform = open_platform(load_settings())
    register_objects(platform.database, platform.objects.list(f"{SCHEME}{inbox}", ""), "inbox")
    if all_the_way:
        drive(platform, "run")
    platform.database.dispose()


def run(job: str) -> dict[str, tuple[bool, str, dict[str, Any]]]:
    """Each check of a job: whether it passed, its severity, and its figures."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def(job).execute_in_process(instance=instance)
    return {
        item.check_name: (
            item.passed,
            item.severity.value,
            {name: value.value for name, value in item.metadata.items()},
        )
        for item in result.get_asset_check_evaluations()
    }


def alerts() -> dict[str, str]:
    database = Database(load_settings().store_url)
    with database.read() as connection:
        found = {alert.rule_id: alert.status for alert in list_alerts(connection)}
    database.dispose()
    return found


def recent() -> datetime:
    """The beginning of the hour some hours ago."""
    return (datetime.now(UTC) - 5 * HOUR).replace(minute=0, second=0, microsecond=0)


def test_a_file_that_a_digest_lists_and_nobody_told_of_fails_the_check_and_tells_people(inbox: Path) -> None:
    start = recent()
    (first, second) = contents(["a", "b"], start)
    write(inbox, *first)
    trail = Trail(f"{SCHEME}{inbox}")
    digest = trail.digest(start + HOUR, [first, second])
    write(inbox, digest.key, digest.packed)
    take(inbox)
    found = run("completeness")
    assert found.keys() == {"logs_as_listed", "sources_write"}
    passed, severity, figures = found["logs_as_listed"]
    assert (passed, severity, figures["missing"], figures["digests"]) == (False, "ERROR", 1, 1)
    (row,) = figures["findings"].records
    assert row.data["object"].endswith("_b.json.gz")
    (row,) = figures["signatures"].records
    assert row.data == {"signature": "unchecked", "why": "a folder keeps no signatures", "digests": 1}
    assert alerts() == {"iota.LogsMissing": "open"}
    (line,) = (inbox.parent / "home" / "alerts.jsonl").read_text().splitlines()
    assert "Log files that CloudTrail delivered are missing (inbox): 1" in line

    write(inbox, *second)
    take(inbox)
    assert run("completeness")["logs_as_listed"][0]
    assert alerts() == {"iota.LogsMissing": "withdrawn"}


def test_a_forged_digest_is_told_and_keeps_nothing_else_from_being_told(inbox: Path) -> None:
    start = recent()
    ((lost, text),) = contents(["lost"], start)
    trail = Trail(f"{SCHEME}{inbox}")
    forged = trail.digest(start, [], digestEndTime="0001-01-01T00:00:00+14:00")
    for digest in (forged, Trail(trail.bucket).digest(start + HOUR, [(lost, text)])):
        write(inbox, digest.key, digest.packed)
    take(inbox)
    passed, severity, figures = run("completeness")["logs_as_listed"]
    assert (passed, severity, figures["missing"], figures["untrusted"]) == (False, "ERROR", 1, 1)
    assert alerts() == {"iota.LogsMissing": "open", "iota.DigestUntrusted": "open"}


def test_three_digests_that_are_gone_are_told_once_and_keep_nothing_after_them_from_being_told(inbox: Path) -> None:
    trail, taken = Trail(f"{SCHEME}{inbox}"), list[str]()
    for number in range(3):
        digest = trail.digest(recent() - number * HOUR, [])
        write(inbox, digest.key, digest.packed)
        taken.append(digest.key)
    ((lost, text),) = contents(["lost"], recent())
    digest = Trail(trail.bucket).digest(recent() + HOUR, [(lost, text)])
    write(inbox, digest.key, digest.packed)
    take(inbox)
    for key in taken:
        (inbox / key).unlink()
    told = inbox.parent / "home" / "alerts.jsonl"
    for _ in range(2):
        passed, severity, figures = run("completeness")["logs_as_listed"]
        assert (passed, severity, figures["missing"], figures["digests"]) == (False, "ERROR", 4, 1)
        assert len(figures["waiting"].records) == 3
        assert {json.loads(line)["rule_id"] for line in told.read_text().splitlines()} == {"iota.LogsMissing"}
    before = len(told.read_text().splitlines())
    run("completeness")
    assert len(told.read_text().splitlines()) == before


def test_an_integration_that_fell_silent_fails_the_check_and_tells_people(inbox: Path) -> None:
    start = datetime.now(UTC) - timedelta(days=3)
    for number in range(FEWEST_GAPS + 1):
        ((key, text),) = contents([f"f{number}"], start + number * HOUR)
        write(inbox, key, text)
    take(inbox, all_the_way=False)
    database = Database(load_settings().store_url)
    with database.begin() as connection:  # the files were written just now, but delivered when their names say
        for item, hour in connection.execute(sa.select(log_objects.c.id, log_objects.c.delivery_hour)).all():
            delivered = {"last_modified": hour_start(hour)}
            connection.execute(sa.update(log_objects).where(log_objects.c.id == item).values(**delivered))
    database.dispose()
    passed, severity, figures = run("completeness")["sources_write"]
    assert (passed, severity, figures["silent"]) == (False, "ERROR", 1)
    (row,) = figures["integrations_seen"].records
    assert (row.data["state"], row.data["allowed_minutes"]) == ("silent", 120)
    assert alerts() == {"iota.SourceSilent": "open"}


def test_the_daily_listing_registers_what_the_ledger_lacks_and_warns(inbox: Path) -> None:
    ((key, text),) = contents(["a"], recent())
    write(inbox, key, text)
    passed, severity, figures = run("reconciliation")["places_listed"]
    assert (passed, severity, figures["lacking"], figures["registered"]) == (False, "WARN", 1, 1)
    take(inbox)
    passed, _, figures = run("reconciliation")["places_listed"]
    assert (passed, figures["listed"], figures["lacking"]) == (True, 1, 0)


def test_a_fresh_installation_passes_all_checks(inbox: Path) -> None:
    found = run("completeness") | run("reconciliation")
    assert [passed for passed, _, _ in found.values()] == [True, True, True]


def test_the_jobs_run_by_themselves() -> None:
    schedules = {item.job_name: item for item in COMPLETENESS_SCHEDULES}
    assert schedules.keys() == {job.name for job in COMPLETENESS_JOBS}
    assert {item.default_status for item in schedules.values()} == {dg.DefaultScheduleStatus.RUNNING}
