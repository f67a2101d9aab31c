"""The tests in the rules' YAML files, run through the same engine as production.

Expected true: `rule` returned True and no function failed. Expected false: `rule` returned exactly False. Beyond that
a test may expect a title, a severity, a dedup string and a context.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import CodeType
from typing import Any
from unittest import mock

import msgspec

from iota_dagster.core.detection.authoring.test_report import TestFailure, TestReport
from iota_dagster.core.detection.correlation.rule import CorrelationRule, CorrelationTest
from iota_dagster.core.detection.correlation.rule_tests import run_correlation_test
from iota_dagster.core.detection.engine import Engine, load, load_module
from iota_dagster.core.detection.event import EventContext
from iota_dagster.core.detection.functions import RULE_ERRORS, RuleFunctions, describe
from iota_dagster.core.detection.key_values import MemoryValues, use
from iota_dagster.core.detection.metadata import RuleTest
from iota_dagster.core.detection.modules import Importer, PackageMissing, where
from iota_dagster.core.detection.rule import Rule, RulePack, RuleTests, Skipped, Surroundings
from iota_dagster.core.detection.surroundings import load_surroundings
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch, Verdict
from iota_dagster.core.errors import RuleError


def run_tests(pack: RulePack, rule_id: str | None = None, test_name: str | None = None) -> TestReport:
    """Run all tests of a pack, of one rule, or of one name; `RuleError` when there is no such rule or test."""
    started = time.perf_counter()
    importer = Importer()
    _check_rule(pack, rule_id)
    rules = [rule for rule in pack.rules if rule_id in (None, rule.id)]
    correlations = [rule for rule in pack.correlations if rule_id in (None, rule.id)]
    broken = dict(_broken(rules, importer))
    chosen = [item for item in _choose(pack, rules, test_name) if item[0].id not in broken]
    correlated = list(_choose_correlated(correlations, test_name))
    if not chosen and not correlated and test_name is not None:
        raise RuleError(f"there is no test named {test_name!r}" + (f" in rule {rule_id}" if rule_id else ""))
    failures = [_load_failure(error.file, error.line, error.detail) for error in pack.errors]
    failures += [item for item in broken.values() if isinstance(item, TestFailure)]
    context, failed = load_surroundings(pack.surroundings, importer)
    failures += _broken_surroundings(pack.surroundings, failed)
    results = (run_test(rule, test, line, importer, context=context) for rule, test, line in chosen)
    failures += [failure for failure in results if failure]
    failures += [failure for rule, test in correlated if (failure := run_correlation_test(rule, test))]
    named = {rule.id for rule, _, _ in chosen} | {rule.id for rule, _ in correlated}
    return TestReport(
        rules=len(named) if test_name else len(rules) + len(correlations) - len(broken),
        tests=len(chosen) + len(correlated),
        failures=tuple(failures),
        skipped=(*pack.skipped, *(item for item in broken.values() if isinstance(item, Skipped))),
        seconds=round(time.perf_counter() - started, 3),
    )


def _check_rule(pack: RulePack, rule_id: str | None) -> None:
    # With load errors the rule may be in a broken file: those are reported, and say more than "no such rule".
    ids = [*(rule.id for rule in pack.rules), *(rule.id for rule in pack.correlations)]
    if rule_id is not None and rule_id not in ids and not pack.errors:
        raise RuleError(f"there is no rule {rule_id!r} that can be tested; there are {len(ids)} others")


def _choose(pack: RulePack, rules: Iterable[Rule], test_name: str | None) -> Iterator[tuple[Rule, RuleTest, int]]:
    for rule in rules:
        own = pack.tests.get(rule.id, RuleTests())
        for test, line in zip(own.tests, own.lines, strict=True):
            if test_name in (None, test.name):
                yield rule, test, line


def _choose_correlated(
    rules: Iterable[CorrelationRule], test_name: str | None
) -> Iterator[tuple[CorrelationRule, CorrelationTest]]:
    return ((rule, test) for rule in rules for test in rule.tests if test_name in (None, test.name))


def _broken(rules: Iterable[Rule], importer: Importer) -> Iterator[tuple[str, TestFailure | Skipped]]:
    """The rules whose code cannot be run, by id; one that only lacks an optional package is skipped."""
    for rule in rules:
        try:
            load(rule, importer)
        except PackageMissing as error:
            yield rule.id, Skipped(Path(rule.file), rule.id, str(error))
        except RULE_ERRORS as error:
            file, line = where(error) or (Path(rule.code), 1)
            yield rule.id, _load_failure(file, line, f"cannot be loaded: {describe(error)}")


def _broken_surroundings(specs: Surroundings, failures: Iterable[RuleFailure]) -> Iterator[TestFailure]:
    """The data models and lookup tables that cannot be used: the rules that ask them would just not match."""
    files = {model.id: model.code for model in specs.models} | {table.name: table.file for table in specs.tables}
    for failed in failures:
        file = Path(files[failed.rule_id] or failed.rule_id)
        yield _load_failure(file, 1, f"{failed.function} {failed.rule_id}: {failed.error}")


def _load_failure(file: Path, line: int, detail: str) -> TestFailure:
    return TestFailure(None, None, None, None, detail, file, line)


def run_test(
    rule: Rule,
    test: RuleTest,
    line: int,
    importer: Importer,
    code: CodeType | None = None,
    context: EventContext | None = None,
) -> TestFailure | None:
    """Run one test; `None` when it passed. `code` takes the place of the rule's own."""

    def failure(expected: object, got: object, error: str | None = None) -> TestFailure:
        return TestFailure(rule.id, test.name, expected, got, error, Path(rule.file), line, test.log)

    try:
        verdict = _evaluate(rule, test, importer, code, context)
    except Exception as error:
        return failure(test.result, None, f"the test cannot be run: {error}")
    got = _result(rule, verdict)
    if verdict.failures:
        return failure(test.result, got, "; ".join(f"{failed.function}: {failed.error}" for failed in verdict.failures))
    if test.result is not None and got != test.result:
        return failure(test.result, got)
    return next((failure(*difference) for difference in _differences(test, verdict.matches)), None)


def _result(rule: Rule, verdict: Verdict) -> bool | None:
    """What a test's `ExpectedResult` speaks of: whether a rule matched, or whether a policy was kept."""
    if any(failed.function in ("rule", "decode", "import") for failed in verdict.failures):
        return None
    return bool(verdict.matches) != (rule.kind == "policy")


def _evaluate(
    rule: Rule, test: RuleTest, importer: Importer, code: CodeType | None, context: EventContext | None
) -> Verdict:
    """The verdict of the production engine on the test's event, with the test's mocks in the rule's module."""
    module = load_module(rule, importer, code)
    with ExitStack() as mocks, use(MemoryValues()) as session:
        for item in test.mocks:
            double = mock.MagicMock(return_value=copy.deepcopy(item.value))
            mocks.enter_context(mock.patch.object(module, item.name, double))
        # Routing was read off the code as it stands: neither mocks nor other code are in it.
        engine = Engine([], routed=not test.mocks and code is None, importer=importer, context=context)
        engine.add(RuleFunctions(rule, module, 1), rule.log_types or ("",))
        return engine.evaluate((rule.log_types or ("",))[0], [msgspec.json.encode(test.log)], session=session)


def _differences(test: RuleTest, matches: list[RuleMatch]) -> Iterator[tuple[Any, Any, str]]:
    """What a test expects of the match beyond its existence and does not get: (expected, got, name)."""
    got = matches[0] if matches else None
    for name in ("title", "severity", "dedup", "context"):
        expected = getattr(test, name)
        actual = getattr(got, name, None)
        if expected is not None and expected != actual:
            yield expected, actual, f"wrong {name}"
