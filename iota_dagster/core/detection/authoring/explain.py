"""What is known of a rule without running it: which events it is shown and why, what it is made of, what is tested."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from iota_dagster.core.detection.code_files import CodeFiles
from iota_dagster.core.detection.overlays import Overlays, apply, nearest, shown_changes
from iota_dagster.core.detection.routing.values import is_never
from iota_dagster.core.detection.rule import Rule, RulePack
from iota_dagster.core.errors import RuleError

_PREPARES = ast.Expr | ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Import | ast.ImportFrom


@dataclass(frozen=True, slots=True)
class FieldNeed:
    """What a field must hold: one of `exact`, what begins so, what has such a part, or (`absent`) it may be missing."""

    field: str
    exact: tuple[str, ...]
    prefixes: tuple[str, ...]
    parts: tuple[str, ...]
    absent: bool


@dataclass(frozen=True, slots=True)
class Explanation:
    """A rule as it runs, with its overlay.

    `needs` must all hold for an event to be shown to it; without any, `why` tells the reason, `begins` where (file and
    line) and with what its code begins, and `helpful` which fields would narrow it. `column` is the one of the needed
    fields by which whole files are sieved. `files` are those that its version stands for.
    """

    rule: Rule
    needs: tuple[FieldNeed, ...]
    why: str
    begins: str
    helpful: tuple[str, ...]
    column: str
    files: tuple[Path, ...]
    matching_tests: tuple[str, ...]
    other_tests: tuple[str, ...]
    overlay: tuple[str, ...]


def find_rule(pack: RulePack, rule_id: str) -> Rule:
    """The rule of an id; `RuleError` that names the nearest when there is none."""
    if found := pack.of_id(rule_id):
        return found
    if any(rule.id == rule_id for rule in pack.correlations):
        raise RuleError(f"{rule_id} is a correlation rule: it looks at the matches of other rules, not at events")
    raise RuleError(f"there is no rule {rule_id}; {nearest(rule_id, [rule.id for rule in pack.rules])}")


def explain(
    pack: RulePack, rule_id: str, columns: Mapping[str, Sequence[str]], overlays: Overlays | None = None
) -> Explanation:
    """What is known of a rule of a pack that was read with its tests.

    `columns`: by log type, the fields that are columns of their own, the most telling first. `RuleError` for an unknown
    id, `OSError` and `SyntaxError` when the rule's code has changed for the worse since the pack was read.
    """
    plain = find_rule(pack, rule_id)
    rule = find_rule(apply(pack, overlays), rule_id) if overlays else plain
    files, shared = CodeFiles(), _shared(rule, columns)
    never = is_never(rule.need)
    needs = () if never else tuple(_needs(rule))
    tests = pack.tests[rule_id].tests if rule_id in pack.tests else ()
    return Explanation(
        rule=rule,
        needs=needs,
        why="" if needs else _why(rule, never),
        begins="" if needs or not rule.code else _begins(rule, files),
        helpful=() if needs else tuple(shared),
        column=next((name for name in shared if name in rule.need), ""),
        files=_files(rule, files),
        matching_tests=tuple(test.name for test in tests if test.result),
        other_tests=tuple(test.name for test in tests if not test.result),
        overlay=tuple(shown_changes(plain, overlays)) if overlays else (),
    )


def _shared(rule: Rule, columns: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns that all known log types of a rule have."""
    known = [columns[log_type] for log_type in rule.log_types if log_type in columns]
    return [name for name in known[0] if all(name in names for names in known)] if known else []


def _needs(rule: Rule) -> list[FieldNeed]:
    return [
        FieldNeed(
            field,
            tuple(sorted(values.exact)),
            tuple(sorted(values.prefixes)),
            tuple(sorted(values.parts)),
            values.absent,
        )
        for field, values in sorted(rule.need.items())
    ]


def _why(rule: Rule, never: bool) -> str:
    if never:
        return "by its code it can never match, so it is shown everything, for its errors to be seen"
    if rule.remembers:
        return "it remembers things from event to event, so it is shown all of them"
    if rule.simple is not None:
        return "no expression of its Detection asks a top-level key for certain texts (Equals, IsIn)"
    return "its code begins with something that routing does not understand"


def _begins(rule: Rule, files: CodeFiles) -> str:
    """The first statement of a rule's function that is more than preparation, with its place."""
    file, name = Path(rule.code), "policy" if rule.kind == "policy" else "rule"
    functions = [node for node in files.tree(file).body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not functions:
        return ""
    body = functions[-1].body
    first = next((node for node in body if not isinstance(node, _PREPARES)), body[-1])
    text = files.source(file).decode("utf-8", "replace").splitlines()[first.lineno - 1]
    return f"{file}:{first.lineno}: {text.strip()}"


def _files(rule: Rule, files: CodeFiles) -> tuple[Path, ...]:
    code = files.reachable(Path(rule.code), [Path(folder) for folder in rule.helpers]) if rule.code else ()
    return (Path(rule.file), *sorted(code))
