"""How well the tests of rules pin them: every mutant of a rule should make one of its tests fail.

Mutants run in this process, on the rule's own tests, up to the first that fails. One that never ends is stopped by an
alarm and counts as noticed. Needs the main thread of a Unix process, because of the alarm.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import NoReturn

from iota_dagster.core.detection.authoring.mutants import mutants
from iota_dagster.core.detection.authoring.rule_tests import run_test
from iota_dagster.core.detection.functions import RULE_ERRORS
from iota_dagster.core.detection.modules import Importer
from iota_dagster.core.detection.rule import Rule, RuleFileError, RulePack, RuleTests
from iota_dagster.core.errors import RuleError

SECONDS_PER_MUTANT = 1.0
_AGAIN = 0.05  # a rule that swallows the first alarm gets the next one so many seconds later


@dataclass(frozen=True, slots=True)
class Survivor:
    """A change to a rule that none of its tests noticed."""

    rule: str
    file: Path
    line: int
    change: str


@dataclass(frozen=True, slots=True)
class MutationReport:
    """What became of the mutants. `errors`: files that cannot be loaded, and rules whose own tests fail."""

    rules: int
    mutants: int
    survivors: tuple[Survivor, ...]
    errors: tuple[RuleFileError, ...]
    seconds: float

    @property
    def killed(self) -> int:
        """How many mutants some test noticed."""
        return self.mutants - len(self.survivors)


def mutate(pack: RulePack, rule_id: str | None = None) -> MutationReport:
    """Judge the tests of a pack's Python rules, or of one; `RuleError` when there is no such rule."""
    started = time.perf_counter()
    rules = [rule for rule in pack.rules if rule_id in (None, rule.id) and rule.code]
    if rule_id is not None and not rules and not pack.errors:
        raise RuleError(f"there is no rule {rule_id!r}; there are {len(pack.rules)} others")
    count, survivors, errors, importer = 0, [], [*pack.errors], Importer()
    for rule in rules:
        suite = _Suite(rule, pack.tests.get(rule.id, RuleTests()), importer)
        if not suite.passes():
            errors.append(RuleFileError(Path(rule.file), 1, f"{rule.id}: its own tests fail; see iota rules test"))
            continue
        file, function = Path(rule.code), "policy" if rule.kind == "policy" else "rule"
        for mutant in mutants(file.read_bytes(), str(file), function):
            count += 1
            if suite.survived_by(mutant.code):
                survivors.append(Survivor(rule.id, _beside(Path(rule.file), file), mutant.line, mutant.change))
    return MutationReport(len(rules), count, tuple(survivors), tuple(errors), round(time.perf_counter() - started, 3))


@dataclass(frozen=True, slots=True)
class _Suite:
    """A rule's own tests, to be run on the rule or on a mutant of it."""

    rule: Rule
    tests: RuleTests
    importer: Importer

    def passes(self, code: CodeType | None = None) -> bool:
        """Whether all tests pass, with some code in place of the rule's own."""
        pairs = zip(self.tests.tests, self.tests.lines, strict=True)
        return all(run_test(self.rule, test, line, self.importer, code) is None for test, line in pairs)

    def survived_by(self, code: CodeType) -> bool:
        """Whether no test notices a mutant."""
        try:
            with _alarm(SECONDS_PER_MUTANT):
                return self.passes(code)
        except (*RULE_ERRORS, _TooLongError):
            return False


class _TooLongError(BaseException):
    """Not an `Exception`: neither a rule nor the engine may take it for a rule's error."""


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    before, hook = signal.signal(signal.SIGALRM, _ring), sys.unraisablehook

    def tell(lost: sys.UnraisableHookArgs) -> None:
        if not isinstance(lost.exc_value, _TooLongError):  # an alarm that a callback of the collector swallowed
            hook(lost)

    sys.unraisablehook = tell
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        sys.unraisablehook = hook


def _ring(_number: int, _frame: FrameType | None) -> NoReturn:
    raise _TooLongError


def _beside(file: Path, code: Path) -> Path:
    """A rule's code file as its YAML file was named: a path that a person can click on from where they are."""
    return file.parent / code.name if file.parent.resolve() == code.parent else code
