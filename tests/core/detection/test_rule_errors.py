"""A rule that fails becomes an alert: one a day for each rule, taken back when the rule is repaired."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.rule_errors import PERIOD_MINUTES, PREFIX, UNREADABLE, error_matches
from iota_dagster.core.detection.verdict import RuleFailure
from iota_dagster.core.model import Alert
from iota_dagster.core.store import alerts
from iota_dagster.platform import Platform
from tests.road.world import NINE, TEN, World, drive, record, sign_in

METADATA = """\
AnalysisType: rule
Filename: {name}.py
RuleID: Test.{name}
Enabled: true
LogTypes: [AWS.CloudTrail]
Severity: Low
"""
DIVIDES = 'def rule(event):\n    return event["eventName"] == "GetObject" and 1 / event.get("zero", 0) > 2\n'
REPAIRED = "def rule(event):\n    return False\n"
IDS = st.sampled_from(["a", "b", ""])
FAILURES = st.lists(
    st.builds(
        RuleFailure,
        IDS,
        st.sampled_from(["rule", "title"]),
        st.text(max_size=1200),
        st.integers(0, 9),
        st.integers(1, 9),
    ),
    max_size=9,
)


@given(FAILURES)
def test_each_failing_rule_is_one_match_on_the_first_record_it_failed_on(failures: list[RuleFailure]) -> None:
    matches = list(error_matches(failures, "v"))
    found = {match.rule_id.removeprefix(PREFIX): match for match in matches}
    assert len(found) == len(matches)
    assert found.keys() == {failure.rule_id or UNREADABLE for failure in failures}
    for name, match in found.items():
        own = [failure for failure in failures if (failure.rule_id or UNREADABLE) == name]
        assert match.index == min(failure.index for failure in own)
        assert match.context["failures"] == sum(failure.count for failure in own)
        assert match.context["error"] in {failure.error for failure in own}
        assert (match.dedup, match.rule_version, match.period_minutes) == (name, "v", PERIOD_MINUTES)
        assert len(match.title) <= 1000


# ── on the whole road ──


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An installation with a good rule and one that fails on every `GetObject`."""
    world = World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")
    change(world, "divides", DIVIDES)
    return world


def change(world: World, name: str, code: str) -> None:
    (world.rules / f"{name}.yml").write_text(METADATA.format(name=name))
    (world.rules / f"{name}.py").write_text(code)


def found(platform: Platform, rule: str) -> list[Alert]:
    with platform.database.read() as connection:
        return alerts.list_alerts(connection, rule_id=rule)


def two_hours(world: World, platform: Platform) -> None:
    objects = [record("a", NINE), record("b", NINE), sign_in("c", "198.51.100.1", NINE)]
    world.deliver(platform, {"nine/a": objects, "nine/b": [record("d", NINE)]}, NINE)
    world.deliver(platform, {"ten/e": [record("e"), sign_in("f", "198.51.100.2")]}, TEN)


def test_a_failing_rule_is_one_alert_a_day_and_costs_no_other_rule_anything(world: World, platform: Platform) -> None:
    two_hours(world, platform)
    drive(platform, "first")
    (alert,) = found(platform, "iota.RuleFailed.Test.divides")
    assert alert.title.startswith("Rule Test.divides fails: ZeroDivisionError: ")
    assert "divides.py:2" in alert.title
    assert (alert.status, alert.severity, alert.matches) == ("open", "MEDIUM", 2)
    assert alert.period_minutes == timedelta(days=1) // timedelta(minutes=1)
    assert alert.context["rule"] == "Test.divides"
    assert sorted(each.dedup for each in found(platform, "Test.SignIn")) == ["198.51.100.1", "198.51.100.2"]
    assert found(platform, "Test.divides") == []


def test_a_repaired_rule_takes_its_alert_back_once_its_hours_are_judged_again(world: World, platform: Platform) -> None:
    two_hours(world, platform)
    drive(platform, "first")
    change(world, "divides", REPAIRED)
    with world.opened() as later:
        drive(later, "again", again=True, hours=[NINE])
        (alert,) = found(platform, "iota.RuleFailed.Test.divides")
        assert (alert.status, alert.matches) == ("open", 1)
        drive(later, "again too", again=True, hours=[TEN])
    assert [each.status for each in found(platform, "iota.RuleFailed.Test.divides") if each.status == "open"] == []
    assert len(found(platform, "Test.SignIn")) == 2


def test_a_rule_that_cannot_be_imported_or_kills_is_told_of_in_the_same_way(world: World, platform: Platform) -> None:
    change(world, "divides", REPAIRED)
    change(world, "imports", "import there_is_no_such_module\n" + REPAIRED)
    change(world, "kills", "import os\n\ndef rule(event):\n    os._exit(3)\n")
    two_hours(world, platform)
    drive(platform, "first")
    (imports,) = found(platform, "iota.RuleFailed.Test.imports")
    assert imports.context["function"] == "import"
    assert "there_is_no_such_module" in imports.title
    (kills,) = found(platform, "iota.RuleFailed.Test.kills")
    assert "exit status 3" in kills.title
    assert len(found(platform, "Test.SignIn")) == 2
