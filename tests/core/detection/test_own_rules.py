"""The rules that come with the product: tested, explained and listed."""

import re
from pathlib import Path

import msgspec
import pytest

from iota_dagster.core.detection.authoring.mutation import mutate
from iota_dagster.core.detection.authoring.rule_tests import run_tests
from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.loader import load_rules

RULES = Path(__file__).parents[3] / "rules"
PACK = load_rules([RULES])
FOLDERS = sorted({Path(rule.file).parent for rule in PACK.rules})


def test_all_of_them_load_and_pass_their_tests() -> None:
    report = run_tests(PACK)
    assert (report.failures, report.skipped) == ((), ())
    assert report.rules >= 120
    assert sum("AWS.CloudTrail" in rule.log_types for rule in PACK.rules) >= 70


def test_each_is_explained_to_the_person_who_gets_the_alert() -> None:
    for rule in PACK.rules:
        assert rule.description, rule.id
        assert rule.runbook.count("\n") >= 2, rule.id
        assert rule.reference.startswith("https://"), rule.id
        techniques = rule.reports["MITRE ATT&CK"]
        assert techniques, rule.id
        assert all(re.fullmatch(r"TA\d{4}:T\d{4}(\.\d{3})?", technique) for technique in techniques), rule.id


def test_each_has_tests_of_both_kinds() -> None:
    for rule in PACK.rules:
        results = [test.result for test in PACK.tests[rule.id].tests]
        assert len(results) >= 3, rule.id
        assert {True, False} <= set(results), rule.id


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_changing_any_one_condition_of_a_rule_makes_one_of_its_tests_fail(folder: Path) -> None:
    report = mutate(load_rules([folder]))
    assert [f"{item.file.name}:{item.line}: {item.change}" for item in report.survivors] == []
    assert not report.errors
    assert report.mutants >= report.rules


def test_none_of_them_stumbles_over_an_event_that_lacks_fields() -> None:
    engine = Engine(PACK.rules)
    for rule in PACK.rules:
        logs = [test.log for test in PACK.tests[rule.id].tests]
        hollow = [{key: value for key, value in log.items() if key != left_out} for log in logs for left_out in log]
        for log_type in rule.log_types:
            verdict = engine.evaluate(log_type, [*map(msgspec.json.encode, hollow), b"{}"])
            assert verdict.failures == [], rule.id


def test_none_of_them_stumbles_over_a_value_of_another_type() -> None:
    engine = Engine(PACK.rules)
    values: list[object] = [[], {}, "x", 5, [{"a": [1]}], True]
    for rule in PACK.rules:
        logs = [test.log for test in PACK.tests[rule.id].tests if test.result]
        odd = [{**log, key: value} for log in logs for key in log for value in values]
        for log_type in rule.log_types:
            assert engine.evaluate(log_type, list(map(msgspec.json.encode, odd))).failures == [], rule.id
