"""Mutants of a rule's code: each one is the rule with a single decision changed.

Only what decides is changed: the function `rule`, and the functions and constants of its file that it reaches by name.
A test suite that notices every mutant pins every condition of the rule.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType

Variants = Iterator[tuple[ast.AST, ast.AST, str]]
"""What a node may be replaced with, the part of it that this is about, and how it is told to a person."""

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.In: ast.NotIn,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
    ast.Is: ast.IsNot,
}
_OPPOSITES |= {other: one for one, other in _OPPOSITES.items()}
_QUANTIFIERS = {"any": "all", "all": "any"}
_MEMBER_CALLS = ("startswith", "endswith", "isinstance", "removeprefix", "removesuffix")
_BARE = (ast.Call, ast.Name, ast.Attribute, ast.Subscript, ast.NamedExpr)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_TEXT_LIMIT = 90


@dataclass(frozen=True, slots=True)
class Mutant:
    """A rule's file with one change: the line it is on, what it is, and the code to run."""

    line: int
    change: str
    code: CodeType


def mutants(source: bytes, file: str, function: str = "rule") -> Iterator[Mutant]:
    """All mutants of a rule's source, from top to bottom; `SyntaxError` when it does not compile.

    `function` is the one whose answer is the decision.
    """
    tree = ast.parse(source, file)
    for name, root in sorted(_deciding(tree, function), key=lambda item: item[1].lineno):
        for place in _places(root, decides=name == function):
            for node, part, change in _variants(place, name):
                with place.holding(node):
                    # What is made here has no line of its own; its errors belong to the line that it stands on.
                    code = compile(ast.fix_missing_locations(tree), file, "exec", dont_inherit=True)
                yield Mutant(getattr(part, "lineno", place.line), change, code)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a node hangs in the tree: in a `constant` of the module, in the function that `decides`, or in another."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    line: int
    constant: bool
    decides: bool

    @contextmanager
    def holding(self, other: ast.AST) -> Iterator[None]:
        """The tree with another node here, for a while."""
        self._put(other)
        try:
            yield
        finally:
            self._put(self.node)

    def _put(self, node: ast.AST) -> None:
        if self.index is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.index] = node


def _deciding(tree: ast.Module, function: str) -> list[tuple[str, ast.stmt]]:
    """The module's statements that define what a function reaches by name, each with the name it defines."""
    defined: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in _defines(statement):
            defined.setdefault(name, []).append(statement)
    reached: dict[str, None] = {}
    waiting = [function]
    while waiting:
        name = waiting.pop()
        if name in defined and name not in reached:
            reached[name] = None
            waiting += [other for statement in defined[name] for other in sorted(_uses(statement))]
    found = {statement: name for name in reached for statement in defined[name]}
    return [(name, statement) for statement, name in found.items()]


def _defines(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (*_FUNCTIONS, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return []


def _uses(statement: ast.stmt) -> set[str]:
    """The names that a statement reads from its module: what a function binds itself is its own affair."""
    nodes = list(ast.walk(statement))
    names = [node for node in nodes if isinstance(node, ast.Name)]
    own = {node.arg for node in nodes if isinstance(node, ast.arg)}
    if isinstance(statement, _FUNCTIONS):
        own |= {name.id for name in names if isinstance(name.ctx, ast.Store)}
    return {name.id for name in names if isinstance(name.ctx, ast.Load)} - own


def _places(root: ast.stmt, *, decides: bool) -> Iterator[_Place]:
    """Every place below a statement, in the order of the text."""
    constant = isinstance(root, ast.Assign | ast.AnnAssign | ast.AugAssign)
    waiting: list[tuple[ast.AST, int]] = [(root, root.lineno)]
    while waiting:
        parent, line = waiting.pop()
        below = []
        for field, value in ast.iter_fields(parent):
            for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
                if isinstance(node, ast.AST):
                    here = getattr(node, "lineno", line)
                    yield _Place(parent, field, index, node, here, constant, decides)
                    below.append((node, here))
        waiting += reversed(below)


def _variants(place: _Place, name: str) -> Variants:
    node, parent = place.node, place.parent
    if isinstance(node, ast.BoolOp):
        yield from _operands_deleted(node)
    elif isinstance(node, ast.Compare):
        yield from _comparisons_negated(node)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand, node, f"`{_text(node)}` became `{_text(node.operand)}`"
    elif isinstance(node, ast.Name) and node.id in _QUANTIFIERS and place.field == "func":
        yield ast.Name(_QUANTIFIERS[node.id], ast.Load()), node, f"{node.id}(…) became {_QUANTIFIERS[node.id]}(…)"
    elif isinstance(node, ast.Tuple | ast.List | ast.Set | ast.Dict) and _is_looked_through(place, node):
        yield from _members_deleted(node, f" of {name}" if place.constant else "")
    elif isinstance(node, ast.Match):
        yield from _cases_deleted(node)
    if isinstance(node, ast.expr) and _is_condition(place):
        for value in (True, False):
            yield _forced(node, value), node, f"the condition `{_text(node)}` was always {value}"
    elif isinstance(node, _BARE) and (isinstance(parent, ast.BoolOp) or _is_decision(place)):
        yield ast.UnaryOp(ast.Not(), node), node, f"`{_text(node)}` became `not {_text(node)}`"


def _is_condition(place: _Place) -> bool:
    """Whether a node decides where the code goes: of `if`, `elif`, a ternary, a comprehension or a `case`."""
    if isinstance(place.parent, ast.If | ast.IfExp):
        return place.field == "test"
    if isinstance(place.parent, ast.comprehension):
        return place.field == "ifs"
    return isinstance(place.parent, ast.match_case) and place.field == "guard"


def _is_decision(place: _Place) -> bool:
    return place.decides and isinstance(place.parent, ast.Return)


def _is_looked_through(place: _Place, node: ast.Tuple | ast.List | ast.Set | ast.Dict) -> bool:
    """Whether a literal's members count: not those of `A, B = …`, which are names and no values."""
    target = isinstance(node, ast.Tuple | ast.List) and not isinstance(node.ctx, ast.Load)
    return not target and (place.constant or _searched(place))


def _searched(place: _Place) -> bool:
    """Whether a literal in a function is looked through: `x in (…)`, `for x in (…)`, `x.startswith((…))`."""
    parent = place.parent
    if isinstance(parent, ast.Compare) and place.field == "comparators" and place.index is not None:
        return isinstance(parent.ops[place.index], ast.In | ast.NotIn)
    if isinstance(parent, ast.Call) and place.field == "args":
        called = parent.func
        return getattr(called, "attr", getattr(called, "id", None)) in _MEMBER_CALLS
    return isinstance(parent, ast.For | ast.comprehension) and place.field == "iter"


def _operands_deleted(node: ast.BoolOp) -> Variants:
    neutral = isinstance(node.op, ast.And)
    for index, operand in enumerate(node.values):
        rest = [value for value in node.values if value is not operand]
        if _binds(operand):
            rest.insert(index, _forced(operand, neutral))
        changed = ast.BoolOp(node.op, rest) if len(rest) > 1 else rest[0]
        yield changed, operand, f"`{_text(operand)}` was deleted from `{_text(node)}`"


def _comparisons_negated(node: ast.Compare) -> Variants:
    for index, operator in enumerate(node.ops):
        operators = [*node.ops[:index], _OPPOSITES[type(operator)](), *node.ops[index + 1 :]]
        changed = ast.Compare(node.left, operators, node.comparators)
        yield changed, node, f"`{_text(node)}` became `{_text(changed)}`"


def _members_deleted(node: ast.Tuple | ast.List | ast.Set | ast.Dict, owner: str) -> Variants:
    if isinstance(node, ast.Dict):
        for index, key in enumerate(node.keys):
            keys, values = [*node.keys], [*node.values]
            del keys[index], values[index]
            yield ast.Dict(keys, values), key or node, f"the key `{_text(key) if key else '**'}`{owner} was deleted"
        return
    for index, member in enumerate(node.elts):
        rest = [*node.elts[:index], *node.elts[index + 1 :]]
        changed = ast.Set(rest) if isinstance(node, ast.Set) else type(node)(rest, ast.Load())
        yield changed, member, f"the member `{_text(member)}`{owner} was deleted"


def _cases_deleted(node: ast.Match) -> Variants:
    for case in node.cases:
        rest = [other for other in node.cases if other is not case]
        if rest:
            yield ast.Match(node.subject, rest), case.pattern, f"`case {_text(case.pattern)}` was deleted"


def _forced(node: ast.expr, value: bool) -> ast.expr:
    """A constant in place of a condition, which is still evaluated where it binds a name that is used later."""
    if not _binds(node):
        return ast.Constant(value)
    both = ast.Tuple([node, ast.Constant(value)], ast.Load())
    return ast.Subscript(both, ast.Constant(1), ast.Load())


def _binds(node: ast.AST) -> bool:
    return any(isinstance(part, ast.NamedExpr) for part in ast.walk(node))


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= _TEXT_LIMIT else f"{text[: _TEXT_LIMIT - 1]}…"
