"""The sensor of scheduled queries, the job that it asks for, and the command that shows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa
import yaml
from click.testing import CliRunner

from iota_dagster.cli.rules_queries import command
from iota_dagster.core.errors import Outage
from iota_dagster.core.hours import hour_folder, hour_of
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.schema import lake_files, metadata
from iota_dagster.core.store.schema import scheduled_queries as table
from iota_dagster.definitions import defs
from iota_dagster.defs import sensor_platform
from iota_dagster.defs.query_schedule import AskedQueries, run_due_queries, scheduled_queries, scheduled_query_due
from iota_dagster.defs.resources import resources
from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import load_settings, project_file

RULE = """\
AnalysisType: scheduled_rule
RuleID: Test.Number
Filename: number.py
Enabled: true
ScheduledQueries: [Numbers]
Severity: High
"""
QUERY = """\
AnalysisType: scheduled_query
QueryName: Numbers
Enabled: true
Query: {sql}
Schedule: {{RateMinutes: 10}}
"""
CODE = "def rule(event):\n    return event['n'] == 1\n\ndef title(event):\n    return f\"number {event['n']}\"\n"
SQL = "SELECT unnest([0, 1]) AS n"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    """An installation with a query of two rows, one of which its rule finds."""
    rules = tmp_path / "rules"
    rules.mkdir()
    (rules / "numbers.yml").write_text(QUERY.format(sql=SQL))
    (rules / "number.yml").write_text(RULE)
    (rules / "number.py").write_text(CODE)
    (tmp_path / "iota.yaml").write_text(yaml.safe_dump({"home": str(tmp_path / "home"), "rules": [str(rules)]}))
    monkeypatch.setenv("IOTA_CONFIG", str(tmp_path / "iota.yaml"))
    sensor_platform._opened.cache_clear()
    opened = open_platform(load_settings())
    with opened.database.begin() as connection:
        metadata.create_all(connection)
    yield opened
    opened.database.dispose()
    sensor_platform.sensor_platform().database.dispose()
    sensor_platform._opened.cache_clear()


def make_due(platform: Platform) -> None:
    with platform.database.begin() as connection:
        connection.execute(sa.update(table).values(due_at=datetime.now(UTC) - timedelta(minutes=1)))


def unreadable_file(platform: Platform) -> None:
    """A file of the lake that is neither there nor known not to be: the lake does not answer."""
    hour = hour_of(datetime(2026, 11, 22, 10, tzinfo=UTC))
    path = f"cloudtrail_events/{hour_folder(hour)}/g=0/b1.parquet"
    values = {"table_name": "cloudtrail_events", "hour": hour, "source": "b1", "generation": 0, "path": path}
    with platform.database.begin() as connection:
        connection.execute(lake_files.insert(), {**values, "rows": 1, "bytes": 1, "sha256": ""})
    file = Path(platform.lake.url.removeprefix("file://")) / path
    file.parent.mkdir(parents=True)
    file.symlink_to(file)


def look() -> dg.RunRequest | dg.SkipReason:
    with dg.DagsterInstance.ephemeral() as instance, dg.build_sensor_context(instance) as context:
        found = scheduled_query_due(context)
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


def run(instance: dg.DagsterInstance, request: dg.RunRequest | None = None) -> bool:
    """What the daemon does with a request; without one, a run from the UI."""
    config = request.run_config if request else {}
    return scheduled_queries.execute_in_process(config, instance=instance, resources=defs.resources).success


def told(platform: Platform) -> list[str]:
    path = platform.settings.home / "alerts.jsonl"
    return [json.loads(line)["title"] for line in path.read_text().splitlines()] if path.exists() else []


def shown(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_what_is_due_is_asked_for_once_run_and_told(platform: Platform) -> None:
    assert isinstance(look(), dg.SkipReason)  # it makes the query known
    make_due(platform)
    request = look()
    assert isinstance(request, dg.RunRequest)
    assert (request.run_key or "").startswith("queries-")
    assert isinstance(look(), dg.SkipReason)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(instance)  # by hand: what somebody else was asked for is not its
        assert not told(platform)
        assert run(instance, request)
    with platform.database.read() as connection:
        assert [alert.title for alert in list_alerts(connection)] == ["number 1"]
    assert told(platform) == ["number 1"]
    (known,) = json.loads(shown("--json"))["queries"]
    assert (known["schedule"], known["rules"], known["last_rows"], known["last_matches"]) == (
        *("every 10 min", ["Test.Number"]),
        *(2, 1),
    )


def test_a_run_by_hand_does_what_is_due_and_nobody_was_asked_for(platform: Platform) -> None:
    look()
    make_due(platform)
    with dg.DagsterInstance.ephemeral() as instance:
        assert run(instance)
    assert told(platform) == ["number 1"]


def test_what_could_be_done_is_told_though_another_query_waits_for_its_file(platform: Platform) -> None:
    folder = platform.settings.rules[0]
    (folder / "first.yml").write_text(
        QUERY.format(sql="SELECT 1 AS n FROM cloudtrail_events").replace("Numbers", "First")
    )
    (folder / "number.yml").write_text(RULE.replace("[Numbers]", "[Numbers, First]"))
    unreadable_file(platform)
    look()
    make_due(platform)
    request = look()
    assert isinstance(request, dg.RunRequest)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_op_context(instance=instance, resources={"platform": resources()["platform"]}) as context,
        pytest.raises(dg.RetryRequested) as raised,
    ):
        run_due_queries(context, AskedQueries(**request.run_config["ops"]["run_due_queries"]["config"]))
    assert isinstance(raised.value.__cause__, Outage)
    assert told(platform) == ["number 1"]


def test_jobs_that_must_not_fill_all_places_run_once_at_a_time() -> None:
    limits = yaml.safe_load(project_file("dagster_home/dagster.yaml").read_text())["concurrency"]["runs"]
    (limit,) = (item for item in limits["tag_concurrency_limits"] if item["key"] == "iota/alone")
    assert (limit["value"], limit["limit"]) == ({"applyLimitPerUniqueValue": True}, 1)
    jobs = {name: defs.resolve_job_def(name) for name in ("scheduled_queries", "quality")}
    assert {name: job.tags.get("iota/alone") for name, job in jobs.items()} == {name: name for name in jobs}


def test_a_query_can_be_tried_without_a_trace(platform: Platform) -> None:
    lines = shown("--run", "Numbers").splitlines()
    assert lines[:2] == ['{"n": 0}', '{"n": 1}']
    assert lines[2].startswith("2 rows in ")
    assert re.search(r", 1 matches, as of \d{4}-\d\d-\d\dT\d\d:\d0:00Z$", lines[2])
    assert lines[3] == "  HIGH     Test.Number: number 1"
    with platform.database.read() as connection:
        assert list_alerts(connection) == []
        assert connection.scalar(sa.select(sa.func.count()).select_from(table)) == 0


def test_a_query_can_be_tried_as_of_a_time_in_the_past(platform: Platform) -> None:
    sql = "SELECT date_diff('minute', $previous_due_at, $due_at) AS n, $due_at AS due"
    (platform.settings.rules[0] / "numbers.yml").write_text(QUERY.format(sql=sql))
    told = json.loads(shown("--run", "Numbers", "--at", "2026-03-01T10:07", "--json"))
    assert (told["due_at"], told["previous_due_at"]) == ("2026-03-01T10:07:00Z", "2026-03-01T10:00:00Z")
    assert told["rows"] == [{"n": 7, "due": "2026-03-01T10:07:00Z"}]
    alone = CliRunner().invoke(command, ["--at", "2026-03-01T10:07"])
    assert (alone.exit_code, "name one with --run" in alone.output) == (2, True)


def test_a_query_that_fails_or_is_not_there_is_said_so(platform: Platform) -> None:
    (platform.settings.rules[0] / "numbers.yml").write_text(QUERY.format(sql="SELECT n FROM nowhere"))
    failed = CliRunner().invoke(command, ["--run", "Numbers"])
    assert failed.exit_code == 1
    assert "FAILED" in failed.output
    assert "nowhere" in failed.output
    unknown = CliRunner().invoke(command, ["--run", "Letters"])
    assert "there is no scheduled query Letters; there are: Numbers" in unknown.output


def test_the_list_names_what_runs_when_and_what_cannot(platform: Platform) -> None:
    other = QUERY.format(sql="").replace("Numbers", "Letters").replace("Query: \n", "SnowflakeQuery: SELECT 1\n")
    (platform.settings.rules[0] / "letters.yml").write_text(other)
    lines = shown().splitlines()
    assert lines[:3] == ["Numbers", "  schedule  every 10 min (UTC)", "  rules     Test.Number"]
    assert lines[3].startswith("cannot run Letters: its SQL (SnowflakeQuery) is another warehouse's")
