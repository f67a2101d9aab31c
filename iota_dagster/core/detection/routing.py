"""Which events a rule can match at all, read off its code: so that the others need not be shown to it.

Most rules begin by testing `eventName`. From the syntax tree of `rule` a *necessary* condition is derived: the values
of that field without which it cannot return True. Whatever the tree does not prove is taken as "any value", so a rule
is only ever spared events that it would have answered with False. An event without the field, or with something else
than a text in it, is shown to every rule.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from types import ModuleType
from typing import Any

FIELD = "eventName"
"""The field that rules are indexed by."""

_SORCERY = ("globals", "vars", "setattr", "exec", "eval")  # what can change a name behind the tree's back

Values = frozenset[str] | None
"""The values a field may have; None: any."""


def possible_values(module: ModuleType, source: str) -> Values:
    """The values of `FIELD` for which a rule module's `rule` may return True; None where its code proves nothing."""
    tree = ast.parse(source)
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "rule"]
    if len(functions) != 1 or functions[0].decorator_list or not functions[0].args.args:
        return None
    if _bindings(tree, "rule") != 1 or any(_is_name(node, name) for node in ast.walk(tree) for name in _SORCERY):
        return None
    return _Reader(module, tree, functions[0]).read()


def _both(one: Values, other: Values) -> Values:
    if one is None or other is None:
        return other if one is None else one
    return one & other


def _either(parts: Iterable[Values]) -> Values:
    found: frozenset[str] = frozenset()
    for part in parts:
        if part is None:
            return None
        found |= part
    return found


def _all_of(parts: Iterable[Values]) -> Values:
    found: Values = None
    for part in parts:
        found = _both(found, part)
    return found


class _Reader:
    """Walks one `rule` function, statement by statement, narrowing the values that can still lead to True."""

    def __init__(self, module: ModuleType, tree: ast.Module, function: ast.FunctionDef) -> None:
        self._module, self._tree, self._function = module, tree, function
        self._event = function.args.args[0].arg
        self._stores = [node.id for node in ast.walk(function) if isinstance(node, ast.Name) and _is_store(node)]
        self._aliases: set[str] = set()

    def read(self) -> Values:
        if self._event in self._stores:
            return None
        left: Values = None
        matching: list[Values] = []
        for statement in self._function.body:
            if isinstance(statement, ast.Return):
                matching.append(_both(left, self._if_true(statement.value)))
                break
            if isinstance(statement, ast.Assign):
                self._note_alias(statement)
            elif isinstance(statement, ast.If) and not statement.orelse and _gives_up(statement.body):
                left = _both(left, self._if_false(statement.test))
            elif any(isinstance(node, ast.Return) and not _is_false(node.value) for node in ast.walk(statement)):
                matching.append(left)
        return _either(matching)

    def _note_alias(self, statement: ast.Assign) -> None:
        target = statement.targets[0]
        single = len(statement.targets) == 1 and isinstance(target, ast.Name) and self._stores.count(target.id) == 1
        if single and isinstance(target, ast.Name) and self._is_field(statement.value):
            self._aliases.add(target.id)

    def _if_true(self, node: ast.expr | None) -> Values:
        """The values for which an expression may be true."""
        if node is None or _is_false(node):
            return frozenset()
        if isinstance(node, ast.BoolOp):
            parts = map(self._if_true, node.values)
            return _all_of(parts) if isinstance(node.op, ast.And) else _either(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self._if_false(node.operand)
        return self._compared(node, ast.Eq, ast.In)

    def _if_false(self, node: ast.expr) -> Values:
        """The values for which an expression may be false."""
        if isinstance(node, ast.BoolOp):
            parts = map(self._if_false, node.values)
            return _either(parts) if isinstance(node.op, ast.And) else _all_of(parts)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return self._if_true(node.operand)
        return self._compared(node, ast.NotEq, ast.NotIn)

    def _compared(self, node: ast.expr, equal: type[ast.cmpop], within: type[ast.cmpop]) -> Values:
        if not isinstance(node, ast.Compare) or len(node.ops) != 1:
            return None
        left, right = node.left, node.comparators[0]
        if isinstance(node.ops[0], equal):
            other = right if self._is_field(left) else left if self._is_field(right) else None
            text = self._constant(other) if other is not None else None
            return frozenset({text}) if isinstance(text, str) else None
        if isinstance(node.ops[0], within) and self._is_field(left):
            return _texts(self._constant(right))
        return None

    def _is_field(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Name):
            return node.id in self._aliases
        if isinstance(node, ast.Subscript):
            return self._is_event(node.value) and _is_text(node.slice, FIELD)
        called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get"
        return (
            called
            and isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and self._is_event(node.func.value)
            and bool(node.args)
            and _is_text(node.args[0], FIELD)
        )

    def _is_event(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id == self._event

    def _constant(self, node: ast.expr) -> Any:
        """The value of a literal, or of a module's name that nothing changes; None for everything else."""
        if isinstance(node, ast.Name):
            return self._global(node.id)
        try:
            return ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return None

    def _global(self, name: str) -> Any:
        if name in self._stores or _bindings(self._tree, name) != 1:
            return None
        value = getattr(self._module, name, None)
        if isinstance(value, str | tuple | frozenset):
            return value
        return value if isinstance(value, dict | list | set) and self._only_read(name) else None

    def _only_read(self, name: str) -> bool:
        """Whether a mutable global is only ever looked into: `x in NAME`, `NAME[x]`."""
        reads = harmless = 0
        for node in ast.walk(self._tree):
            reads += _is_name(node, name) and not _is_store(node)
            if isinstance(node, ast.Compare):
                harmless += sum(_is_name(item, name) for item in node.comparators)
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
                harmless += _is_name(node.value, name)
        return reads == harmless


def _bindings(tree: ast.Module, name: str) -> int:
    """How often a name is bound anywhere in a module: assigned, imported, deleted, defined, or an argument."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            count += node.name == name
        elif isinstance(node, ast.alias):
            count += (node.asname or node.name.partition(".")[0]) in (name, "*")
        elif isinstance(node, ast.arg):
            count += node.arg == name
        else:
            count += _is_name(node, name) and _is_store(node)
    return count


def _texts(value: Any) -> Values:
    """The texts in a collection; what else is in it no text can equal. A text itself is no collection here."""
    if not isinstance(value, tuple | list | set | frozenset | dict):
        return None
    return frozenset(item for item in value if isinstance(item, str))


def _gives_up(body: list[ast.stmt]) -> bool:
    return len(body) == 1 and isinstance(body[0], ast.Return) and _is_false(body[0].value)


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_text(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Constant) and node.value == text


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _is_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
