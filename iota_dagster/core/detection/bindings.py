"""Who binds which name in a piece of Python: what static reading of rules must know before it believes a name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator

_SORCERY = frozenset({"globals", "locals", "vars", "setattr", "delattr", "exec", "eval", "__builtins__", "__dict__"})
_SCOPES = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


def bindings(node: ast.AST) -> Counter[str]:
    """How often each name is bound below a node: assigned, imported, deleted, defined, captured, as an argument."""
    count: Counter[str] = Counter()
    for item in ast.walk(node):
        count.update(_bound_by(item))
    return count


def _bound_by(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        if not isinstance(node.ctx, ast.Load):
            yield node.id
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.alias):
        yield (node.asname or node.name).partition(".")[0]
    elif isinstance(node, ast.arg):
        yield node.arg
    elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
        if node.name:
            yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest


def has_sorcery(tree: ast.AST) -> bool:
    """Whether code may change its names behind the tree's back: by `globals()`, `setattr`, `exec`, a star import…"""
    return any(
        (isinstance(node, ast.Name) and node.id in _SORCERY)
        or (isinstance(node, ast.Attribute) and node.attr in _SORCERY)
        or (isinstance(node, ast.alias) and node.name == "*")
        for node in ast.walk(tree)
    )


def set_attributes(tree: ast.AST) -> frozenset[str]:
    """The names of attributes that code assigns or deletes on anything."""
    return frozenset(
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)
    )


def only_read(tree: ast.AST, name: str) -> bool:
    """Whether a mutable value is only ever looked into: in comparisons, loops, sums, by key, by a reading method."""
    loads = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)]
    reads = sum(node.id == name for node in loads)
    return reads == sum(_harmless(node, name) for node in ast.walk(tree))


def _harmless(node: ast.AST, name: str) -> int:
    looked_at: list[ast.expr] = []
    if isinstance(node, ast.Compare):
        looked_at = node.comparators
    elif isinstance(node, ast.BinOp):
        looked_at = [node.left, node.right]
    elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        looked_at = [node.value]
    elif isinstance(node, ast.For | ast.comprehension):
        looked_at = [node.iter]
    elif isinstance(node, ast.Starred):
        looked_at = [node.value]
    elif isinstance(node, ast.Dict):
        looked_at = [value for key, value in zip(node.keys, node.values, strict=True) if key is None]
    elif isinstance(node, ast.Call):
        looked_at = _read_by_call(node)
    return sum(isinstance(item, ast.Name) and item.id == name for item in looked_at)


def _read_by_call(node: ast.Call) -> list[ast.expr]:
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "keys", "values", "items", "index", "count"):
        return [node.func.value]
    if isinstance(node.func, ast.Name) and node.func.id in ("len", "set", "frozenset", "tuple", "list", "sorted"):
        return node.args
    if isinstance(node.func, ast.Attribute) and node.func.attr in ("startswith", "endswith", "join", "intersection"):
        return node.args
    return []


def own_nodes(function: ast.FunctionDef) -> Iterator[ast.AST]:
    """The nodes of a function's own scope: without those of functions, classes and comprehensions inside it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, _SCOPES | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            todo.extend(ast.iter_child_nodes(node))


def is_generator(function: ast.FunctionDef) -> bool:
    """Whether calling a function only makes a generator."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))
