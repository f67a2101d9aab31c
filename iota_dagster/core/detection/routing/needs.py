"""Which events a rule can match at all, read off its code: so that the others need not be shown to it.

Most rules begin by testing `eventName`, `eventSource`, an action or a type. From the syntax tree of `rule` a necessary
condition is derived: for some fields, at the top or one level below, the texts without which it cannot return True.
Whatever the tree does not prove is taken as "any value", so a rule is only ever spared events that it would not have
matched. An event with something else than a text in such a field is shown to the rule (see `routes`).

Sound because an event never changes: a condition on it that held once on the way to a `return` holds all the way.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import msgspec

from iota_dagster.core.detection.routing.constants import Constant, Module
from iota_dagster.core.detection.routing.values import NEVER, Need, Values, all_of, any_of, both

DEEPEST_FIELD = 2
"""How many keys a field's path may have."""
_DEEPEST_CALL = 8
_DEEPEST_TREE = 60


class _Unknown:
    """A value that the code does not tell."""


_UNKNOWN = _Unknown()


@dataclass(frozen=True, slots=True)
class _Field:
    """The value of one field of the event; `absent` is what stands for it where the event has none.

    A `loose` one has been changed: to small letters, or without the blanks around it.
    """

    name: str
    absent: str | _Unknown | None = None
    loose: bool = False


class _TheEvent:
    """A name that holds the event itself."""


_EVENT = _TheEvent()
_Bound = _TheEvent | _Field | Constant


def need_of(module: Module, *, function: str = "rule", result: bool = True) -> Need:
    """What an event must have for a function of a rule's file to return `result`; {} where its code proves nothing."""
    found = module.function(ast.Name(function, ast.Load()))
    if found is None or not found[1].args.args:
        return {}
    return _need_of_call(found[0], found[1], {found[1].args.args[0].arg: _EVENT}, result, 0)


def _need_of_call(
    module: Module, function: ast.FunctionDef, bound: Mapping[str, _Bound], want: bool, depth: int
) -> Need:
    if depth > _DEEPEST_CALL or module.syntax.part(function).is_generator:
        return {}
    return _Reader(module, function, bound, want, depth).read()


class _Reader:
    """Walks one function, statement by statement, narrowing what can still lead to the wanted answer."""

    def __init__(
        self, module: Module, function: ast.FunctionDef, bound: Mapping[str, _Bound], want: bool, depth: int
    ) -> None:
        self._module, self._function, self._want, self._depth = module, function, want, depth
        self._syntax = module.syntax.part(function)
        self._bindings = self._syntax.bindings.copy()
        self._bindings[function.name] -= 1
        self._bound = {name: value for name, value in bound.items() if self._bindings[name] == 1}
        self._aliases = {
            name: value for node in self._syntax.own for name, value in _assigned(node) if self._bindings[name] == 1
        }
        self._found: list[Need] = []
        self._level = 0

    def read(self) -> Need:
        """What must hold for the function to give the wanted answer."""
        fell = self._walk(self._function.body, {})
        if not self._want:
            self._found.append(fell)
        return any_of(self._found)

    # ── statements ──

    def _walk(self, statements: Iterable[ast.stmt], held: Need) -> Need:
        """Take the returns of some statements into account; what holds where they end, NEVER when they do not."""
        for statement in statements:
            if held is NEVER:
                break
            held = self._step(statement, held)
        return held

    def _step(self, node: ast.stmt, held: Need) -> Need:
        match node:
            case ast.Return():
                self._found.append(both(held, self._need(node.value or ast.Constant(None), self._want)))
                return NEVER
            case ast.Raise() | ast.Continue() | ast.Break():
                return NEVER
            case ast.If():
                yes = self._walk(node.body, both(held, self._need(node.test, True)))
                no = self._walk(node.orelse, both(held, self._need(node.test, False)))
                return any_of([yes, no])
            case ast.Assert():
                return both(held, self._need(node.test, True))
            case ast.For() | ast.While():
                self._walk(node.body, held)
                return self._after(node.orelse, held)
            case ast.With():
                return self._after(node.body, held)
            case ast.Try() | ast.TryStar():
                for block in (node.body, *(handler.body for handler in node.handlers), node.orelse):
                    self._walk(block, held)
                return self._after(node.finalbody, held)
            case ast.Match():
                for case in node.cases:
                    self._walk(case.body, held)
        return held

    def _after(self, block: list[ast.stmt], held: Need) -> Need:
        """A block that may be left half-way: what held before it is all that is known behind it."""
        self._walk(block, held)
        return held

    # ── expressions ──

    def _need(self, node: ast.expr, want: bool) -> Need:
        """What must hold for an expression to be true (or false)."""
        if self._level > _DEEPEST_TREE:
            return {}
        self._level += 1
        try:
            return self._need_of_node(node, want)
        finally:
            self._level -= 1

    def _need_of_node(self, node: ast.expr, want: bool) -> Need:
        match node:
            case ast.Constant(value):
                return {} if bool(value) is want else NEVER
            case ast.BoolOp(op, values):
                needs = [self._need(value, want) for value in values]
                return all_of(needs) if isinstance(op, ast.And) is want else any_of(needs)
            case ast.UnaryOp(ast.Not(), operand):
                return self._need(operand, not want)
            case ast.NamedExpr(_, value):
                return self._need(value, want)
            case ast.IfExp(test, body, orelse):
                yes = both(self._need(test, True), self._need(body, want))
                return any_of([yes, both(self._need(test, False), self._need(orelse, want))])
            case ast.Compare():
                return self._compared(node, want)
            case ast.Call():
                return self._called(node, want)
            case ast.Name(name) if name in self._aliases:
                return self._need(self._aliases[name], want)
        return {}

    def _compared(self, node: ast.Compare, want: bool) -> Need:
        sides = [node.left, *node.comparators]
        if len(node.ops) > 1:
            pairs = zip(sides, node.ops, sides[1:], strict=False)
            return all_of(self._pair(left, op, right) for left, op, right in pairs) if want else {}
        opposite: dict[type[ast.cmpop], ast.cmpop] = {ast.NotEq: ast.Eq(), ast.NotIn: ast.In()}
        op: ast.cmpop | None = node.ops[0] if want else opposite.get(type(node.ops[0]))
        return self._pair(sides[0], op, sides[1]) if op else {}

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Need:
        """What must hold for one comparison to be true."""
        if isinstance(op, ast.Eq):
            field, other = (found, right) if (found := self._field(left)) else (self._field(right), left)
            text = self._constant(other)
            return _only(field, exact=frozenset({text})) if field and isinstance(text, str) else {}
        if not isinstance(op, ast.In):
            return {}
        if field := self._field(left):
            texts = self._constant(right)
            return _only(field, exact=texts) if isinstance(texts, frozenset) else {}
        part, field = self._constant(left), self._field(right)
        return _only(field, parts=frozenset({part})) if field and isinstance(part, str) else {}

    def _called(self, node: ast.Call, want: bool) -> Need:
        if isinstance(node.func, ast.Name) and not self._module.bindings[node.func.id]:
            if node.func.id == "bool" and len(node.args) == 1:
                return self._need(node.args[0], want)
            if node.func.id in ("any", "all") and len(node.args) == 1:
                return self._gathered(node.args[0], node.func.id == "any", want)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "startswith" and len(node.args) == 1:
            return self._starts(node.func.value, node.args[0]) if want else {}
        return self._own_function(node, want)

    def _gathered(self, node: ast.expr, any_will_do: bool, want: bool) -> Need:
        """`any((…))`, `all([…])`, and both over a loop through constants."""
        if isinstance(node, ast.Tuple | ast.List | ast.Set):
            needs = [self._need(item, want) for item in node.elts]
            starred = any(isinstance(item, ast.Starred) for item in node.elts)
            return {} if starred else any_of(needs) if any_will_do is want else all_of(needs)
        if isinstance(node, ast.GeneratorExp | ast.ListComp) and any_will_do and want:
            return self._looped(node)
        return {}

    def _looped(self, node: ast.GeneratorExp | ast.ListComp) -> Need:
        loop = node.generators[0]
        texts = self._constant(loop.iter)
        if len(node.generators) > 1 or not isinstance(loop.target, ast.Name) or not isinstance(texts, frozenset):
            return {}
        if self._bindings[loop.target.id] != 1 or len(texts) > 200:
            return {}
        needs = []
        for text in texts:
            self._bound[loop.target.id] = text
            needs.append(self._need(node.elt, True))
            del self._bound[loop.target.id]
        return any_of(needs)

    def _starts(self, value: ast.expr, argument: ast.expr) -> Need:
        field, prefixes = self._field(value), self._constant(argument)
        if field is None or prefixes is None:
            return {}
        return _only(field, prefixes=frozenset({prefixes}) if isinstance(prefixes, str) else prefixes)

    def _own_function(self, node: ast.Call, want: bool) -> Need:
        """A call of a function of the rule or its helpers: read with what the arguments are known to be."""
        if isinstance(node.func, ast.Name) and self._bindings[node.func.id]:
            return {}
        found = self._module.function(node.func)
        if found is None or any(isinstance(item, ast.Starred) for item in node.args):
            return {}
        module, function = found
        names = [item.arg for item in (*function.args.posonlyargs, *function.args.args)]
        given = [*zip(names, node.args, strict=False), *((item.arg, item.value) for item in node.keywords)]
        bound = {name: value for name, item in given if name and (value := self._value(item)) is not None}
        return _need_of_call(module, function, bound, want, self._depth + 1)

    # ── what an expression stands for ──

    def _value(self, node: ast.expr) -> _Bound | None:
        if isinstance(node, ast.Name) and isinstance(self._bound.get(node.id), _TheEvent):
            return _EVENT
        return self._field(node) or self._constant(node)

    def _constant(self, node: ast.expr) -> Constant | None:
        if isinstance(node, ast.Name) and self._bindings[node.id]:
            bound, value = self._bound.get(node.id), self._aliases.get(node.id)
            if isinstance(bound, str) or (isinstance(bound, frozenset) and self._only_read(node.id)):
                return bound
            fixed = isinstance(value, ast.Constant | ast.Tuple) or self._only_read(node.id)
            return self._constant(value) if value is not None and fixed else None
        if any(isinstance(item, ast.Name) and self._bindings[item.id] for item in ast.walk(node)):
            return None
        return self._module.constant(node)

    def _only_read(self, name: str) -> bool:
        """Whether the function leaves a list or a set as it is, and gives it to nobody who may not."""
        return self._syntax.only_read(name)

    def _field(self, node: ast.expr) -> _Field | None:
        """The top-level field whose value an expression is, wherever the event has a text there."""
        match node:
            case ast.Name(name):
                bound = self._bound.get(name)
                if isinstance(bound, _Field):
                    return bound
                return self._field(self._aliases[name]) if name in self._aliases else None
            case ast.NamedExpr(_, value):
                return self._field(value)
            case ast.BoolOp(ast.Or(), [value, ast.Constant("")]):
                field = self._field(value)
                return field and replace(field, absent=field.absent or "")
            case ast.Subscript(value, ast.Constant(str(key))):
                return self._member(value, (key,), None)
            case ast.Call(ast.Name("str"), [value]) if not self._module.bindings["str"]:
                field = self._field(value)
                return field and replace(field, absent="None" if field.absent is None else field.absent)
            case ast.Call(ast.Attribute(value, "lower" | "strip"), []):
                field = self._field(value)
                return field and replace(field, loose=True)
            case ast.Call(ast.Attribute(value, "get"), [ast.Constant(str(key)), *more]):
                return self._member(value, (key,), _default([*more, *(item.value for item in node.keywords)]))
            case ast.Call(ast.Attribute(value, "deep_get"), keys) if self._is_event(value):
                path = tuple(key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str))
                default = _default([item.value for item in node.keywords])
                return self._member(value, path, default) if len(path) == len(keys) else None
        return None

    def _member(self, value: ast.expr, path: tuple[str, ...], absent: str | _Unknown | None) -> _Field | None:
        """What lies under some keys in the event, or in a field of it that is looked into like a mapping."""
        if not self._is_event(value):
            field = self._field(value)
            if field is None or field.loose:
                return None
            path = (field.name, *path)
            absent = absent if field.absent is None else _UNKNOWN
        plain = all(key and "." not in key for key in path)
        return _Field(".".join(path), absent) if plain and 1 <= len(path) <= DEEPEST_FIELD else None

    def _is_event(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and isinstance(self._bound.get(node.id), _TheEvent)


def _assigned(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """The plain assignments that a node makes: `name = value`, `name: type = value`, `(name := value)`."""
    if isinstance(node, ast.Assign):
        return [(item.id, node.value) for item in node.targets if isinstance(item, ast.Name)]
    if isinstance(node, ast.AnnAssign | ast.NamedExpr) and isinstance(node.target, ast.Name) and node.value:
        return [(node.target.id, node.value)]
    return []


def _default(given: list[ast.expr]) -> str | _Unknown | None:
    """What a look-up gives for an absent field, by the default that it is given; an empty mapping counts as none."""
    match given:
        case [] | [ast.Constant(None)] | [ast.Dict([])]:
            return None
        case [ast.Constant(str(text))]:
            return text
    return _UNKNOWN


def _only(
    field: _Field,
    exact: frozenset[str] = frozenset(),
    prefixes: frozenset[str] = frozenset(),
    parts: frozenset[str] = frozenset(),
) -> Need:
    """The need for one field to be among some texts."""
    if field.loose:
        exact, prefixes, parts = frozenset(), frozenset(), exact | prefixes | parts
    values = Values(exact, prefixes, frozenset(part.lower() for part in parts))
    unknown = isinstance(field.absent, _Unknown)
    if unknown or (isinstance(field.absent, str) and values.admits(field.absent)):
        values = msgspec.structs.replace(values, absent=True)
    return {field.name: values} if values else NEVER
