"""The assets in Dagster: by hand and by backfill, over one hour and over a range, whole and in part."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from iota_dagster.cli import iota
from iota_dagster.core.batch.fetching import Fetched
from iota_dagster.core.batch.road import Judged, Road
from iota_dagster.core.hours import Hour, hour_of
from iota_dagster.core.model import Batch
from iota_dagster.core.store import reserved_hours
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.claims import Assignment
from iota_dagster.definitions import defs
from iota_dagster.defs.steps import CLAIM_TAG
from iota_dagster.ingesting import register_path
from iota_dagster.platform import open_platform
from iota_dagster.settings import load_settings
from tests.cli.logs import RULE, START, packed, record, write

NEXT = START + timedelta(hours=1)
NO_TAGS: Mapping[str, str] = {}
HOUR, NEXT_HOUR = "2025-03-01-10:00", "2025-03-01-11:00"


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder for an installation, and what is to be put there: to ingest once takes longer than to copy often."""
    place, saved = tmp_path_factory.mktemp("place"), tmp_path_factory.mktemp("saved")
    with pytest.MonkeyPatch.context() as patch:
        live_in(place, patch)
        ingest_two_hours(place / "logs")
    shutil.copytree(place, saved, dirs_exist_ok=True)
    return place, saved


@pytest.fixture
def place(ingested: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose store has two delivery hours: 30 events, 4 of them twice, one of which matches a rule."""
    place, saved = ingested
    shutil.rmtree(place)
    shutil.copytree(saved, place)
    live_in(place, monkeypatch)
    return place


@pytest.fixture
def instance(place: Path) -> Iterator[dg.DagsterInstance]:
    """The installation's Dagster."""
    with dg.DagsterInstance.from_config(str(place / "home" / "dagster")) as opened:
        yield opened


def live_in(place: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(place)
    patch.setenv("IOTA_HOME", str(place / "home"))
    patch.setenv("IOTA_RULES", f"[{RULE}]")


def ingest_two_hours(logs: Path) -> None:
    write(logs, 1, packed([record(number) for number in range(20)]))
    late = [record(number) for number in range(16, 25)]
    new = [record(number, "StopLogging" if number == 29 else "DescribeInstances", NEXT) for number in range(25, 30)]
    write(logs, 2, packed(late + new), NEXT)
    result = CliRunner().invoke(iota, ["ingest", str(logs), "--json"], catch_exceptions=False)
    assert json.loads(result.stdout)["events"] == 30


def query(sql: str) -> list[dict[str, object]]:
    return list(json.loads(CliRunner().invoke(iota, ["query", sql, "--format", "json"]).stdout))


def state(place: Path) -> object:
    rows = query("SELECT * FROM cloudtrail_events ORDER BY p_event_id")
    matches = query("SELECT * FROM alert_matches ORDER BY match_id")
    alerts = query("SELECT id, status, matches FROM alerts ORDER BY id")
    return rows, matches, alerts, (place / "home" / "alerts.jsonl").exists()


def run(
    instance: dg.DagsterInstance, job: dg.JobDefinition, first: str, last: str, tags: Mapping[str, str] = NO_TAGS
) -> dg.ExecuteInProcessResult:
    span = {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last}
    result = job.execute_in_process(instance=instance, tags={**span, **tags})
    assert result.success
    return result


def figures(instance: dg.DagsterInstance, asset: str, partition: str) -> dict[str, object]:
    """The numbers of an asset's newest materialization of an hour."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[partition])
    found = instance.fetch_materializations(wanted, limit=1).records
    assert found, f"{asset} {partition} was never materialized"
    materialization = found[0].asset_materialization
    assert materialization is not None
    return {name: value.value for name, value in materialization.metadata.items()}


def test_each_table_shows_what_its_event_hours_hold(instance: dg.DagsterInstance) -> None:
    assert figures(instance, "cloudtrail_events", HOUR)["dagster/row_count"] == 25
    assert figures(instance, "cloudtrail_events", NEXT_HOUR)["dagster/row_count"] == 5
    assert figures(instance, "alert_matches", NEXT_HOUR)["dagster/row_count"] == 1
    events = figures(instance, "events", NEXT_HOUR)
    assert (events["hour_records"], events["hour_rows"], events["hour_duplicates"]) == (14, 10, 4)


def rows(shown: object) -> list[dict[str, object]]:
    """A table of metadata as rows."""
    assert isinstance(shown, dg.TableMetadataValue)
    return [dict(record.data) for record in shown.records]


def test_every_asset_shows_its_figures_and_the_hours_totals(instance: dg.DagsterInstance, place: Path) -> None:
    raw = figures(instance, "raw_logs", NEXT_HOUR)
    assert (raw["batch_objects"], raw["batch_unreadable"], raw["batch_waiting"]) == (2, 0, 0)
    assert (raw["hour_objects"], raw["hour_waiting"], raw["hour_unreadable"]) == (1, 0, 0)
    assert str(raw["objects/logs/111122223333"]).startswith(str(place / "logs" / "AWSLogs"))
    events = figures(instance, "events", NEXT_HOUR)
    assert {"lag_event_seconds", "lag_delivered_seconds", "lag_registered_seconds", "batch_seconds"} <= events.keys()
    assert rows(events["event_hours"])[0] == {"log_type": "AWS.CloudTrail", "event_hour": NEXT_HOUR, "events": 5}
    lake = figures(instance, "lake", NEXT_HOUR)
    assert lake["batch_rows_cloudtrail_events"] == 30  # one run did both hours, and shows its own figures on each
    assert lake["batch_event_hours"] == 2
    correlations = figures(instance, "correlations", NEXT_HOUR)
    assert (correlations["matches"], correlations["rule_failures"]) == (0, 0)
    deliveries = figures(instance, "alert_deliveries", NEXT_HOUR)
    assert (deliveries["sent"], deliveries["outbox_waiting"], deliveries["outbox_failed"]) == (0, 0, 0)


def test_alerts_show_what_an_hour_is_about(instance: dg.DagsterInstance) -> None:
    shown = figures(instance, "alerts", NEXT_HOUR)
    assert (shown["hour_matches"], shown["hour_alerts"]) == (1, 1)
    assert (shown["stale_rules"], shown["oldest_rules_version"]) == (0, shown["rules_version"])
    (alert,) = rows(shown["newest_alerts"])
    assert (alert["matches"], alert["status"], alert["last_event"]) == (1, "open", "2025-03-01 11:00:29")
    (rule,) = rows(shown["top_rules"])
    assert rule == {"rule": alert["rule"], "matches": 1}
    quiet = figures(instance, "alerts", HOUR)
    assert (quiet["hour_matches"], quiet["hour_alerts"]) == (0, 0)
    assert "newest_alerts" not in quiet


def test_a_table_says_where_an_hour_lies_and_how_much_of_it_is_new(instance: dg.DagsterInstance, place: Path) -> None:
    shown = figures(instance, "cloudtrail_events", HOUR)
    assert shown["batch_rows"] == shown["dagster/row_count"] == 25
    folder = place / "home" / "lake" / "cloudtrail_events" / "year=2025" / "month=03" / "day=01" / "hour=10"
    assert shown["location"] == str(folder)
    assert folder.is_dir()


def test_an_object_that_cannot_be_read_is_named_in_the_hours_figures(instance: dg.DagsterInstance, place: Path) -> None:
    lost = write(place / "logs", 3, packed([record(40)]), NEXT)
    settings = load_settings()
    register_path(open_platform(settings), place / "logs")
    lost.unlink()
    run(instance, defs.resolve_job_def("ingest"), NEXT_HOUR, NEXT_HOUR)
    shown = figures(instance, "raw_logs", NEXT_HOUR)
    assert (shown["batch_unreadable"], shown["hour_unreadable"], shown["hour_objects"]) == (1, 1, 2)
    (unreadable,) = rows(shown["unreadable"])
    assert unreadable["reason"] == "missing"
    assert str(unreadable["object"]).endswith(lost.name)


def test_a_key_cannot_steer_the_terminal_of_whoever_reads_the_runs_log(
    instance: dg.DagsterInstance, place: Path
) -> None:
    lost = write(place / "logs", 3, packed([record(40)]), NEXT)
    evil = lost.rename(lost.with_name(lost.name.replace(".json", "\x1b[2J.json")))
    register_path(open_platform(load_settings()), place / "logs")
    evil.unlink()
    result = run(instance, defs.resolve_job_def("ingest"), NEXT_HOUR, NEXT_HOUR)
    said = [entry.user_message for entry in instance.all_logs(result.run_id) if "no such file" in entry.user_message]
    assert len(said) == 1
    assert "\\x1b[2J.json" in said[0]
    assert "\x1b" not in said[0]


def test_a_batch_that_cannot_be_judged_fails_its_run_and_keeps_nobody_from_being_told_of_the_others(
    instance: dg.DagsterInstance, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTA_NOTIFY_WITHIN_HOURS", "100000")
    write(place / "logs", 3, packed([record(40, "StopLogging")]))
    write(place / "logs", 4, packed([record(41, "StopLogging", NEXT, userAgent="another")]), NEXT)
    register_path(open_platform(load_settings()), place / "logs")
    judge = Road.judge

    def not_the_first_hour(road: Road, batch: Batch) -> Judged:
        if batch.delivery_hour == hour_of(START):
            raise ValueError("this batch cannot be judged")
        return judge(road, batch)

    tags = {"dagster/asset_partition_range_start": HOUR, "dagster/asset_partition_range_end": NEXT_HOUR}
    job = defs.resolve_job_def("ingest")
    with monkeypatch.context() as patch:
        patch.setattr(Road, "judge", not_the_first_hour)
        result = job.execute_in_process(instance=instance, tags=tags | {CLAIM_TAG: ""}, raise_on_error=False)
    assert not result.success
    assert [event.step_key for event in result.all_events if event.is_step_failure] == ["alerts"]
    told = (place / "home" / "alerts.jsonl").read_text()
    assert len(told.splitlines()) == 1
    assert "2025-03-01T11" in told


def test_hours_done_again_by_hand_or_by_backfill_change_nothing(instance: dg.DagsterInstance, place: Path) -> None:
    before = state(place)
    run(instance, defs.resolve_job_def("ingest"), HOUR, NEXT_HOUR)
    again = figures(instance, "events", HOUR)
    assert (again["batch_records"], again["batch_rows"], again["missing_objects"]) == (34, 30, 0)
    assert figures(instance, "alert_deliveries", HOUR)["sent"] == 0
    assert state(place) == before


@pytest.mark.parametrize(
    ("tags", "reserved"),
    [({}, [range(hour_of(START), hour_of(NEXT) + 1)]), ({CLAIM_TAG: ""}, [])],
    ids=["scan", "claim"],
)
def test_a_run_that_scans_its_hours_reserves_them_until_they_are_claimed(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tags: dict[str, str], reserved: list[range]
) -> None:
    seen: list[list[range]] = []
    claim, fetch = Road.claim, Road.fetch

    def look(road: Road) -> None:
        with road.database.read() as connection:
            seen.append(reserved_hours.spans(connection, datetime.now(UTC)))

    def claiming(road: Road, run: RunIdentity, hours: Sequence[Hour], *, again: bool) -> list[Assignment]:
        look(road)
        return claim(road, run, hours, again=True)

    def fetching(road: Road, assignment: Assignment) -> Fetched:
        look(road)
        return fetch(road, assignment)

    monkeypatch.setattr(Road, "claim", claiming)
    monkeypatch.setattr(Road, "fetch", fetching)
    run(instance, defs.resolve_job_def("ingest"), HOUR, NEXT_HOUR, tags)
    assert seen == [reserved, [], []]


def test_a_run_shows_which_integration_it_could_not_list(
    instance: dg.DagsterInstance, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IOTA_INTEGRATIONS", json.dumps([{"name": "gone", "path": str(place / "not-there")}]))
    run(instance, defs.resolve_job_def("ingest"), HOUR, HOUR)
    shown = figures(instance, "raw_logs", HOUR)
    assert (shown["scan_failed"], shown["scan_listed"]) == (1, 0)
    (told,) = rows(shown["not_listed"])
    assert told["integration"] == "gone"
    assert "not-there" in str(told["why"])


def test_an_hour_that_lost_an_input_stays_as_it_is_and_names_it(instance: dg.DagsterInstance, place: Path) -> None:
    before = state(place)
    lost = next((place / "logs").rglob("*T1000Z*"))
    lost.unlink()
    run(instance, defs.resolve_job_def("ingest"), HOUR, HOUR)
    shown = figures(instance, "events", HOUR)
    assert shown["missing_objects"] == 1
    assert lost.name in str(shown["missing"])
    assert state(place) == before


def test_alerts_launched_alone_judge_the_hour_again(instance: dg.DagsterInstance, place: Path) -> None:
    before = state(place)
    job = dg.define_asset_job("alone", selection=dg.AssetSelection.assets("alerts"))
    subset = dg.Definitions(assets=defs.assets, jobs=[job], resources=defs.resources).resolve_job_def("alone")
    run(instance, subset, NEXT_HOUR, NEXT_HOUR)
    assert figures(instance, "alerts", NEXT_HOUR)["batch_matches"] == 1
    assert state(place) == before


def test_materializing_a_table_by_hand_compacts_its_hours(instance: dg.DagsterInstance, place: Path) -> None:
    before = state(place)
    assert figures(instance, "cloudtrail_events", HOUR)["files"] == 2
    job = dg.define_asset_job("compact", selection=dg.AssetSelection.assets("cloudtrail_events"))
    subset = dg.Definitions(assets=defs.assets, jobs=[job], resources=defs.resources).resolve_job_def("compact")
    run(instance, subset, HOUR, NEXT_HOUR)
    files = list((place / "home" / "lake" / "cloudtrail_events").rglob("hour=10/g=1/*.parquet"))
    assert len(files) == 1
    shown = figures(instance, "cloudtrail_events", HOUR)
    assert (shown["dagster/row_count"], shown["files"], shown["compacted_hours"]) == (25, 1, 1)
    assert state(place) == before


def test_the_housekeeping_job_leaves_everything_that_is_in_use(instance: dg.DagsterInstance, place: Path) -> None:
    before = state(place)
    assert defs.resolve_job_def("maintenance").execute_in_process(instance=instance).success
    run(instance, defs.resolve_job_def("ingest"), HOUR, NEXT_HOUR)
    assert state(place) == before
