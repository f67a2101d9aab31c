"""The tests of whole folders of rules, quickly: reading a thousand YAML files takes longer than running their tests.

Much to read is shared out to processes; for a single rule, only files that mention its id are read. Data models and
lookup tables are read by everybody, since any rule's tests may need them.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from iota_dagster.core.detection.authoring.rule_tests import run_tests
from iota_dagster.core.detection.authoring.test_report import TestFailure, TestReport
from iota_dagster.core.detection.loader import load_rules, yaml_files
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.errors import RuleError

FILES_PER_PROCESS = 100
"""Fewer than these are read faster than a process is started."""

_SHARED = re.compile(rb"AnalysisType:\s*[\"']?(?:datamodel|lookup_table)")
_CORRELATION = re.compile(rb"AnalysisType:\s*[\"']?correlation_rule")


@dataclass(frozen=True, slots=True)
class _Share:
    """What one process reads and tests."""

    folders: tuple[Path, ...]
    files: frozenset[Path]
    test_name: str | None


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of a share: its report, and which file each rule is in."""

    report: TestReport
    files: dict[str, Path]


def run_folder_tests(
    folders: Sequence[Path], rule_id: str | None = None, test_name: str | None = None, processes: int = 1
) -> TestReport:
    """Run the tests of some folders; `RuleError` when there is no such rule, or no test of that name."""
    started = time.perf_counter()
    contents = {file: _content(file) for folder in folders for file in yaml_files(folder)}
    if rule_id is not None:
        report = run_tests(_around(folders, contents, rule_id), rule_id, test_name)
    else:
        report = _shared_out(tuple(folders), contents, test_name, processes)
    return replace(report, seconds=round(time.perf_counter() - started, 3))


def _around(folders: Sequence[Path], contents: dict[Path, bytes], rule_id: str) -> RulePack:
    """The rules of the files that mention an id; all of them when it is in none."""
    name = rule_id.encode()
    mentioned = {file for file, content in contents.items() if name in content or _SHARED.search(content)}
    pack = load_rules(folders, only=mentioned)
    ids = [*(rule.id for rule in pack.rules), *(rule.id for rule in pack.correlations)]
    return pack if rule_id in ids else load_rules(folders)


def _shared_out(
    folders: tuple[Path, ...], contents: dict[Path, bytes], test_name: str | None, processes: int
) -> TestReport:
    count = max(1, min(processes, len(contents) // FILES_PER_PROCESS))
    if count == 1:
        return run_tests(load_rules(folders), None, test_name)
    shares = [_Share(folders, files, test_name) for files in _dealt(contents, count)]
    # Forked, so that nothing is imported again; this process has no other thread yet.
    with ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("fork")) as pool:
        done = list(pool.map(_test, shares))
    return _joined(done, test_name)


def _dealt(contents: dict[Path, bytes], count: int) -> list[frozenset[Path]]:
    """The files in shares of about the same size, those that concern everybody in each of them."""
    shared = {file for file, content in contents.items() if _SHARED.search(content)}
    correlated = {file for file, content in contents.items() if _CORRELATION.search(content)}
    shares, sizes = [set(shared) for _ in range(count)], [0] * count
    shares[0] |= correlated  # they are checked against each other
    for file in sorted(contents.keys() - shared - correlated, key=lambda file: (-len(contents[file]), file)):
        smallest = sizes.index(min(sizes))
        shares[smallest].add(file)
        sizes[smallest] += len(contents[file])
    return [frozenset(share) for share in shares]


def _test(share: _Share) -> _Done:
    pack = load_rules(share.folders, only=share.files)
    files = {rule.id: Path(rule.file) for rule in pack.rules} | {rule.id: Path(rule.file) for rule in pack.correlations}
    try:
        report = run_tests(pack, None, share.test_name)
    except RuleError:  # no test of that name here
        report = replace(run_tests(replace(pack, rules=(), correlations=())), rules=0)
    return _Done(report, files)


def _joined(done: Sequence[_Done], test_name: str | None) -> TestReport:
    reports = [item.report for item in done]
    tests = sum(report.tests for report in reports)
    if test_name is not None and not tests:
        raise RuleError(f"there is no test named {test_name!r}")
    failures = dict.fromkeys(_key(failure) for report in reports for failure in report.failures)
    first = {_key(failure): failure for report in reports for failure in reversed(report.failures)}
    return TestReport(
        rules=sum(report.rules for report in reports),
        tests=tests,
        failures=(*(first[key] for key in failures), *_doubles(done)),
        skipped=tuple(dict.fromkeys(item for report in reports for item in report.skipped)),
        seconds=0,
    )


def _key(failure: TestFailure) -> tuple[object, ...]:
    """What tells failures apart: those of files that everybody reads come from everybody."""
    return failure.file, failure.line, failure.rule, failure.test, failure.error


def _doubles(done: Iterable[_Done]) -> list[TestFailure]:
    """Rule ids that two shares have."""
    seen: dict[str, Path] = {}
    found = []
    for item in done:
        for rule_id, file in item.files.items():
            other = seen.setdefault(rule_id, file)
            if other != file:
                text = f"RuleID {rule_id} is taken by {other}"
                found.append(TestFailure(None, None, None, None, text, file, 1))
    return found


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
