"""The tests in the rules' YAML files, run through the same engine as production.

Expected true: `rule` returned True and no function failed. Expected false: `rule` returned exactly False. Beyond that
a test may expect a title, a severity, a dedup string and a context.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar
from unittest import mock

import msgspec

from iota_dagster.core.detection.engine import Engine
from iota_dagster.core.detection.metadata import RuleTest
from iota_dagster.core.detection.rule import Rule, RulePack, Skipped
from iota_dagster.core.detection.verdict import RuleMatch, Verdict
from iota_dagster.core.errors import RuleError


@dataclass(frozen=True, slots=True)
class TestFailure:
    """One test that failed, or one file that cannot be loaded (then `rule` and `test` are None)."""

    __test__: ClassVar[bool] = False  # not for pytest

    rule: str | None
    test: str | None
    expected: Any
    got: Any
    error: str | None
    file: Path
    line: int
    event: dict[Any, Any] | None = None


@dataclass(frozen=True, slots=True)
class TestReport:
    """What a run of tests gave. `failed` counts all `failures`: tests, and files that cannot be loaded."""

    __test__: ClassVar[bool] = False

    rules: int
    tests: int
    failures: tuple[TestFailure, ...]
    skipped: tuple[Skipped, ...]
    seconds: float

    @property
    def passed(self) -> int:
        """How many tests passed."""
        return self.tests - sum(failure.test is not None for failure in self.failures)

    @property
    def failed(self) -> int:
        """How many tests failed and files could not be loaded."""
        return len(self.failures)


def run_tests(pack: RulePack, rule_id: str | None = None, test_name: str | None = None) -> TestReport:
    """Run all tests of a pack, of one rule, or of one name; `RuleError` when there is no such rule or test."""
    started = time.perf_counter()
    chosen = list(_choose(pack, rule_id, test_name))
    if not chosen and test_name is not None:
        raise RuleError(f"there is no test named {test_name!r}" + (f" in rule {rule_id}" if rule_id else ""))
    failures = [_load_failure(error.file, error.line, error.detail) for error in pack.errors]
    failures += [failure for rule, test, line in chosen if (failure := _run(rule, test, line))]
    return TestReport(
        rules=len({rule.id for rule, _, _ in chosen} if test_name else _rules(pack, rule_id)),
        tests=len(chosen),
        failures=tuple(failures),
        skipped=pack.skipped,
        seconds=round(time.perf_counter() - started, 3),
    )


def _rules(pack: RulePack, rule_id: str | None) -> list[Rule]:
    rules = [rule for rule in pack.rules if rule_id in (None, rule.id)]
    # With load errors the rule may be in a broken file: those are reported, and say more than "no such rule".
    if rule_id is not None and not rules and not pack.errors:
        raise RuleError(f"there is no rule {rule_id!r} that can be tested; there are {len(pack.rules)} others")
    return rules


def _choose(pack: RulePack, rule_id: str | None, test_name: str | None) -> Iterator[tuple[Rule, RuleTest, int]]:
    for rule in _rules(pack, rule_id):
        for test, line in zip(rule.tests, rule.test_lines, strict=True):
            if test_name in (None, test.name):
                yield rule, test, line


def _load_failure(file: Path, line: int, detail: str) -> TestFailure:
    return TestFailure(None, None, None, None, detail, file, line)


def _run(rule: Rule, test: RuleTest, line: int) -> TestFailure | None:
    """Run one test; `None` when it passed."""

    def failure(expected: object, got: object, error: str | None = None) -> TestFailure:
        return TestFailure(rule.id, test.name, expected, got, error, rule.file, line, test.log)

    try:
        verdict = _evaluate(rule, test)
    except Exception as error:
        return failure(test.result, None, f"the test cannot be run: {error}")
    got = None if any(failed.function in ("rule", "decode") for failed in verdict.failures) else bool(verdict.matches)
    if verdict.failures:
        return failure(test.result, got, "; ".join(f"{failed.function}: {failed.error}" for failed in verdict.failures))
    if test.result is not None and got != test.result:
        return failure(test.result, got)
    return next((failure(*difference) for difference in _differences(test, verdict.matches)), None)


def _evaluate(rule: Rule, test: RuleTest) -> Verdict:
    """The verdict of the production engine on the test's event, with the test's mocks in the rule's module."""
    with ExitStack() as mocks:
        for item in test.mocks:
            double = mock.MagicMock(return_value=copy.deepcopy(item.value))
            mocks.enter_context(mock.patch.object(rule.module, item.name, double))
        engine = Engine(RulePack((replace(rule, enabled=True),)))
        return engine.evaluate(rule.log_types[0], [msgspec.json.encode(test.log)])


def _differences(test: RuleTest, matches: list[RuleMatch]) -> Iterator[tuple[Any, Any, str]]:
    """What a test expects of the match beyond its existence and does not get: (expected, got, name)."""
    got = matches[0] if matches else None
    for name in ("title", "severity", "dedup", "context"):
        expected = getattr(test, name)
        actual = getattr(got, name, None)
        if expected is not None and expected != actual:
            yield expected, actual, f"wrong {name}"
