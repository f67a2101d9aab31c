"""What correlation rules make of matches: counts, order, time frames, values, absence; never the order of arrival."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import combinations, pairwise, product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.detection.correlation.evaluate import CorrelationMatch, evaluate, foresee
from iota_dagster.core.detection.correlation.keys import MOST_KEYS
from iota_dagster.core.detection.correlation.rule import CorrelationRule, Frame, Member
from iota_dagster.core.detection.correlation.signals import Signal, extract
from tests.core.detection.correlation.cases import BRUTE_FORCE, UNANSWERED, WEAKENED, a_rule, a_signal, at


def times(found: Sequence[CorrelationMatch]) -> list[float]:
    return [(match.event_time - at(0)).total_seconds() / 60 for match in found]


def failed(*minutes: float, user: str = "alice") -> list[Signal]:
    return [a_signal("Login.Failed", minute, f"f{minute}{user}", user=user) for minute in minutes]


def test_a_sequence_matches_at_its_last_step() -> None:
    (match,) = foresee(a_rule(BRUTE_FORCE), [*failed(0, 1, 2, 3), a_signal("Login", 4, user="alice")])
    assert match.event_time == at(4)
    assert match.values == (("user", "alice"),)
    counted = [[signal.event_time for signal in signals] for _, signals in match.members]
    assert counted == [[at(1), at(2), at(3)], [at(4)]], "the nearest three, then the success"
    assert [name for name, _ in match.members] == ["Failed", "Success"]


@pytest.mark.parametrize(
    ("signals", "expected"),
    [
        ([*failed(0, 1, 2), a_signal("Login", 2, user="alice")], [2]),
        ([*failed(0, 1, 2), a_signal("Login", 30, user="alice")], [30]),
        ([*failed(0, 1, 2), a_signal("Login", 30.1, user="alice")], []),
        ([*failed(0, 1), a_signal("Login", 2, user="alice")], []),
        ([*failed(0, 1, 2), a_signal("Login", 3, user="bob")], []),
        ([*failed(0, 1, 4), a_signal("Login", 3, user="alice")], []),
        ([*failed(0, 1), *failed(2, user="bob"), a_signal("Login", 3, user="alice")], []),
        ([*failed(0, 1, 2), a_signal("Login", 3)], []),
        ([*failed(0, 1, 2), a_signal("Login", 3, user=["bob", "alice"])], [3]),
    ],
    ids=["at the same time", "just in time", "too late", "too few", "another", "after", "mixed", "no value", "a list"],
)
def test_a_sequence_needs_its_steps_as_often_and_in_the_order_and_time_it_names(
    signals: list[Signal], expected: list[float]
) -> None:
    assert times(foresee(a_rule(BRUTE_FORCE), signals)) == expected


def test_the_nearest_match_of_a_step_may_be_the_wrong_one() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence: [{ ID: A, RuleID: A }, { ID: B, RuleID: B }, { ID: C, RuleID: C }]
            Transitions:
              - { From: A, To: B, WithinTimeFrameMinutes: 5 }
            LookbackWindowMinutes: 90
        """)
    (match,) = foresee(rule, [a_signal("A", 0), a_signal("B", 3), a_signal("B", 50), a_signal("C", 60)])
    assert [signals[0].event_time for _, signals in match.members] == [at(0), at(3), at(60)]


def test_a_step_that_leads_to_itself_must_happen_often_enough_in_time() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence: [{ ID: App, RuleID: App.Opened, MinMatchCount: 3 }]
            Transitions:
              - { From: App, To: App, WithinTimeFrameMinutes: 10, Match: [{ On: user }] }
            LookbackWindowMinutes: 120
        """)
    mine = [a_signal("App.Opened", minute, user="alice") for minute in (0, 20, 25, 30, 31)]
    assert times(foresee(rule, mine)) == [30, 31]
    others = [a_signal("App.Opened", minute, user=str(minute)) for minute in (0, 1, 2, 3)]
    assert foresee(rule, others) == []


def test_one_match_never_counts_for_two_steps_of_the_same_rule() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence: [{ ID: Before, RuleID: Login }, { ID: Reset, RuleID: Reset }, { ID: After, RuleID: Login }]
            LookbackWindowMinutes: 30
        """)
    assert foresee(rule, [a_signal("Login", 1), a_signal("Reset", 1)]) == []
    assert times(foresee(rule, [a_signal("Login", 1), a_signal("Reset", 1), a_signal("Login", 1, "again")])) == [1]


def test_a_group_matches_in_any_order_within_its_window() -> None:
    rule = a_rule(WEAKENED)
    off: dict[str, Any] = {"p_alert_context.bucket": "logs"}
    versions: dict[str, Any] = {"bucketName": "logs"}
    assert times(foresee(rule, [a_signal("Logging.Off", 0, **off), a_signal("Versions.Off", 30, **versions)])) == [30]
    assert times(foresee(rule, [a_signal("Logging.Off", 9, **off), a_signal("Versions.Off", 0, **versions)])) == [9]
    assert foresee(rule, [a_signal("Logging.Off", 0, **off), a_signal("Versions.Off", 31, **versions)]) == []
    assert foresee(rule, [a_signal("Logging.Off", 0, **off), a_signal("Versions.Off", 1, bucketName="other")]) == []


def test_a_group_without_criteria_takes_any_matches() -> None:
    rule = a_rule("Detection: [{ Group: [{ RuleID: A }, { RuleID: B, MinMatchCount: 2 }] }]")
    assert times(foresee(rule, [a_signal("A", 3), a_signal("B", 0), a_signal("B", 15)])) == [15]
    assert foresee(rule, [a_signal("A", 3), a_signal("B", 0), a_signal("B", 15.1)]) == []


def test_several_criteria_must_all_hold() -> None:
    rule = a_rule("""\
        Detection:
          - Group: [{ ID: A, RuleID: A }, { ID: B, RuleID: B }]
            MatchCriteria:
              who: [{ GroupID: A, Match: user }, { GroupID: B, Match: user }]
              where: [{ GroupID: A, Match: ip }, { GroupID: B, Match: ip }]
        """)
    alice = a_signal("A", 0, user="alice", ip=["203.0.113.1", "203.0.113.2"])
    assert foresee(rule, [alice, a_signal("B", 1, user="bob", ip="203.0.113.1")]) == []
    (match,) = foresee(rule, [alice, a_signal("B", 1, user="alice", ip="203.0.113.2")])
    assert match.values == (("user", "alice"), ("ip", "203.0.113.2"))


def test_steps_may_hand_on_from_one_value_to_another() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence: [{ ID: A, RuleID: A }, { ID: B, RuleID: B }, { ID: C, RuleID: C }]
            Transitions:
              - { From: A, To: B, Match: [{ On: user }] }
              - { From: B, To: C, Match: [{ From: key, To: used }] }
        """)
    chain = [a_signal("A", 0, user="alice"), a_signal("B", 1, user="alice", key="K1"), a_signal("C", 2, used="K1")]
    assert [match.values for match in foresee(rule, chain)] == [(("user", "alice"), ("key", "K1"))]
    assert foresee(rule, [*chain[:2], a_signal("C", 2, used="K2")]) == []


def test_what_has_not_happened_is_known_at_the_end_of_the_wait() -> None:
    rule, exposed = a_rule(UNANSWERED), a_signal("Key.Exposed", 0, key="K")
    assert evaluate(rule, [exposed], at(14.9)) == []
    (match,) = evaluate(rule, [exposed], at(15))
    assert match.event_time == match.sure_at == at(15)
    for minute, expected in ((-1, [15]), (0, []), (15, []), (15.1, [15])):
        assert times(foresee(rule, [exposed, a_signal("Key.Revoked", minute, key="K")])) == expected
    assert times(foresee(rule, [exposed, a_signal("Key.Revoked", 1, key="other")])) == [15]


def test_a_step_counts_only_where_what_must_be_absent_has_not_come_before_it() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence: [{ ID: Prompt, RuleID: Prompt, Absence: true }, { ID: Token, RuleID: Token }]
            Transitions: [{ From: Prompt, To: Token, WithinTimeFrameMinutes: 120, Match: [{ On: ip }] }]
            LookbackWindowMinutes: 60
        """)
    token = a_signal("Token", 0, ip="203.0.113.1")
    for minute, expected in ((-121, [0]), (-120, []), (0, []), (1, [0])):
        assert times(foresee(rule, [token, a_signal("Prompt", minute, ip="203.0.113.1")])) == expected


def test_two_steps_count_only_where_what_must_be_absent_has_not_come_between() -> None:
    rule = a_rule("""\
        Detection:
          - Sequence:
              - { ID: Request, RuleID: Request }
              - { ID: Approval, RuleID: Approval, Absence: true }
              - { ID: Deploy, RuleID: Deploy }
            LookbackWindowMinutes: 60
        """)
    steps = [a_signal("Request", 0), a_signal("Deploy", 10)]
    assert times(foresee(rule, steps)) == [10]
    assert foresee(rule, [*steps, a_signal("Approval", 5)]) == []
    assert times(foresee(rule, [*steps, a_signal("Approval", 11)])) == [10]
    again = foresee(rule, [*steps, a_signal("Approval", 5), a_signal("Request", 6)])
    assert times(again) == [10], "the second request was not approved"


def test_absence_in_a_group_looks_to_both_sides() -> None:
    rule = a_rule("""\
        Detection:
          - Group: [{ ID: Change, RuleID: Change }, { ID: Archived, RuleID: Archived, Absence: true }]
            MatchCriteria:
              repo: [{ GroupID: Change, Match: repo }, { GroupID: Archived, Match: repo }]
            EventEvaluationOrder: Chronological
            LookbackWindowMinutes: 90
        """)
    change = a_signal("Change", 0, repo="a")
    for minute, expected in ((-91, [90]), (-90, []), (0.1, []), (90, []), (91, [90])):
        assert times(foresee(rule, [change, a_signal("Archived", minute, repo="a")])) == expected
    assert evaluate(rule, [change], at(89)) == []


def test_it_may_page_if_one_of_its_members_may() -> None:
    login = a_signal("Login", 4, user="alice", notify=False)
    (match,) = foresee(a_rule(BRUTE_FORCE), [*failed(0, 1, 2), login])
    assert match.notify
    quiet = [a_signal("Login.Failed", minute, user="alice", notify=False) for minute in (0, 1, 2)]
    (match,) = foresee(a_rule(BRUTE_FORCE), [*quiet, login])
    assert not match.notify


def test_values_are_taken_from_events_and_contexts_as_texts() -> None:
    event = {"id": 12, "actor": {"name": "alice", "x.y": True}, "keys": [{"id": "a"}, {"id": "a"}, {}], "empty": ""}
    paths = ("id", "actor.name", "actor.x.y", "keys.id", "empty", "actor", "none", "p_alert_context.user.name")
    assert extract(event, {"user": {"name": ["bob", None]}}, paths) == {
        "id": ["12"],
        "actor.name": ["alice"],
        "actor.x.y": ["true"],
        "keys.id": ["a"],
        "p_alert_context.user.name": ["bob"],
    }


# ── properties ──


def a_random_rule(draw: st.DrawFn) -> CorrelationRule:
    ordered = draw(st.booleans())
    size = draw(st.integers(1, 3))
    absent = [draw(st.booleans()) for _ in range(size)]
    absent[draw(st.integers(0, size - 1))] = False
    members = tuple(
        Member(
            str(number),
            draw(st.sampled_from("AB")) if ordered else "ABC"[number],
            1 if absent[number] else draw(st.integers(1, 2)),
            absent[number],
            ((0, ("v",)),),
        )
        for number in range(size)
    )
    present = [number for number in range(size) if not absent[number]]
    pairs = [pair for pair in product(present, present) if pair[0] <= pair[1]]
    pairs += [pair for pair in pairwise(range(size)) if absent[pair[0]] != absent[pair[1]]]
    pairs = pairs if ordered else []
    frames = tuple(Frame(*pair, timedelta(minutes=draw(st.integers(1, 8)))) for pair in pairs if draw(st.booleans()))
    window = timedelta(minutes=draw(st.integers(2, 12)))
    return CorrelationRule("R", "1", __file__, True, "HIGH", "R", ordered, members, window, ("v",), frames)


@st.composite
def cases(draw: st.DrawFn) -> tuple[CorrelationRule, list[Signal]]:
    drawn = draw(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(0, 14), st.sampled_from("xxy")), max_size=9))
    signals = [a_signal(rule, minute, f"s{number}", v=value) for number, (rule, minute, value) in enumerate(drawn)]
    return a_random_rule(draw), signals


def naive(rule: CorrelationRule, signals: Sequence[Signal]) -> set[tuple[str, str]]:
    """(value, id of the match that ends it) of each match, found by trying every choice of every step."""
    found = set()
    for value in ("x", "y"):
        held = [
            sorted((s for s in signals if s.rule_id == m.rule_id and s.values["v"] == [value]), key=lambda s: s.order)
            for m in rule.members
        ]
        found |= {(value, end) for end in (_naive_sequence(rule, held) if rule.ordered else _naive_group(rule, held))}
    return found


def _naive_group(rule: CorrelationRule, held: list[list[Signal]]) -> Iterator[str]:
    present = [number for number, member in enumerate(rule.members) if not member.absent]
    for end in (signal for number in present for signal in held[number]):

        def near(signal: Signal, both: bool, moment: object = end.event_time) -> bool:
            past = moment - signal.event_time  # type: ignore[operator]
            return bool((timedelta(0) <= past or both) and abs(past) <= rule.window)

        enough = all(sum(near(s, False) for s in held[n]) >= rule.members[n].count for n in present)
        absent = [n for n in range(len(held)) if n not in present]
        if enough and not any(near(s, True) for n in absent for s in held[n]):
            yield end.id


def _naive_sequence(rule: CorrelationRule, held: list[list[Signal]]) -> Iterator[str]:
    present = [number for number, member in enumerate(rule.members) if not member.absent]
    for choice in product(*(_choices(held[n], rule.members[n].count, in_a_row=rule.waits) for n in present)):
        chosen = dict(zip(present, choice, strict=True))
        if _fits(rule, chosen) and _is_free(rule, held, chosen):
            yield chosen[present[-1]][-1].id


def _choices(signals: list[Signal], count: int, *, in_a_row: bool) -> list[tuple[Signal, ...]]:
    """Every choice of a step's matches; only those in a row where it matters what lies before them."""
    rows = [tuple(signals[start : start + count]) for start in range(len(signals) - count + 1)]
    return rows if in_a_row else list(combinations(signals, count))


def _fits(rule: CorrelationRule, chosen: dict[int, tuple[Signal, ...]]) -> bool:
    steps = list(chosen)
    everything = [signal for signals in chosen.values() for signal in signals]
    if len({signal.id for signal in everything}) < len(everything):
        return False
    for before, after in combinations(steps, 2):
        last, first = chosen[before][-1], chosen[after][0]
        same = rule.members[before].rule_id == rule.members[after].rule_id
        if last.order > first.order if same else last.event_time > first.event_time:
            return False
    frames = [frame for frame in rule.frames if frame.first in chosen and frame.last in chosen]
    frames.append(Frame(steps[0], steps[-1], rule.window))
    return all(
        chosen[frame.last][-1].event_time - chosen[frame.first][0].event_time <= frame.length for frame in frames
    )


def _is_free(rule: CorrelationRule, held: list[list[Signal]], chosen: dict[int, tuple[Signal, ...]]) -> bool:
    """Whether nothing that must be absent lies too near after the step before it, or before the step after it."""
    for number, member in enumerate(rule.members):
        if not member.absent:
            continue
        before = max((n for n in chosen if n < number), default=None)
        after = min((n for n in chosen if n > number), default=None)
        since = _shortest(rule, before, number) or (rule.window if after is None else None)
        until = _shortest(rule, number, after) or (rule.window if before is None else None)
        for signal in held[number]:
            behind = before is not None and _follows(signal, chosen[before][-1])
            ahead = after is not None and _follows(chosen[after][0], signal)
            if before is not None and since and behind and signal.event_time - chosen[before][-1].event_time <= since:
                return False
            if after is not None and until and ahead and chosen[after][0].event_time - signal.event_time <= until:
                return False
            if behind and ahead and not since and not until:
                return False
    return True


def _shortest(rule: CorrelationRule, first: int | None, last: int | None) -> timedelta | None:
    return min((frame.length for frame in rule.frames if (frame.first, frame.last) == (first, last)), default=None)


def _follows(signal: Signal, other: Signal) -> bool:
    if signal.rule_id == other.rule_id:
        return signal.order > other.order
    return signal.event_time >= other.event_time


def ends(rule: CorrelationRule, signals: Sequence[Signal]) -> set[tuple[str, str]]:
    return {(match.values[0][1], match.members[-1][1][-1].id) for match in foresee(rule, signals)}


@given(cases())
def test_it_finds_what_trying_every_choice_finds(case: tuple[CorrelationRule, list[Signal]]) -> None:
    rule, signals = case
    if rule.ordered:
        assert ends(rule, signals) == naive(rule, signals)
    else:
        assert len(foresee(rule, signals)) == len(naive(rule, signals))
    assert len({match.id for match in foresee(rule, signals)}) == len(foresee(rule, signals))


@given(cases(), st.randoms(use_true_random=False))
def test_the_order_of_arrival_has_no_say(case: tuple[CorrelationRule, list[Signal]], random: object) -> None:
    rule, signals = case
    mixed = [*signals, *signals[:2]]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert foresee(rule, mixed) == foresee(rule, signals)


@given(cases(), st.data())
def test_one_more_match_only_adds_unless_something_must_be_absent(
    case: tuple[CorrelationRule, list[Signal]], data: st.DataObject
) -> None:
    rule, signals = case
    fewer = [signal for signal in signals if data.draw(st.booleans())]
    before, after = foresee(rule, fewer), foresee(rule, signals)
    if not rule.waits:
        assert {match.id for match in before} <= {match.id for match in after}


@given(cases())
def test_a_match_is_decided_by_what_lies_within_the_reach_before_it(case: tuple[CorrelationRule, list[Signal]]) -> None:
    rule, signals = case
    for match in foresee(rule, signals):
        near = [s for s in signals if match.event_time - rule.reach <= s.event_time <= match.event_time]
        assert match in foresee(rule, near)
    for signal in signals:
        others = foresee(rule, [other for other in signals if other is not signal])
        changed = {match.event_time for match in {*_frozen(others)} ^ {*_frozen(foresee(rule, signals))}}
        assert all(signal.event_time <= moment <= signal.event_time + rule.reach for moment in changed)


class _Known:
    """A match by its content, so that it can stand in a set."""

    def __init__(self, match: CorrelationMatch) -> None:
        self.event_time = match.event_time
        self._content = repr(match)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Known) and other._content == self._content

    def __hash__(self) -> int:
        return hash(self._content)


def _frozen(found: Sequence[CorrelationMatch]) -> Iterator[_Known]:
    return map(_Known, found)


TWO_JOINS = """\
Detection:
  - Group: [{ ID: A, RuleID: A }, { ID: B, RuleID: B }]
    MatchCriteria:
      who: [{ GroupID: A, Match: user }, { GroupID: B, Match: user }]
      where: [{ GroupID: A, Match: ip }, { GroupID: B, Match: ip }]
      what: [{ GroupID: A, Match: key }, { GroupID: B, Match: key }]
"""


def test_long_lists_that_somebody_wrote_into_events_make_few_keys(caplog: pytest.LogCaptureFixture) -> None:
    many = [f"{number:03}" for number in range(256)]
    first, last = (a_signal(name, 0, user=many, ip=many, key=many) for name in "AB")
    found = foresee(a_rule(TWO_JOINS), [first, last])
    assert len({match.values for match in found}) == MOST_KEYS
    assert found == foresee(a_rule(TWO_JOINS), [last, first])
    assert "16777216 keys" in caplog.text


def test_values_that_only_one_side_has_push_no_shared_one_out() -> None:
    noise = [f"{number:03}" for number in range(255)]
    first = a_signal("A", 0, user=[*noise, "zoe"], ip=[*noise, "zone"], key=[*noise, "zip"])
    (match, _) = foresee(a_rule(TWO_JOINS), [first, a_signal("B", 0, user="zoe", ip="zone", key="zip")])
    assert [value for _, value in match.values] == ["zoe", "zone", "zip"]
