"""The tests in correlation rules' YAML files, run offline over the matches that they name in `RuleOutputs`."""

from __future__ import annotations

from pathlib import Path

from iota_dagster.core.detection.authoring.test_report import TestFailure
from iota_dagster.core.detection.correlation.evaluate import foresee
from iota_dagster.core.detection.correlation.rule import CorrelationRule, CorrelationTest


def run_correlation_test(rule: CorrelationRule, test: CorrelationTest) -> TestFailure | None:
    """Run one test; `None` when it passed.

    A test's matches are all there are and all that will come: what must be absent and is not among them did not happen.
    """
    got = bool(foresee(rule, test.signals))
    if got == test.expected:
        return None
    return TestFailure(rule.id, test.name, test.expected, got, None, Path(rule.file), test.line)
