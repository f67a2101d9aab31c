"""Whether a rule keeps something from event to event by itself, in its module: then it must be shown all of them.

Read off the syntax trees of its files: only of what `rule` can reach, by name. What it only leaves for `title` and the
others, which are asked right after it, is no such thing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property

from iota_dagster.core.detection.routing.syntax import Function, Syntax

_CHANGING = frozenset(
    {
        "add",
        "append",
        "appendleft",
        "clear",
        "difference_update",
        "discard",
        "extend",
        "extendleft",
        "insert",
        "intersection_update",
        "pop",
        "popitem",
        "popleft",
        "put",
        "remove",
        "reverse",
        "rotate",
        "setdefault",
        "sort",
        "subtract",
        "symmetric_difference_update",
        "update",
    }
)
_CHANGING_FUNCTIONS = frozenset(
    {"heappop", "heappush", "heappushpop", "heapreplace", "insort", "insort_left", "insort_right", "next"}
)
_CONTAINERS = frozenset(
    {
        "ChainMap",
        "Counter",
        "OrderedDict",
        "Queue",
        "bytearray",
        "count",
        "cycle",
        "defaultdict",
        "deque",
        "dict",
        "list",
        "set",
    }
)
_DISPLAYS = ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp | ast.GeneratorExp
_DEFINITIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def keeps_state(files: Sequence[ModuleState], function: str) -> bool:
    """Whether a function, or what it calls in some files, may find what it left there at an event before."""
    reached = _reached(files, function)
    functions = [node for file in files for node in file.syntax.functions]
    known = _Known(_by_name(functions), frozenset().union(*(file.classes for file in files)))
    return any(file.changed_by(file.functions_of(reached), known) for file in files)


def _reached(files: Sequence[ModuleState], function: str) -> set[str]:
    """The names that stand in a function and in all that is called so, in whichever file."""
    found, todo = {function}, [function]
    while todo:
        name = todo.pop()
        new = {other for file in files for other in file.uses.get(name, ()) if other} - found
        found |= new
        todo += new
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    """The functions and classes that a file may call; where it is looked at `alone`, an import may do anything.

    Which of several functions of one name is called is not known: any of them may be.
    """

    functions: Mapping[str, Sequence[Function]]
    classes: Set[str]
    alone: bool = False


class ModuleState:
    """One file: the names of its module, and which of them may be changed in place."""

    def __init__(self, syntax: Syntax) -> None:
        """`syntax` is that of a whole module."""
        self.syntax = syntax
        self._body: list[ast.stmt] = getattr(syntax.root, "body", [])

    @cached_property
    def may_keep(self) -> bool:
        """Whether it has anything at all that `keeps_state` must look at more closely: cheap, and often no."""
        imports = [node for node in self._body if isinstance(node, ast.Import | ast.ImportFrom)]
        classes = self.classes | Syntax(ast.Module([*imports], [])).bindings.keys()
        functions = self.syntax.functions
        return self.changed_by(functions, _Known(_by_name(functions), classes, alone=True))

    @cached_property
    def classes(self) -> Set[str]:
        """The names of the classes defined anywhere in it."""
        return {node.name for node in self.syntax.all(ast.ClassDef)}

    def functions_of(self, names: Set[str]) -> list[Function]:
        """Its functions of some names."""
        return [node for node in self.syntax.functions if node.name in names]

    @cached_property
    def uses(self) -> Mapping[str, Set[str]]:
        """The names that stand in what each name is defined as."""
        found: dict[str, set[str]] = {}
        for node in self.syntax.all(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef):
            found.setdefault(node.name, set()).update(self.syntax.part(node).used)
        for alias in self.syntax.all(ast.alias):
            if alias.asname:
                found.setdefault(alias.asname, set()).add(alias.name.rpartition(".")[2])
        for assigned in self.syntax.all(ast.Assign):
            for target in assigned.targets:
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, set()).update(self.syntax.part(assigned.value).used)
        return found

    @cached_property
    def _outside(self) -> Syntax:
        """What is done when the module is run."""
        return Syntax(ast.Module([node for node in self._body if not isinstance(node, _DEFINITIONS)], []))

    @cached_property
    def _names(self) -> Set[str]:
        return {*self._outside.bindings, *(node.name for node in self._body if isinstance(node, _DEFINITIONS))}

    @cached_property
    def _assigned(self) -> list[tuple[set[str], ast.expr]]:
        """What the module's names are assigned, by some names at once."""
        found = [({_name(target) for target in node.targets}, node.value) for node in self._outside.all(ast.Assign)]
        annotated = self._outside.all(ast.AnnAssign)
        return [*found, *(({_name(node.target)}, node.value) for node in annotated if node.value is not None)]

    @cached_property
    def _mutable(self) -> Set[str]:
        """The names of the module's collections."""
        found: set[str] = set()
        for names, value in self._assigned:
            found |= names if isinstance(value, _DISPLAYS) or _made_by(value) in _CONTAINERS else set()
        return found

    def changed_by(self, functions: Sequence[Function], known: _Known) -> bool:
        """Whether some functions change something of the module that they may then read."""
        if self.syntax.has_sorcery and any(self.syntax.part(node).has_sorcery for node in functions):
            return True
        if any(self._keeps_defaults(node) for node in functions):
            return True
        made = {name for names, value in self._assigned if _made_by(value) in known.classes for name in names}
        parts = [(self.syntax.part(node), self._shared_with(node)) for node in functions]
        if any(self._accumulates(part, mine, made & mine, known) for part, mine in parts):
            return True
        written = {name for part, mine in parts for name in _stored(part) if name in mine}
        return bool(written) and any(not written.isdisjoint(_read_first(part) & mine) for part, mine in parts)

    def _shared_with(self, function: Function) -> Set[str]:
        """The names of the module that a function sees."""
        part = self.syntax.part(function)
        shared = {name for node in part.all(ast.Global) for name in node.names}
        return (self._names - part.bindings.keys()) | shared

    def _accumulates(self, part: Syntax, mine: Set[str], instances: Set[str], known: _Known) -> bool:
        """Whether a function changes a value of the module in place, or gives it a second name to do so by."""
        mutable = self._mutable & mine
        kept = part.all(ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Return) if mutable else ()
        return (
            any(self._changed_by_call(node, mine, mutable, known) for node in part.all(ast.Call))
            or any(_root(node.target) in mine for node in part.all(ast.AugAssign))
            or any(_root(target) in mine for node in part.all(ast.Delete) for target in node.targets)
            or any(isinstance(node.value, ast.Name) and node.value.id in mutable for node in kept)
            or (bool(instances) and any(node.id in instances for node in part.all(ast.Name)))
        )

    def _changed_by_call(self, node: ast.Call, mine: Set[str], mutable: Set[str], known: _Known) -> bool:
        if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING and _root(node.func.value) in mine:
            return True
        return any(self._changes_argument(node, place, known) for place in _arguments(node, mutable))

    def _changes_argument(self, node: ast.Call, place: int | str | None, known: _Known) -> bool:
        called = known.functions.get(_name(node.func))
        if called is None:
            imported = known.alone and _name(node.func) in self._names
            return imported or _name(node.func) in _CHANGING_FUNCTIONS
        return any(self._may_change(function, place) for function in called)

    def _may_change(self, called: Function, place: int | str | None) -> bool:
        """Whether a function does more with its argument at a place than to look into it."""
        names = [item.arg for item in (*called.args.posonlyargs, *called.args.args)]
        parameter = (
            place if isinstance(place, str) else next(iter(names[place : place + 1]), "") if place is not None else ""
        )
        return not parameter or not self.syntax.part(called).only_read(parameter)

    def _keeps_defaults(self, function: Function) -> bool:
        """Whether one changes the value that a parameter has by default, which is the same at every call."""
        arguments = [*function.args.posonlyargs, *function.args.args]
        last = arguments[len(arguments) - len(function.args.defaults) :]
        pairs = [
            *zip(last, function.args.defaults, strict=True),
            *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
        ]
        part = self.syntax.part(function)
        return any(isinstance(value, _DISPLAYS | ast.Call) and not part.only_read(item.arg) for item, value in pairs)


def _by_name(functions: Iterable[Function]) -> dict[str, list[Function]]:
    found: dict[str, list[Function]] = {}
    for node in functions:
        found.setdefault(node.name, []).append(node)
    return found


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


def _made_by(value: ast.expr) -> str:
    """The function or class that is called for a value; "" for one that is no call."""
    return _name(value.func) if isinstance(value, ast.Call) else ""


def _arguments(node: ast.Call, names: Set[str]) -> Iterator[int | str | None]:
    """Where some names are the arguments of a call: at which place, or by which keyword."""
    if not names:
        return
    for place, item in enumerate(node.args):
        if isinstance(item, ast.Name) and item.id in names:
            yield place
    for keyword in node.keywords:
        if isinstance(keyword.value, ast.Name) and keyword.value.id in names:
            yield keyword.arg


def _root(node: ast.AST) -> str:
    """The name that `name.x["y"]`, or `name.setdefault(…)`, begins with; "" for anything else."""
    while True:
        if isinstance(node, ast.Attribute | ast.Subscript):
            node = node.value
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("get", "setdefault")
        ):
            node = node.func.value
        else:
            return node.id if isinstance(node, ast.Name) else ""


def _stored(part: Syntax) -> Iterator[str]:
    """The names that are bound, or of whose value a part is, in a piece of code."""
    for node in part.all(ast.Name, ast.Attribute, ast.Subscript):
        if isinstance(node.ctx, ast.Store):
            yield _root(node)


def _read_first(part: Syntax) -> set[str]:
    """The names that a function may read before it has bound them itself, on every way."""
    places = {place for node in part.all(ast.Attribute, ast.Subscript) if (place := _place_stored_in(node))}
    bound: set[str] = set()
    found: set[str] = set()
    for statement in getattr(part.root, "body", ()):
        names = part.part(statement).all(ast.Name)
        found |= {node.id for node in names if isinstance(node.ctx, ast.Load) and node not in places} - bound
        if isinstance(statement, ast.Assign):
            bound.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    return found


def _place_stored_in(node: ast.AST) -> ast.Name | None:
    """The name that only stands for the place which something is stored in: `name` of `name["x"] = 1`."""
    while isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Del):
        if isinstance(node.ctx, ast.Load):
            return None
        node = node.value
    return node if isinstance(node, ast.Name) else None
