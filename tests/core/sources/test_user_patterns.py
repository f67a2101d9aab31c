"""Which regular expressions are trusted with lines that an attacker writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iota_dagster.core.sources.user_patterns import LONGEST_LINE, PatternRefused, Trust, trust


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?P<a>\S+) (?P<b>.*)",
        r"\[(?P<time>[^\]]+)\] (?P<level>\w+)\s+(?P<message>.*)",
        r'"(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3})',
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"(?:(?:a|b)+,)*",
        r"(?P<a>[^=]+)=é",
        r"(?P<a>\S+)(?: (?P<b>\d+))?(?: (?P<c>\w+))?",
        r"(?:\w++\s?)*!",
        r"(?:a|ab)*c",
        r"\(?uid=[0-9]+\)?",
        r"[(?a]x",
        r"[(?-s]x",
        r"(?i:x)(?:ax|Ay)*c",
        r"(?i)x(?-i:(?:ax|Ay)*)",
        r"",
    ],
)
def test_a_pattern_whose_next_character_decides_is_trusted(pattern: str) -> None:
    assert trust(pattern).longest is None


@pytest.mark.parametrize(
    "pattern", [r"(?P<a>.*?) - (?P<b>\w+)", r"(?i)[a-z]+[A-Z]x", r"(?:\w+ )*\w+!", r"[^é]+é", r"(?P<a>.*)x"]
)
def test_one_undecided_repetition_is_trusted_with_short_lines(pattern: str) -> None:
    assert trust(pattern) == Trust(LONGEST_LINE)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a+)+b", "within a repetition"),
        (r"(?:a|a)*b", "within a repetition"),
        (r"(?:(?i:a)|A)*b", "within a repetition"),
        (r"(?i)(?:ax|Ay)*b", "within a repetition"),
        (r"(?:(?i:\u017f)|s)*b", "within a repetition"),
        (r"(?:(?i:[\u00c0-\u017f])|s)*b", "within a repetition"),
        (r"(?:\w+\s?)*", "within a repetition"),
        (r"(?:x.*)*y", "within a repetition"),
        (r"(?:a{1,40}){1,40}b", "within a repetition"),
        (r"(?:a?){64}b", "can be empty"),
        (r"(a*)*", "can be empty"),
        (r".*-.*=x", "more than one repetition"),
        (r"\d*\d*\d*x", "more than one repetition"),
        (r"a?a?a?a?a?a?a?aaaaaaa", "more than one repetition"),
        (r".*a.{0,100}b", "more than one repetition"),
        (r"(?=a)b", "not supported"),
        (r"(?<!a)b", "not supported"),
        (r"(?P<a>x)(?P=a)", "not supported"),
        (r"(?a:\W)\w", "flags"),
        (r"(?a)\W\w", "flags"),
        (r"(?:x(?a:\W)+)?\w", "flags"),
        (r"(?s)\s+(?-s:.*)", "flag s"),
        (r"(", "no regular expression"),
        (r"[z-a]", "no regular expression"),
    ],
)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternRefused, match=why):
        trust(pattern)


def test_only_three_letters_are_equal_to_characters_beyond_ascii() -> None:
    """What `_FOLDED` is made of, asked of this Python."""
    beyond = "".join(chr(code) for code in range(128, 0x30000) if not 0xD800 <= code < 0xE000)
    letters = {chr(code) for code in range(128) if re.search(f"(?i){re.escape(chr(code))}", beyond)}
    assert letters == set("iIkKsS")


@pytest.mark.parametrize(
    ("pattern", "trusted"),
    [
        (r"(?P<time>\S+)\s+(?P<message>.*)", Trust(one_line=True)),
        (r"(?P<a>.*)x(?P<b>\w+)(?P<c>.*)", Trust(LONGEST_LINE, one_line=True)),
        (r"(?s)(?P<time>\S+)\s+(?P<message>.*)", Trust()),
        (r"(?s)(?P<a>.*)x(?P<b>\w+)(?P<c>.*)", Trust(LONGEST_LINE)),
        (r"(?P<a>[^:]+): (?P<b>.*)", Trust()),
    ],
)
def test_what_relies_on_an_end_that_takes_all_is_not_tried_on_several_lines(pattern: str, trusted: Trust) -> None:
    assert trust(pattern) == trusted
    assert trusted.covers("T \nx") is not trusted.one_line
    assert trusted.covers("x" * (LONGEST_LINE + 1)) is (trusted.longest is None)


class _Matcher:
    """Goes back through a text as `re` does, and counts its steps."""

    def __init__(self, pattern: str) -> None:
        self.nodes = parser.parse(pattern)
        self.all_lines = bool(self.nodes.state.flags & re.DOTALL)

    def steps(self, text: str) -> int:
        """What `fullmatch` costs; more than a million is not counted."""
        self.text, self.count = text, 0
        for end in self._ends(list(self.nodes), 0):
            if end == len(text) or self.count > 1_000_000:
                break
        return self.count

    def _ends(self, nodes: list[Any], at: int) -> Iterator[int]:
        if not nodes:
            yield at
            return
        for end in self._one(nodes[0], at):
            if self.count > 1_000_000:
                return
            yield from self._ends(nodes[1:], end)

    def _one(self, node: Any, at: int) -> Iterator[int]:
        self.count += 1
        kind, what = str(node[0]), node[1]
        if kind == "SUBPATTERN":
            yield from self._ends(list(what[3]), at)
        elif kind == "BRANCH":
            for branch in what[1]:
                yield from self._ends(list(branch), at)
        elif kind in ("MAX_REPEAT", "MIN_REPEAT"):
            yield from self._repeated(what, at, 0, eager=kind == "MAX_REPEAT")
        elif at < len(self.text) and self._takes(node, self.text[at]):
            yield at + 1

    def _repeated(self, what: Any, at: int, done: int, *, eager: bool) -> Iterator[int]:
        least, most, body = what
        if done >= least and not eager:
            yield at
        if done < most:
            for end in self._ends(list(body), at):
                if end > at:
                    yield from self._repeated(what, end, done + 1, eager=eager)
        if done >= least and eager:
            yield at

    def _takes(self, node: Any, char: str) -> bool:
        if str(node[0]) == "ANY":
            return self.all_lines or char != "\n"
        return bool(_CLASSES[repr(node)].fullmatch(char))


_CLASSES = {
    repr(parser.parse(atom)[0]): re.compile(atom) for atom in ("a", "b", "x", "[ab]", "[^a]", r"\w", r"\s", "-")
}


ATOMS = st.sampled_from(["a", "b", "x", "[ab]", "[^a]", r"\w", r"\s", ".", "(?:ab)", "(?:a|b)", "(?:a|ab)"])
PIECES = st.tuples(ATOMS, st.sampled_from(["", "?", "*", "+", "{2,5}", "*?"])).map("".join)
GROUPS = st.tuples(st.lists(PIECES, min_size=1, max_size=3).map("".join), st.sampled_from(["", "*", "+", "?"]))
PATTERNS = st.lists(PIECES | GROUPS.map(lambda group: f"(?:{group[0]}){group[1]}"), min_size=1, max_size=4).map("".join)


@given(PATTERNS, st.text("ab", max_size=4), st.sampled_from("abc!"))
def test_whatever_is_trusted_is_done_with_long_lines_at_once(pattern: str, word: str, end: str) -> None:
    """What is exponential would run into the test's time limit."""
    try:
        trust(pattern)
    except PatternRefused:
        return
    compiled = re.compile(pattern)
    for line in (word * 100 + end, word * 50 + "b" * 100 + end):
        compiled.fullmatch(line)


_BADLY_ENDING = [(again, last) for again in ("a", "b", "x", " ", "ab", "a ") for last in ("\n", "x\nx", "-")]


@given(st.sampled_from(["", "(?s)"]), PATTERNS, st.sampled_from(["", ".*", "(?:.*)"]), st.sampled_from(["", "a", "x"]))
@example("", r"\w+", ".*", "")
@example("", r".*x\w+", "(?:.*)", "")
def test_what_is_trusted_costs_the_length_of_a_text_or_at_most_its_square(
    flags: str, pattern: str, end: str, start: str
) -> None:
    pattern = flags + pattern + end
    try:
        trusted = trust(pattern)
    except PatternRefused:
        return
    matcher, growth = _Matcher(pattern), 4 if trusted.longest is None else 16  # of a text four times as long
    for again, last in _BADLY_ENDING:
        short, long = (start + again * times + last for times in (12, 48))
        if trusted.covers(long):
            assert matcher.steps(long) <= 1.5 * growth * max(matcher.steps(short), 40)


@pytest.mark.parametrize(
    ("pattern", "char", "growth"), [(r"a*b", "a", 4), (r"a*\w*b", "a", 16), (r"(?:\w*)x(?:\w+)(?:.*)", "x", 64)]
)
def test_the_steps_that_the_tests_count_are_those_of_going_back(pattern: str, char: str, growth: int) -> None:
    matcher = _Matcher(pattern)
    short, long = (matcher.steps(char * size + "\n") for size in (12, 48))
    assert 0.6 * growth <= long / short <= 1.2 * growth
