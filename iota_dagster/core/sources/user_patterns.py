"""Whether a user's regular expression can be trusted with lines that an attacker writes.

Python's `re` tries alternatives by going back, and some patterns make that take for ever on a line made for it. There
is no time limit in `re`, so a pattern is looked at before it is used: at every repetition, option and alternative the
next character must say which way to go (`[^"]*"`, not `.*"`), and then no line can make it go back far: a match costs
as many steps as the line is long. One `.*` in the open may be undecided: it costs at most the square of a line's
length, which `LONGEST_LINE` bounds. A `.*` at the end takes whatever is left, so that nothing before it goes back; but
where that is the end of a line only, the pattern must not see several lines.
"""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from re import _parser as parser  # type: ignore[attr-defined]  # the only reader of Python's patterns that there is
from typing import Any

LONGEST_LINE = 2_048
"""Most characters of a line that a pattern with an undecided repetition is tried on."""
_MOST_WAYS = 64
_BEYOND = (r"\d", r"\s", r"\w", r"\W")
"""What stands, each by one bit after those of ASCII, for all other characters; the first that takes one counts."""
_OTHERS = ((1 << len(_BEYOND)) - 1) << 128
_FOLDED = sum(1 << ord(letter) for letter in "iIkKsS")
"""Letters that some other character is equal to where case does not count, as the Kelvin sign to k."""
_ALL = (1 << 128 + len(_BEYOND)) - 1
_SINGLE = ("ANY", "AT", "IN", "LITERAL", "NOT_LITERAL")
"""What has but one way to go on."""
_UNSUPPORTED = re.ASCII | re.LOCALE
_UNSUPPORTED_SAID = "the flags a and L are not supported: leave them out"
_Node = tuple[Any, Any]


class PatternRefused(ValueError):
    """A pattern is wrong or could take for ever; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Which texts a pattern is to be tried on: none longer than `longest`, and none of several lines if `one_line`."""

    longest: int | None = None
    one_line: bool = False

    def covers(self, text: str) -> bool:
        """Whether the pattern is done with a text before long."""
        return (self.longest is None or len(text) <= self.longest) and not (self.one_line and "\n" in text)


@dataclass(slots=True)
class _Choices:
    """What is undecided outside of repetitions: repetitions without a bound, and ways to go through the others.

    `one_line`: what is not undecided is so only because a `.*` at the end takes whatever is left of a line.
    """

    endless: int = 0
    ways: int = 1
    one_line: bool = False


@dataclass(frozen=True, slots=True)
class _Looker:
    fold: bool
    all_lines: bool
    choices: _Choices = field(default_factory=_Choices)

    def look(self, nodes: Sequence[_Node], follow: int, loop: bool) -> None:
        """Look at a sequence; `follow` are the characters that may come after it."""
        for number, node in enumerate(nodes):
            rest = nodes[number + 1 :]
            first, empty = self.first(rest)
            if _takes_all(rest) and not (loop or follow):
                first, empty = 0, False  # whatever is left to it, it never fails, so that nothing goes back
                self.choices.one_line |= not self.all_lines and str(node[0]) not in _SINGLE
            self._look_at(node, first | follow if empty else first, loop)

    def _look_at(self, node: _Node, follow: int, loop: bool) -> None:
        kind, what = str(node[0]), node[1]
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            self._look_at_repeat(node, follow, loop)
        elif kind == "BRANCH":
            self._look_at_branches(what[1], follow, loop)
        elif kind == "SUBPATTERN":
            self._within(what).look(what[3], follow, loop)
        elif kind == "ATOMIC_GROUP":
            self.look(what, follow, loop)
        elif kind in ("ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS"):
            raise PatternRefused("looking ahead or behind and references to groups are not supported: leave them out")

    def _within(self, group: Any) -> _Looker:
        """Who looks into a group, with the flags that it sets and clears."""
        _, added, removed, _ = group
        if added & _UNSUPPORTED:
            raise PatternRefused(_UNSUPPORTED_SAID)
        if removed & re.DOTALL:
            raise PatternRefused("the flag s cannot be switched off: write [^\\n] for what stays on its line")
        fold = bool((self.fold or added & re.IGNORECASE) and not removed & re.IGNORECASE)
        return self if fold is self.fold else replace(self, fold=fold)

    def _look_at_repeat(self, node: _Node, follow: int, loop: bool) -> None:
        least, most, body = node[1]
        first, empty = self.first(body)
        many = most > 1
        if many and empty:
            raise PatternRefused("a repetition of something that can be empty, such as (a*)*: let it be one or more")
        self.look(body, first | follow if many else follow, loop or many)
        if most > least and first & follow and str(node[0]) != "POSSESSIVE_REPEAT":
            self._undecided(0 if most is parser.MAXREPEAT else most - least + 1, loop)

    def _look_at_branches(self, branches: Sequence[Any], follow: int, loop: bool) -> None:
        seen, clash = 0, False
        for branch in branches:
            self.look(branch, follow, loop)
            first, empty = self.first(branch)
            first |= follow if empty else 0
            seen, clash = seen | first, clash or bool(seen & first)
        if clash:
            self._undecided(len(branches), loop)

    def _undecided(self, ways: int, loop: bool) -> None:
        """Count a place where the next character leaves several ways open; `ways` 0: as many as the line is long."""
        if loop:
            raise PatternRefused(
                "within a repetition the next character must say how to go on, or some lines take for ever: "
                'write [^"]* for what ends with ", or make the inner repetition possessive (*+, ++)'
            )
        self.choices.endless += not ways
        self.choices.ways *= ways or 1
        if self.choices.endless > 1 or self.choices.ways > _MOST_WAYS:
            raise PatternRefused(
                "more than one repetition, such as .*, can take characters of what follows it, and some lines take "
                'very long: let all but one say where they end, as [^ ]* does before a blank and [^"]* before a "'
            )

    def first(self, nodes: Sequence[_Node]) -> tuple[int, bool]:
        """The characters that a sequence can begin with, and whether it can be empty."""
        found = 0
        for node in nodes:
            characters, empty = self._first_of(node)
            found |= characters
            if not empty:
                return found, False
        return found, True

    def _first_of(self, node: _Node) -> tuple[int, bool]:
        kind, what = str(node[0]), node[1]
        if kind in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            first, empty = self.first(what[2])
            return first, empty or what[0] == 0
        if kind == "BRANCH":
            parts = [self.first(branch) for branch in what[1]]
            return _union(first for first, _ in parts), any(empty for _, empty in parts)
        if kind == "SUBPATTERN":
            return self._within(what).first(what[3])
        if kind == "ATOMIC_GROUP":
            return self.first(what)
        if kind in _SINGLE and kind != "AT":
            return _characters(node, self.fold), False
        return 0, True  # an anchor


def _takes_all(nodes: Sequence[_Node]) -> bool:
    """Whether a sequence is nothing but `.*`, in a group or not."""
    if len(nodes) != 1:
        return False
    kind, what = str(nodes[0][0]), nodes[0][1]
    if kind == "SUBPATTERN":
        return _takes_all(what[3])
    if kind not in ("MAX_REPEAT", "MIN_REPEAT"):
        return False
    least, most, body = what
    return bool(least == 0 and most is parser.MAXREPEAT and str(body[0][0]) == "ANY")


def _union(sets: Iterable[int]) -> int:
    return functools.reduce(operator.or_, sets, 0)


def _characters(node: _Node, fold: bool) -> int:
    """The characters of a node that takes one, bit by bit; rather too many than too few."""
    kind, what = str(node[0]), node[1]
    if kind == "ANY":
        return _ALL
    if kind == "LITERAL":
        return _one(what, fold)
    if kind == "NOT_LITERAL":
        return _ALL & ~_certain(node)
    if kind == "RANGE":
        return _union(_one(code, fold) for code in range(what[0], min(what[1], 127) + 1)) | (
            _one(what[1], fold) if what[1] > 127 else 0
        )
    if kind == "CATEGORY":
        return _category(str(what))
    members = [member for member in what if str(member[0]) != "NEGATE"]
    if len(members) < len(what):
        return _ALL & ~_union(map(_certain, members))
    return _union(_characters(member, fold) for member in members)


def _certain(node: _Node) -> int:
    """The characters that a member of a negated set surely keeps out."""
    found = _characters((parser.LITERAL, node[1]) if str(node[0]) == "NOT_LITERAL" else node, fold=False)
    return found if str(node[0]) == "CATEGORY" else found & ~_OTHERS


def _one(code: int, fold: bool) -> int:
    if code > 127:
        return _OTHERS | _FOLDED if fold else _OTHERS
    letter = chr(code)
    return _union(1 << ord(each) for each in {letter, letter.swapcase()}) | _OTHERS if fold else 1 << code


_CATEGORIES = {"CATEGORY_DIGIT": (r"\d", {0}), "CATEGORY_SPACE": (r"\s", {1}), "CATEGORY_WORD": (r"\w", {0, 2})}


def _category(name: str) -> int:
    plain, beyond = _CATEGORIES[name.replace("NOT_", "")]
    inside = _union(1 << code for code in range(128) if re.match(plain, chr(code)))
    inside |= _union(1 << 128 + number for number in beyond)
    return inside if name in _CATEGORIES else _ALL & ~inside


def trust(pattern: str) -> Trust:
    """What a pattern can be trusted with; `PatternRefused` where it could cost more than the square of a length."""
    try:
        re.compile(pattern)
        nodes = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternRefused(f"this is no regular expression: {error}") from None
    flags = nodes.state.flags
    if flags & _UNSUPPORTED:
        raise PatternRefused(_UNSUPPORTED_SAID)
    looker = _Looker(fold=bool(flags & re.IGNORECASE), all_lines=bool(flags & re.DOTALL))
    looker.look(nodes, 0, loop=False)
    return Trust(LONGEST_LINE if looker.choices.endless else None, looker.choices.one_line)
