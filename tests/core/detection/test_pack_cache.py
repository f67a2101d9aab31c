"""A pack that was kept is the pack that would be read, whatever happens to the files."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from iota_dagster.core.detection import pack_cache
from iota_dagster.core.detection.loader import load_rules
from iota_dagster.core.detection.pack_cache import read_rules
from iota_dagster.core.detection.rule import RulePack

METADATA = """\
AnalysisType: rule
RuleID: {name}
Enabled: true
LogTypes: [T]
Severity: Medium
{more}
"""
CODE = 'import helper\n\ndef rule(event):\n    return event.get("eventName") == "A"\n'
SIMPLE = "Detection:\n  - {KeyPath: a.b, Condition: IsIn, Values: [1, x, 2.5, true]}"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """Two rules, a helper, a data model, and a file that cannot be read."""
    folder = tmp_path / "rules"
    write(folder / "a.yml", METADATA.format(name="a", more="Filename: a.py"))
    write(folder / "a.py", CODE)
    write(folder / "deep" / "b.yml", METADATA.format(name="b", more=SIMPLE))
    write(folder / "global_helpers" / "helper.py", "X = 1\n")
    write(folder / "broken.yml", "AnalysisType: rule\nRuleID: [")
    return folder


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[list[Path]]:
    """The folders of each time that rules were really read."""
    calls: list[list[Path]] = []

    def counted(folders: list[Path], *more: object) -> RulePack:
        calls.append(list(folders))
        return load_rules(folders, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(pack_cache, "load_rules", counted)
    return calls


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def shown(pack: RulePack) -> tuple[object, ...]:
    """Everything of a pack but its tests; errors as texts, since no two exceptions are equal."""
    correlations = tuple(replace(rule, tests=()) for rule in pack.correlations)
    return pack.rules, tuple(map(str, pack.errors)), pack.skipped, pack.surroundings, correlations, pack.version


def same(cache: Path, *folders: Path) -> RulePack:
    """The pack as it is read by way of the cache, twice; it must be the one that is in the folders."""
    expected = shown(load_rules(folders))
    packs = [read_rules(folders, cache) for _ in range(2)]
    assert [shown(pack) for pack in packs] == [expected] * 2
    return packs[0]


def test_a_pack_is_read_once(rules: Path, tmp_path: Path, reads: list[list[Path]]) -> None:
    pack = same(tmp_path / "cache", rules)
    assert [rule.id for rule in pack.rules] == ["a", "b"]
    assert [error.file.name for error in pack.errors] == ["broken.yml"]
    assert reads == [[rules]]


CHANGES: dict[str, Callable[[Path], object]] = {
    "a changed rule": lambda rules: write(rules / "a.py", CODE.replace('"A"', '"B"')),
    "changed metadata": lambda rules: write(rules / "a.yml", METADATA.format(name="z", more="Filename: a.py")),
    "a changed helper": lambda rules: write(rules / "global_helpers" / "helper.py", "X = 2\n"),
    "a new rule": lambda rules: write(rules / "new" / "c.yml", METADATA.format(name="c", more=SIMPLE)),
    "a new module that is imported": lambda rules: write(rules / "helper.py", "X = 3\n"),
    "a removed rule": lambda rules: (rules / "deep" / "b.yml").unlink(),
    "a removed helper": lambda rules: (rules / "global_helpers" / "helper.py").unlink(),
    "removed code": lambda rules: (rules / "a.py").unlink(),
    "a repaired file": lambda rules: write(rules / "broken.yml", METADATA.format(name="c", more=SIMPLE)),
    "a renamed file": lambda rules: (rules / "a.yml").rename(rules / "z.yml"),
    "code that does not compile": lambda rules: write(rules / "a.py", "def rule("),
    "helpers beside the rules": lambda rules: write(rules.parent / "global_helpers" / "helper.py", "X = 4\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen(rules: Path, tmp_path: Path, reads: list[list[Path]], change: str) -> None:
    before = shown(same(tmp_path / "cache", rules))
    CHANGES[change](rules)
    after = shown(same(tmp_path / "cache", rules))
    assert len(reads) == 2
    if change != "helpers beside the rules":  # the nearer ones hide them
        assert after != before


def test_a_change_that_keeps_size_and_time_of_a_file_is_seen(rules: Path, tmp_path: Path) -> None:
    same(tmp_path / "cache", rules)
    before = (rules / "a.py").stat()
    write(rules / "a.py", CODE.replace('"A"', '"B"'))
    os.utime(rules / "a.py", ns=(before.st_atime_ns, before.st_mtime_ns))
    same(tmp_path / "cache", rules)


def test_code_that_lies_outside_the_folders_is_watched_too(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "a.py", "import near\n" + CODE)
    write(tmp_path / "elsewhere" / "near.py", "Y = 1\n")
    write(tmp_path / "rules" / "a.yml", METADATA.format(name="a", more="Filename: ../elsewhere/a.py"))
    write(tmp_path / "global_helpers" / "helper.py", "X = 1\n")
    same(tmp_path / "cache", tmp_path / "rules")
    write(tmp_path / "elsewhere" / "a.py", CODE.replace('"A"', '"B"'))
    same(tmp_path / "cache", tmp_path / "rules")
    write(tmp_path / "elsewhere" / "near.py", "Y = 2\n")
    same(tmp_path / "cache", tmp_path / "rules")


def test_a_single_file_is_watched_with_its_code(rules: Path, tmp_path: Path) -> None:
    one = rules / "a.yml"
    same(tmp_path / "cache", one)
    write(rules / "a.py", CODE.replace('"A"', '"B"'))
    same(tmp_path / "cache", one)
    write(rules / "global_helpers" / "helper.py", "X = 2\n")
    same(tmp_path / "cache", one)


def test_several_folders_are_one_pack_and_each_list_of_folders_has_its_own(
    rules: Path, tmp_path: Path, reads: list[list[Path]]
) -> None:
    other = tmp_path / "other"
    write(other / "c.yml", METADATA.format(name="c", more=SIMPLE))
    write(other / "again.yml", METADATA.format(name="b", more=SIMPLE))
    cache = tmp_path / "cache"
    assert [rule.id for rule in same(cache, rules, other).rules] == ["a", "b", "c"]
    assert [rule.id for rule in same(cache, other, rules).rules] == ["b", "c", "a"]
    same(cache, rules)
    same(cache, other, rules)
    assert reads == [[rules, other], [other, rules], [rules]]


def test_a_folder_that_is_missing_is_an_error_until_it_is_there(tmp_path: Path) -> None:
    late = tmp_path / "late"
    assert "no such file or folder" in str(same(tmp_path / "cache", late).errors[0])
    write(late / "c.yml", METADATA.format(name="c", more=SIMPLE))
    assert same(tmp_path / "cache", late).errors == ()


@pytest.mark.parametrize("content", [b"", b"\x00", b"\xff" * 99], ids=["empty", "zero", "noise"])
def test_a_cache_that_cannot_be_read_is_made_anew(rules: Path, tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "cache"
    same(cache, rules)
    (kept,) = cache.iterdir()
    good = kept.read_bytes()
    for bad in (content, good[:-3], good + b"\x00"):
        kept.write_bytes(bad)
        same(cache, rules)
    assert kept.read_bytes() == good


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(rules: Path, tmp_path: Path) -> None:
    write(tmp_path / "taken", "a file, not a folder")
    same(tmp_path / "taken", rules)
