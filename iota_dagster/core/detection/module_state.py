"""Whether a rule keeps something from event to event by itself, in its module: then it must be shown all of them.

Read off the syntax trees of its files: only of what `rule` can reach, by name. What it only leaves for `title` and the
others, which are asked right after it, is no such thing.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from iota_dagster.core.detection.bindings import bindings, has_sorcery, only_read

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
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def keeps_state(trees: Sequence[ast.Module], function: str) -> bool:
    """Whether a function, or what it calls in some files, may find what it left there at an event before."""
    reached = _reached(trees, function)
    files = [_File(tree, trees) for tree in trees]
    found = [(file, [node for node in file.functions if node.name in reached]) for file in files]
    return any(file.changed_by(functions) for file, functions in found)


def may_keep_state(tree: ast.Module) -> bool:
    """Whether a file has anything at all that `keeps_state` must look at more closely: cheap, and often no."""
    file = _File(tree, [tree], alone=True)
    return file.changed_by(file.functions)


def _reached(trees: Sequence[ast.Module], function: str) -> set[str]:
    """The names that stand in a function and in all that is called so, in whichever file."""
    bodies: dict[str, list[ast.AST]] = {}
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, _Function | ast.ClassDef):
            bodies.setdefault(node.name, []).append(node)
        elif isinstance(node, ast.alias) and node.asname:
            bodies.setdefault(node.asname, []).append(ast.Name(node.name.rpartition(".")[2], ast.Load()))
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    bodies.setdefault(target.id, []).append(node.value)
    found, todo = {function}, [function]
    while todo:
        for node in (item for body in bodies.get(todo.pop(), ()) for item in ast.walk(body)):
            name = _name(node) or (node.name if isinstance(node, _Function) else "")
            if name and name not in found:
                found.add(name)
                todo.append(name)
    return found


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return node.attr if isinstance(node, ast.Attribute) else ""


class _File:
    """One file: the names of its module, and which of them may be changed in place."""

    def __init__(self, tree: ast.Module, trees: Sequence[ast.Module], alone: bool = False) -> None:
        """`trees` are those that it may call; when it is looked at `alone`, what it imports may do anything."""
        self._alone = alone
        self.functions = [node for node in ast.walk(tree) if isinstance(node, _Function)]
        self._all = {node.name: node for other in trees for node in ast.walk(other) if isinstance(node, _Function)}
        self._classes = {node.name for other in trees for node in ast.walk(other) if isinstance(node, ast.ClassDef)}
        self._classes |= bindings(ast.Module(_imports(tree), [])).keys() if alone else set()
        outside = ast.Module([node for node in tree.body if not isinstance(node, _Function | ast.ClassDef)], [])
        defined = {node.name for node in tree.body if isinstance(node, _Function | ast.ClassDef)}
        self._names = {*bindings(outside), *defined}
        self._mutable: set[str] = set()
        self._instances: set[str] = set()
        for node in ast.walk(outside):
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                names = {_name(target) for target in (node.targets if isinstance(node, ast.Assign) else [node.target])}
                made_by = _name(node.value.func) if isinstance(node.value, ast.Call) else ""
                self._mutable |= names if isinstance(node.value, _DISPLAYS) or made_by in _CONTAINERS else set()
                self._instances |= names if made_by in self._classes else set()

    def changed_by(self, functions: Sequence[_Function]) -> bool:
        """Whether some functions change something of the module that they may then read."""
        written: set[str] = set()
        read: set[str] = set()
        for function in functions:
            if has_sorcery(function) or _keeps_defaults(function):
                return True
            shared = {name for node in ast.walk(function) if isinstance(node, ast.Global) for name in node.names}
            mine = (self._names - bindings(function).keys()) | shared
            if any(self._accumulates(node, mine) for node in ast.walk(function)):
                return True
            written |= {name for node in ast.walk(function) for name in _stored(node)} & mine
            read |= _read_first(function) & mine
        return not written.isdisjoint(read)

    def _accumulates(self, node: ast.AST, mine: set[str]) -> bool:
        """Whether a node changes a value of the module in place, or gives it a second name to do so by."""
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr in _CHANGING and _root(node.func.value) in mine:
                return True
            return any(
                self._changes_argument(node, place, item) for place, item in _arguments(node, self._mutable & mine)
            )
        if isinstance(node, ast.AugAssign):
            return _root(node.target) in mine
        if isinstance(node, ast.Delete):
            return any(_root(target) in mine for target in node.targets)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr | ast.Return):
            return _name(node.value) in self._mutable & mine if isinstance(node.value, ast.Name) else False
        return isinstance(node, ast.Name) and node.id in self._instances & mine

    def _changes_argument(self, node: ast.Call, place: int | str | None, name: str) -> bool:
        called = self._all.get(_name(node.func))
        if called is None:
            imported = self._alone and _name(node.func) in self._names
            return imported or _name(node.func) in _CHANGING_FUNCTIONS
        names = [item.arg for item in (*called.args.posonlyargs, *called.args.args)]
        parameter = (
            place if isinstance(place, str) else next(iter(names[place : place + 1]), "") if place is not None else ""
        )
        return not parameter or not only_read(called, parameter)


def _imports(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]


def _arguments(node: ast.Call, names: set[str]) -> Iterator[tuple[int | str | None, str]]:
    """The arguments of a call that are some names: by place or keyword."""
    for place, item in enumerate(node.args):
        if isinstance(item, ast.Name) and item.id in names:
            yield place, item.id
    for keyword in node.keywords:
        if isinstance(keyword.value, ast.Name) and keyword.value.id in names:
            yield keyword.arg, keyword.value.id


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


def _stored(node: ast.AST) -> Iterator[str]:
    """The name that is bound, or of whose value a part is, by a node."""
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store):
        yield _root(node)


def _read_first(function: _Function) -> set[str]:
    """The names that a function may read before it has bound them itself, on every way."""
    parts = {id(part) for node in ast.walk(function) for part in _part_of_target(node)}
    bound: set[str] = set()
    found: set[str] = set()
    for statement in function.body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in parts:
                found.update({node.id} - bound)
        if isinstance(statement, ast.Assign):
            bound.update(target.id for target in statement.targets if isinstance(target, ast.Name))
    return found


def _part_of_target(node: ast.AST) -> Iterable[ast.AST]:
    """The names that only stand for the place which something is stored in: `name` of `name["x"] = 1`."""
    while isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Del):
        if isinstance(node.ctx, ast.Load):
            return ()
        node = node.value
        if isinstance(node, ast.Name):
            return (node,)
    return ()


def _keeps_defaults(function: _Function) -> bool:
    """Whether it changes the value that a parameter has by default, which is the same at every call."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    last = arguments[len(arguments) - len(function.args.defaults) :]
    pairs = [
        *zip(last, function.args.defaults, strict=True),
        *zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True),
    ]
    return any(isinstance(value, _DISPLAYS | ast.Call) and not only_read(function, item.arg) for item, value in pairs)
