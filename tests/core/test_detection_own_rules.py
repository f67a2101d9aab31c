"""The rules that come with the product: tested, explained and listed."""

import re
from pathlib import Path

import msgspec
import pytest

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.rule import Rule
from iota_dagster.core.detection.rule_tests import run_tests

RULES = Path(__file__).parents[2] / "rules"
PACK = load_rules([RULES])


@pytest.fixture(params=PACK.rules, ids=lambda rule: rule.id)
def own(request: pytest.FixtureRequest) -> Rule:
    rule: Rule = request.param
    return rule


def test_all_of_them_load_and_pass_their_tests() -> None:
    report = run_tests(PACK)
    assert (report.failures, report.skipped) == ((), ())
    assert report.rules >= 5


def test_each_is_explained_to_the_person_who_gets_the_alert(own: Rule) -> None:
    assert own.description
    assert own.runbook.count("\n") >= 3
    assert own.reference.startswith("https://docs.aws.amazon.com/")
    assert all(re.fullmatch(r"TA\d{4}:T\d{4}(\.\d{3})?", technique) for technique in own.reports["MITRE ATT&CK"])


def test_each_has_tests_of_both_kinds_and_of_an_event_with_missing_fields(own: Rule) -> None:
    results = [test.result for test in own.tests]
    assert len(results) >= 4
    assert {True, False} <= set(results)


def test_none_of_them_stumbles_over_an_event_that_lacks_fields(own: Rule) -> None:
    hollow = [
        {key: value for key, value in test.log.items() if key in ("eventName", "eventSource") or key != left_out}
        for test in own.tests
        for left_out in test.log
    ]
    records = [msgspec.json.encode(log) for log in hollow] + [b"{}"]
    assert Engine(PACK).evaluate("AWS.CloudTrail", records).failures == []


def test_each_is_listed_in_the_readme(own: Rule) -> None:
    assert f"[{own.id}]({own.file.relative_to(RULES)})" in (RULES / "README.md").read_text()
