"""A piece of Python, walked once: who binds which name in it, and what static reading of rules must know of a name."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar, overload

Function = ast.FunctionDef | ast.AsyncFunctionDef

_Node = TypeVar("_Node", bound=ast.AST)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_SORCERY = frozenset({"globals", "locals", "vars", "setattr", "delattr", "exec", "eval", "__builtins__", "__dict__"})
_MARKS = frozenset({"id", "attr", "ctx", "op", "ops", "kind"})
"""The fields of nodes in which there is never a node that names or does something: texts, `Load`, `Add`, `In`."""
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}
_READING_METHODS = ("get", "keys", "values", "items", "index", "count")
_READING_FUNCTIONS = ("len", "set", "frozenset", "tuple", "list", "sorted")
_READING_ARGUMENTS = ("startswith", "endswith", "join", "intersection")


class Syntax:
    """A syntax tree, or a part of one, and what can be read off it; each thing is worked out once, when asked for."""

    def __init__(self, root: ast.AST) -> None:
        self.root = root
        self._parts: dict[ast.AST, Syntax] = {}

    def part(self, node: ast.AST) -> Syntax:
        """What can be read off a node of this tree, the same object whenever it is asked for."""
        if node not in self._parts:
            self._parts[node] = Syntax(node)
        return self._parts[node]

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """The root and all nodes below it but operators and contexts, in the order of `ast.walk`."""
        return _below([self.root])

    @cached_property
    def _by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in self.nodes:
            found.setdefault(type(node), []).append(node)
        return found

    @overload
    def all(self, kind: type[_Node], /) -> Iterator[_Node]: ...
    @overload
    def all(self, *kinds: type[ast.AST]) -> Iterator[Any]: ...
    def all(self, *kinds: type[ast.AST]) -> Iterator[Any]:
        """The nodes of some types, type by type."""
        for kind in kinds:
            yield from self._by_type.get(kind, ())

    @cached_property
    def functions(self) -> list[Function]:
        """The functions defined anywhere in it, the innermost last."""
        return [node for node in self.nodes if isinstance(node, _FUNCTIONS)]

    @cached_property
    def own(self) -> list[ast.AST]:
        """The nodes of a function's own scope: without those of functions, classes, comprehensions inside it."""
        return _below(getattr(self.root, "body", []), _SCOPES)

    @cached_property
    def bindings(self) -> Counter[str]:
        """How often each name is bound: assigned, imported, deleted, defined, captured, as an argument."""
        names: list[str | None] = [node.id for node in self.all(ast.Name) if not isinstance(node.ctx, ast.Load)]
        names += [node.name for node in self.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)]
        names += [(node.asname or node.name).partition(".")[0] for node in self.all(ast.alias)]
        names += [node.arg for node in self.all(ast.arg)]
        names += [node.name for node in self.all(ast.ExceptHandler, ast.MatchAs, ast.MatchStar)]
        names += [node.rest for node in self.all(ast.MatchMapping)]
        return Counter(name for name in names if name)

    @cached_property
    def has_sorcery(self) -> bool:
        """Whether it may change its names behind the tree's back: by `globals()`, `setattr`, `exec`, a star import…"""
        return (
            any(node.id in _SORCERY for node in self.all(ast.Name))
            or any(node.attr in _SORCERY for node in self.all(ast.Attribute))
            or any(node.name == "*" for node in self.all(ast.alias))
        )

    @cached_property
    def set_attributes(self) -> frozenset[str]:
        """The names of attributes that it assigns or deletes on anything."""
        return frozenset(node.attr for node in self.all(ast.Attribute) if not isinstance(node.ctx, ast.Load))

    @cached_property
    def used(self) -> frozenset[str]:
        """The names that stand in it, of variables, attributes and functions."""
        names = {node.id for node in self.all(ast.Name)} | {node.attr for node in self.all(ast.Attribute)}
        return frozenset(names | {node.name for node in self.functions})

    @cached_property
    def is_generator(self) -> bool:
        """Whether calling it, a function, only makes a generator."""
        return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in self.own)

    def only_read(self, name: str) -> bool:
        """Whether a mutable value is only looked into: in comparisons, loops, sums, by key, by a reading method."""
        return self._loads[name] == self._looks[name]

    @cached_property
    def _loads(self) -> Counter[str]:
        return Counter(node.id for node in self.all(ast.Name) if isinstance(node.ctx, ast.Load))

    @cached_property
    def _looks(self) -> Counter[str]:
        return Counter(node.id for node in self._looked_into() if isinstance(node, ast.Name))

    def _looked_into(self) -> Iterator[ast.expr | None]:
        """What stands where a value can only be looked into."""
        for compare in self.all(ast.Compare):
            yield from compare.comparators
        for sum_ in self.all(ast.BinOp):
            yield from (sum_.left, sum_.right)
        yield from (node.value for node in self.all(ast.Subscript) if isinstance(node.ctx, ast.Load))
        yield from (node.iter for node in self.all(ast.For))
        yield from (node.iter for node in self.all(ast.comprehension))
        yield from (node.value for node in self.all(ast.Starred))
        for mapping in self.all(ast.Dict):
            yield from (value for key, value in zip(mapping.keys, mapping.values, strict=True) if key is None)
        for call in self.all(ast.Call):
            yield from _read_by_call(call)


def _read_by_call(node: ast.Call) -> Iterable[ast.expr]:
    if isinstance(node.func, ast.Name):
        return node.args if node.func.id in _READING_FUNCTIONS else ()
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in _READING_METHODS:
            return (node.func.value,)
        return node.args if node.func.attr in _READING_ARGUMENTS else ()
    return ()


def _below(start: list[ast.AST], closed: tuple[type[ast.AST], ...] = ()) -> list[ast.AST]:
    """Some nodes and all below them, the nearest first, but not what lies inside the `closed` ones."""
    found = list(start)
    for node in found:  # it grows meanwhile
        if closed and isinstance(node, closed):
            continue
        for field in _fields(type(node)):
            value = getattr(node, field, None)
            if isinstance(value, list):
                found += [item for item in value if isinstance(item, ast.AST)]
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a type of nodes that there may be nodes in."""
    if kind not in _FIELDS:
        _FIELDS[kind] = tuple(field for field in kind._fields if field not in _MARKS)
    return _FIELDS[kind]
