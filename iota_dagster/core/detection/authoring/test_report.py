"""What the tests of rules gave."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from iota_dagster.core.detection.rule import Skipped


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
