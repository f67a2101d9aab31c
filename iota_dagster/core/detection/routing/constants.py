"""The constants of rule modules, read off their syntax trees: nothing is run, what is not certain is not believed."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from iota_dagster.core.detection.code_files import CodeFiles, search_path
from iota_dagster.core.detection.routing.syntax import Syntax

Constant = str | frozenset[str]
"""A text, or a collection of nothing but texts."""

_DEEPEST = 20
_COPIES = ("set", "frozenset", "tuple", "list", "sorted")


class Modules:
    """The modules of a pack, each read once."""

    def __init__(self, files: CodeFiles) -> None:
        self.files = files
        self._known: dict[tuple[Path, ...], Module] = {}

    def of(self, path: Path, helpers: Sequence[Path]) -> Module:
        """The module of a file that sees some helper folders."""
        key = (path, *helpers)
        if key not in self._known:
            self._known[key] = Module(self, path, helpers)
        return self._known[key]


@dataclass(eq=False)
class Module:
    """One file of a rule, with the folders that its imports are looked up in."""

    others: Modules
    path: Path
    helpers: Sequence[Path]

    @cached_property
    def syntax(self) -> Syntax:
        """What can be read off its syntax tree."""
        return self.others.files.syntax(self.path)

    @cached_property
    def _body(self) -> list[ast.stmt]:
        return self.others.files.tree(self.path).body

    @property
    def bindings(self) -> Mapping[str, int]:
        """How often each name is bound anywhere in it."""
        return self.syntax.bindings

    @cached_property
    def _assigned(self) -> dict[str, ast.expr]:
        found: dict[str, ast.expr] = {}
        for node in self._body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                found[node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                found[node.target.id] = node.value
        return found

    @cached_property
    def _functions(self) -> dict[str, ast.FunctionDef]:
        return {node.name: node for node in self._body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def _imported(self) -> dict[str, tuple[str, str]]:
        """(module, name in it) by the name here; the name is empty for a module itself."""
        found: dict[str, tuple[str, str]] = {}
        for node in self._body:
            if isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found |= {item.asname or item.name: (node.module, item.name) for item in node.names}
            elif isinstance(node, ast.Import):
                found |= {item.asname or item.name: (item.name, "") for item in node.names}
        return found

    def _steady(self, name: str) -> bool:
        """Whether a name means the same thing whenever it is looked at."""
        return self.bindings[name] == 1 and not self.syntax.has_sorcery and name not in self.syntax.set_attributes

    def _module(self, name: str) -> Module | None:
        path = self.others.files.locate(name, search_path(self.path, self.helpers))
        return self.others.of(path, self.helpers) if path else None

    def _origin(self, node: ast.expr) -> tuple[Module, str] | None:
        """The module and the name that an expression (`name`, `module.name`) was imported from."""
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module, name = self._imported.get(node.value.id, ("", "?"))
            if name or node.attr in self.syntax.set_attributes or not self._steady(node.value.id):
                return None
            name = node.attr
        elif isinstance(node, ast.Name) and self._steady(node.id):
            module, name = self._imported.get(node.id, ("", ""))
        else:
            return None
        other = self._module(module) if module and name else None
        return (other, name) if other else None

    def function(self, node: ast.expr) -> tuple[Module, ast.FunctionDef] | None:
        """The plain function that an expression names, and the module that defines it."""
        if isinstance(node, ast.Name) and node.id in self._functions:
            found = self._functions[node.id]
            return (self, found) if self._steady(node.id) and not found.decorator_list else None
        origin = self._origin(node)
        return origin[0].function(ast.Name(origin[1], ast.Load())) if origin else None

    def constant(self, node: ast.expr, depth: int = 0) -> Constant | None:
        """The text, or the texts of the collection, that an expression always stands for."""
        if depth > _DEEPEST:
            return None
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.Name | ast.Attribute):
            return self._named(node, depth + 1)
        return self._texts(node, depth + 1)

    def _named(self, node: ast.Name | ast.Attribute, depth: int) -> Constant | None:
        if isinstance(node, ast.Name) and node.id in self._assigned:
            if not self._steady(node.id):
                return None
            value = self._assigned[node.id]
            fixed = isinstance(value, ast.Constant | ast.Tuple) or self.syntax.only_read(node.id)
            return self.constant(value, depth) if fixed else None
        origin = self._origin(node)
        if origin is None or not self._leaves_alone(node):
            return None
        return origin[0].constant(ast.Name(origin[1], ast.Load()), depth)

    def _leaves_alone(self, node: ast.Name | ast.Attribute) -> bool:
        """Whether this module does not change what it imported; of `module.NAME` only plain looks are believed."""
        return self.syntax.only_read(node.id) if isinstance(node, ast.Name) else False

    def _texts(self, node: ast.expr, depth: int) -> frozenset[str] | None:
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            return self._members(node.elts, depth)
        if isinstance(node, ast.Dict):
            return self._members(
                [key or ast.Starred(value) for key, value in zip(node.keys, node.values, strict=True)], depth
            )
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.BitOr):
            left, right = self.constant(node.left, depth), self.constant(node.right, depth)
            return left | right if isinstance(left, frozenset) and isinstance(right, frozenset) else None
        if isinstance(node, ast.Call):
            return self._copied(node, depth)
        return None

    def _members(self, nodes: Sequence[ast.expr], depth: int) -> frozenset[str] | None:
        found: set[str] = set()
        for node in nodes:
            starred = isinstance(node, ast.Starred)
            value = self.constant(node.value if isinstance(node, ast.Starred) else node, depth)
            if starred and isinstance(value, frozenset):
                found |= value
            elif not starred and isinstance(value, str):
                found.add(value)
            else:
                return None
        return frozenset(found)

    def _copied(self, node: ast.Call, depth: int) -> frozenset[str] | None:
        """`set([…])` and the like, `NAME.keys()`."""
        if node.keywords:
            return None
        value: Constant | None = None
        if isinstance(node.func, ast.Name) and node.func.id in _COPIES and not self.bindings[node.func.id]:
            value = self.constant(node.args[0], depth) if len(node.args) == 1 else None
        elif isinstance(node.func, ast.Attribute) and node.func.attr == "keys" and not node.args:
            value = self.constant(node.func.value, depth)
        return value if isinstance(value, frozenset) else None
