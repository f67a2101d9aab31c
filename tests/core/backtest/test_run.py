"""Rules over the lake's history: what they find, against what the store has, without changing anything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from iota_dagster.backtesting import Order, run_backtest
from iota_dagster.core.backtest import tallies
from iota_dagster.core.backtest.report import BacktestReport, Difference, RuleResult
from iota_dagster.core.backtest.run import History
from iota_dagster.core.errors import LakeFileDamaged, Outage, RuleError, SettingsError
from iota_dagster.core.hours import hour_start, hours_within
from iota_dagster.core.store.schema import metadata
from iota_dagster.platform import Platform
from tests.road.world import ELEVEN, NINE, TEN, World, drive, record, sign_in

ADDRESSES = ["203.0.113.1", "203.0.113.1", "203.0.113.2"]
CORRELATION = """\
AnalysisType: correlation_rule
RuleID: Test.Both
Enabled: true
Severity: High
Detection:
  - Group: [{ RuleID: Test.First, MinMatchCount: 2 }]
    LookbackWindowMinutes: 30
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """An installation whose rule has found three sign-ins, two alerts, among 23 events of two hours."""
    folder = tmp_path_factory.mktemp("made")
    world = World.at(folder, f"sqlite:///{folder}/iota.db")
    with world.opened() as platform:
        sign_ins = [sign_in(f"s{number}", address, TEN, number) for number, address in enumerate(ADDRESSES)]
        world.deliver(platform, {"a.json.gz": [record(f"n{number}", NINE) for number in range(20)]}, TEN)
        world.deliver(platform, {"b.json.gz": sign_ins}, TEN)
        drive(platform, "run")
    return world


@pytest.fixture
def platform(made: World) -> Iterator[Platform]:
    """The installation; what a test does to its lake it does to a copy."""
    with made.opened() as platform:
        yield platform


@pytest.fixture
def copied(made: World, tmp_path: Path) -> Iterator[Platform]:
    """The same, with a lake of the test's own."""
    home = shutil.copytree(made.home, tmp_path / "home")
    with replace(made, home=home).opened() as platform:
        yield platform


def write_rule(folder: Path, name: str, condition: str, **more: Any) -> None:
    """A rule `Test.<name>` with one condition over `event`; `code` is put before its function."""
    folder.mkdir(exist_ok=True)
    code = more.pop("code", "")
    (folder / f"{name}.py").write_text(f"{code}\n\ndef rule(event):\n    return {condition}\n")
    keys = {"AnalysisType": "rule", "RuleID": f"Test.{name}", "Filename": f"{name}.py", "Enabled": "true"}
    values = keys | {"LogTypes": "[AWS.CloudTrail]", "Severity": "Low"} | more
    (folder / f"{name}.yml").write_text("".join(f"{key}: {value}\n" for key, value in values.items()))


def run(platform: Platform, *rules: str, hours: range = range(NINE, ELEVEN), **more: Any) -> BacktestReport:
    history = History(platform.database, platform.lake)
    return run_backtest(platform.settings, history, Order(hours, rules, **more))


def only(report: BacktestReport) -> RuleResult:
    (result,) = report.rules
    return result


def stored(platform: Platform) -> dict[str, list[Any]]:
    """Every row of every table, and the lake's files."""
    with platform.database.read() as connection:
        rows = {table.name: list(connection.execute(sa.select(table))) for table in metadata.sorted_tables}
    return rows | {"files": [file.path for file in platform.lake.list("")]}


def test_an_unchanged_rule_finds_what_the_store_has(platform: Platform) -> None:
    report = run(platform)
    result = only(report)
    assert (report.events, report.files, result.events) == (23, 2, 23)
    assert result.matches == Difference(found=3, stored=3, new=0, gone=0)
    assert result.alerts == Difference(found=2, stored=2, new=0, gone=0)
    assert result.matches_per_million == pytest.approx(3 / 23 * 1e6)
    assert report.failures == ()


def test_a_backtest_changes_nothing(platform: Platform) -> None:
    before = stored(platform)
    run(platform)
    assert stored(platform) == before


def test_only_the_hours_asked_for_are_read(platform: Platform) -> None:
    report = run(platform, hours=range(NINE, TEN))
    assert (report.events, report.files) == (20, 1)
    assert only(report).matches == Difference(0, 0, 0, 0)
    assert run(platform, hours=range(ELEVEN, ELEVEN + 5)).events == 0


def test_a_changed_rule_shows_what_is_new_and_what_would_go(platform: Platform, tmp_path: Path) -> None:
    condition = 'event.get("sourceIPAddress") in ("203.0.113.2", "203.0.113.7")'
    write_rule(tmp_path / "other", "SignIn", condition)
    result = only(run(platform, folder=tmp_path / "other"))
    assert result.matches == Difference(found=21, stored=3, new=20, gone=2)
    assert result.alerts.new == result.alerts.found
    assert result.alerts.gone == 2  # its dedup string is another one now


def test_a_threshold_counts_as_it_does_on_the_road(platform: Platform, tmp_path: Path) -> None:
    for least, alerts in ((20, 1), (21, 0)):
        write_rule(tmp_path / "other", "Many", 'event.get("eventName") == "GetObject"', Threshold=least)
        result = only(run(platform, folder=tmp_path / "other"))
        assert (result.matches.found, result.alerts.found) == (20, alerts)


def test_samples_say_which_matches_are_new(platform: Platform, tmp_path: Path) -> None:
    shown = only(run(platform, samples=2)).samples
    assert [(item.title, item.severity, item.new) for item in shown] == [
        ("sign-in from 203.0.113.1", "HIGH", False),
        ("sign-in from 203.0.113.1", "HIGH", False),
    ]
    assert shown[0].event_time == hour_start(TEN)
    write_rule(tmp_path / "other", "New", "True", Severity="Low")
    assert [item.new for item in only(run(platform, folder=tmp_path / "other", samples=1)).samples] == [True]


def test_candidates_are_what_routing_leaves_and_they_cost_time(platform: Platform, tmp_path: Path) -> None:
    write_rule(tmp_path / "other", "All", 'event.get("awsRegion") == "us-east-1"')
    write_rule(tmp_path / "other", "Never", 'event.get("eventName") == "NoSuchCall"')
    report = run(platform, folder=tmp_path / "other")
    results = {result.rule_id: result for result in report.rules}
    assert (results["Test.All"].candidates, results["Test.Never"].candidates) == (23, 0)
    assert results["Test.All"].seconds > 0
    assert results["Test.Never"].seconds == 0


def test_disabled_rules_run_when_they_are_named(platform: Platform, tmp_path: Path) -> None:
    write_rule(tmp_path / "other", "On", "True")
    write_rule(tmp_path / "other", "Off", "True", Enabled="false")
    assert [result.rule_id for result in run(platform, folder=tmp_path / "other").rules] == ["Test.On"]
    assert only(run(platform, "Test.Off", folder=tmp_path / "other")).matches.found == 23


def test_a_rule_that_fails_is_told_and_stops_no_other(platform: Platform, tmp_path: Path) -> None:
    write_rule(tmp_path / "other", "Bad", 'event["missing"]')
    write_rule(tmp_path / "other", "Broken", "True", code="import no_such_module")
    write_rule(tmp_path / "other", "Good", "True")
    report = run(platform, folder=tmp_path / "other")
    assert {result.rule_id: result.matches.found for result in report.rules}["Test.Good"] == 23
    failures = {failure.rule_id: failure for failure in report.failures}
    assert failures["Test.Bad"].count == 23
    assert "no_such_module" in failures["Test.Broken"].error


def test_rules_that_need_more_than_one_event_are_left_out_with_the_reason(platform: Platform, tmp_path: Path) -> None:
    remembers = "from panther_detection_helpers.caching import get_string_set"
    write_rule(tmp_path / "other", "Remembers", 'bool(get_string_set("key"))', code=remembers)
    write_rule(tmp_path / "other", "Okta", "True", LogTypes="[Nobody.Knows]")
    write_rule(tmp_path / "other", "Good", "True")
    report = run(platform, folder=tmp_path / "other")
    assert only(report).rule_id == "Test.Good"
    assert {item.rule_id: item.reason for item in report.left_out} == {
        "Test.Remembers": "it remembers values from event to event",
        "Test.Okta": "the lake has no table of its log types",
    }
    with pytest.raises(RuleError, match=r"no rule to run \(Test.Okta: the lake has no table"):
        run(platform, "Test.Okta", folder=tmp_path / "other")


def test_an_unknown_rule_is_an_error_with_a_guess(platform: Platform) -> None:
    with pytest.raises(RuleError, match=r"there is no rule Test\.SignIm; did you mean Test\.SignIn\?"):
        run(platform, "Test.SignIm")


def test_too_many_matches_end_the_backtest_with_the_rule_that_makes_them(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tallies, "MOST_MATCHES", 2)
    with pytest.raises(RuleError, match=r"more than 2 matches, most of them of Test\.SignIn"):
        run(platform)


def test_a_column_that_an_older_file_lacks_is_no_obstacle(copied: Platform) -> None:
    for found in list(copied.lake.list("cloudtrail_events/")):
        path = copied.settings.home / "lake" / found.path
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["eventName"]), path)
    assert only(run(copied)).matches.found == 3


def test_a_lake_that_does_not_answer_is_an_outage(copied: Platform) -> None:
    root = Path(copied.lake.url.removeprefix("file://"))
    root.rename(root.with_name("elsewhere"))
    with pytest.raises(Outage):
        run(copied)


def test_a_file_that_is_missing_from_the_lake_is_named(copied: Platform) -> None:
    for found in list(copied.lake.list("cloudtrail_events/")):
        copied.lake.delete(found.path)
    with pytest.raises(LakeFileDamaged, match=r"cloudtrail_events/.*\.parquet is missing"):
        run(copied)


def test_progress_ends_at_the_number_of_events(platform: Platform) -> None:
    told: list[tuple[int, int]] = []
    history = History(platform.database, platform.lake)
    settings = replace(platform).settings
    run_backtest(settings, history, Order(range(NINE, ELEVEN)), lambda done, total: told.append((done, total)))
    assert told[0] == (0, 23)
    assert told[-1] == (23, 23)


def test_hours_are_those_that_a_span_touches() -> None:
    start = hour_start(TEN)
    assert hours_within(start, start + timedelta(hours=2)) == range(TEN, TEN + 2)
    assert hours_within(start + timedelta(minutes=59), start + timedelta(minutes=61)) == range(TEN, TEN + 2)
    with pytest.raises(SettingsError, match="nothing lies between"):
        hours_within(start, start)


def test_a_correlation_rule_is_left_out(platform: Platform, tmp_path: Path) -> None:
    write_rule(tmp_path / "other", "First", "True")
    (tmp_path / "other" / "both.yml").write_text(CORRELATION)
    report = run(platform, folder=tmp_path / "other")
    assert [(item.rule_id, item.reason) for item in report.left_out] == [
        ("Test.Both", "a correlation rule judges other rules' matches")
    ]
    with pytest.raises(RuleError, match="there is no rule to run"):
        run(platform, "Test.Both", folder=tmp_path / "other")
