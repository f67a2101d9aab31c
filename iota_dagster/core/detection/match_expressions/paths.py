"""Paths into an event, as data models, lookup tables and match expressions write them.

`userIdentity.arn`, the same with `$.` in front, `names[0]`, `resources[*].ARN`, `'a.key.with.dots'.x`, and the one
kind of filter that public data models use: `parameters[?(@.name == 'ROLE_NAME')].value`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from iota_dagster.core.detection.event import ListView, MappingView

_STEP = re.compile(
    r"""\.? (?:
        (?P<name> [^.\[\]'"\s] [^.\[\]'"]* )
        | \[? (?P<quote>['"]) (?P<quoted> .*? ) (?P=quote) \]?
        | \[ (?P<index> \d+ ) \]
        | \[ (?P<every> \* ) \]
        | \[ \? \( \s* @\.(?P<key> [^\s=]+ ) \s* == \s* (?P<q>['"]) (?P<wanted> .*? ) (?P=q) \s* \) \]
    )""",
    re.VERBOSE,
)


class PathError(ValueError):
    """A path cannot be read; the text says from where on."""


@dataclass(frozen=True, slots=True)
class _Where:
    """A step over the items of a list: all of them, or those mappings whose `key` is `wanted`."""

    key: str | None = None
    wanted: str | None = None

    def takes(self, item: Any) -> bool:
        return self.key is None or (isinstance(item, MappingView) and item.get(self.key) == self.wanted)


_Step = str | int | _Where


@dataclass(frozen=True, slots=True)
class Path:
    """A path that has been read: `text` as it was written, without its `$.`."""

    text: str
    steps: tuple[_Step, ...]

    @property
    def key(self) -> str | None:
        """The one top-level key that the path is; None for a longer one."""
        return self.steps[0] if len(self.steps) == 1 and isinstance(self.steps[0], str) else None

    @property
    def many(self) -> bool:
        """Whether the path may lead to several values: `find` then gives a list of them."""
        return any(isinstance(step, _Where) for step in self.steps)

    def find(self, node: Any) -> Any:
        """What lies at the path's end below a view: a value or a view, or None.

        A path with `[*]` or a filter gives a list of all that it leads to, or None when that is nothing.
        """
        for depth, step in enumerate(self.steps):
            if isinstance(step, _Where):
                return _spread(node, self.steps[depth:]) or None
            node = _child(node, step)
            if node is None:
                return None
        return node


def parse_path(text: str) -> Path:
    """Read a path; `PathError` with the place where it stops making sense."""
    rest = text.strip().removeprefix("$")
    rest = rest[1:] if rest.startswith(".") else rest
    steps: list[_Step] = []
    position = 0
    while position < len(rest):
        found = _STEP.match(rest, position)
        if found is None or (not steps and rest[position] == "."):
            raise PathError(f"{text!r} is no path from {rest[position:]!r} on: give keys like a.b[0].c or a[*].b")
        steps.append(_step(found))
        position = found.end()
    if not steps:
        raise PathError("the path is empty: give keys like a.b[0].c")
    return Path(rest, tuple(steps))


def _step(found: re.Match[str]) -> _Step:
    if found["index"] is not None:
        return int(found["index"])
    if found["every"]:
        return _Where()
    if found["key"]:
        return _Where(found["key"], found["wanted"])
    return found["quoted"] if found["name"] is None else found["name"]


def _child(node: Any, step: str | int) -> Any:
    """One step down; a name of digits is an index where a list lies, as in `items.0`."""
    if isinstance(node, MappingView):
        return node.get(step) if isinstance(step, str) else None
    if isinstance(node, ListView) and (isinstance(step, int) or step.isdecimal()):
        index = int(step)
        return node[index] if index < len(node) else None
    return None


def _spread(node: Any, steps: tuple[_Step, ...]) -> list[Any]:
    """All values at the end of steps that go over lists; nulls and missing ones left out."""
    if node is None:
        return []
    if not steps:
        return [node]
    step, rest = steps[0], steps[1:]
    if not isinstance(step, _Where):
        return _spread(_child(node, step), rest)
    if not isinstance(node, ListView):
        return []
    return [value for item in node if step.takes(item) for value in _spread(item, rest)]
