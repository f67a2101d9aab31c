"""Which regular expressions are trusted with lines that an attacker writes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.user_patterns import PatternRefused, undecided


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
        r"",
    ],
)
def test_a_pattern_whose_next_character_decides_is_trusted(pattern: str) -> None:
    assert not undecided(pattern)


@pytest.mark.parametrize(
    "pattern", [r"(?P<a>.*?) - (?P<b>\w+)", r"(?i)[a-z]+[A-Z]x", r"(?:\w+ )*\w+!", r"[^é]+é", r"(?P<a>.*)x"]
)
def test_one_undecided_repetition_is_trusted_with_short_lines(pattern: str) -> None:
    assert undecided(pattern)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        (r"(a+)+b", "within a repetition"),
        (r"(?:a|a)*b", "within a repetition"),
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
        (r"(", "no regular expression"),
        (r"[z-a]", "no regular expression"),
    ],
)
def test_a_pattern_that_may_take_for_ever_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(PatternRefused, match=why):
        undecided(pattern)


ATOMS = st.sampled_from(["a", "b", "[ab]", "[^a]", r"\w", ".", "(?:ab)", "(?:a|b)", "(?:a|ab)"])
PIECES = st.tuples(ATOMS, st.sampled_from(["", "?", "*", "+", "{2,5}", "*?"])).map("".join)
GROUPS = st.tuples(st.lists(PIECES, min_size=1, max_size=3).map("".join), st.sampled_from(["", "*", "+", "?"]))
PATTERNS = st.lists(PIECES | GROUPS.map(lambda group: f"(?:{group[0]}){group[1]}"), min_size=1, max_size=4).map("".join)


@given(PATTERNS, st.text("ab", max_size=4), st.sampled_from("abc!"))
def test_whatever_is_trusted_is_done_with_long_lines_at_once(pattern: str, word: str, end: str) -> None:
    """What is exponential would run into the test's time limit."""
    try:
        undecided(pattern)
    except PatternRefused:
        return
    compiled = re.compile(pattern)
    for line in (word * 100 + end, word * 50 + "b" * 100 + end):
        compiled.fullmatch(line)
