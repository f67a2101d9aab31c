"""The operations page's table of the quarantine has every reason that the code gives, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from iota_dagster.core.errors import ObjectTooLarge

ROOT = Path(__file__).parent.parent
CORE = ROOT / "iota_dagster" / "core"
# What takes a reason among its arguments, besides by the name `reason`; a detail beside it has spaces.
TAKERS = {"Fault", "RecordRejected", "reject", "_quarantine_whole", "_rest"}
REASON = re.compile(r"[a-z]+(_[a-z0-9]+)*")


def words(node: ast.AST | None, constants: dict[str, str]) -> Iterator[str]:
    """The reasons that an expression may stand for: a word, the name of one, or one of two."""
    match node:
        case ast.Constant(value=str(word)) if REASON.fullmatch(word):
            yield word
        case ast.Name(id=name) if name in constants:
            yield constants[name]
        case ast.IfExp(body=first, orelse=second):
            yield from (*words(first, constants), *words(second, constants))


def expressions(tree: ast.Module) -> Iterator[ast.AST | None]:
    """What stands for a reason in a module; where problems are known, so does the first of every pair."""
    pairs = any(
        isinstance(node, ast.ImportFrom) and node.module == "iota_dagster.core.reading.chunk" for node in tree.body
    )
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in TAKERS:
                yield from args
            case ast.keyword(arg="reason", value=value) | ast.Assign(targets=[ast.Name(id="reason")], value=value):
                yield value
            case ast.Dict(keys=keys, values=values):
                yield from (v for k, v in zip(keys, values, strict=True) if getattr(k, "value", None) == "reason")
            case ast.Tuple(elts=[first, _]) if pairs:
                yield first


def reasons() -> set[str]:
    """Those in the code: of objects that cannot be read, only one that is too large comes into quarantine."""
    found = {ObjectTooLarge.reason}
    for path in sorted(CORE.rglob("*.py")):
        if path.name == "errors.py" or "detection" in path.parts:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: str(node.value.value)
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        found |= {word for node in expressions(tree) for word in words(node, constants)}
    return found


def test_the_operations_explain_every_reason_of_the_quarantine() -> None:
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| reason \|.*?\n\n", page, re.MULTILINE | re.DOTALL)
    explained = re.findall(r"`([a-z_0-9]+)`", "\n".join(re.findall(r"^\| (`.*?) \|", table, re.MULTILINE)))
    assert len(explained) == len(set(explained))
    assert set(explained) == reasons()
