"""Which slices hold an alert, what a change can reach, and which alerts people are told of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.alerting.grouping import Fact, Slice, alert_of, slices_with_alerts
from iota_dagster.core.alerting.paging import alerts_to_send, oldest_to_send
from iota_dagster.core.alerting.windows import merged, reach_of, shifted
from iota_dagster.core.model import Match
from tests.core.alerting.cases import START, a_match, at, facts_of, match_sets


def slices(*matches: Match) -> list[Slice]:
    return slices_with_alerts(facts_of(matches))


def by_definition(matches: Sequence[Match]) -> dict[str, tuple[str, int]]:
    """The definition word by word: alert id → (lead's id, number of matches)."""
    alerting = [match for match in matches if match.create_alert]
    alerts: dict[str, list[Match]] = defaultdict(list)
    for match in alerting:
        period = timedelta(minutes=match.period_minutes)
        near = [other for other in alerting if match.event_time - period < other.event_time <= match.event_time]
        if len({(other.unique_value is None, other.unique_value or other.id) for other in near}) >= match.threshold:
            alerts[match.alert_id].append(match)
    return {
        name: (
            min(found, key=lambda match: (match.event_time, match.id)).id,
            sum(match.alert_id == name for match in alerting),
        )
        for name, found in alerts.items()
    }


@given(match_sets())
def test_alerts_are_those_of_the_definition(matches: list[Match]) -> None:
    found = {item.alert_id: (item.lead, item.matches) for item in slices(*matches)}
    assert found == by_definition(matches)


@given(match_sets().flatmap(lambda matches: st.tuples(st.just(matches), st.permutations(matches))))
def test_the_order_of_arrival_does_not_matter(both: tuple[list[Match], list[Match]]) -> None:
    assert slices(*both[0]) == slices(*both[1])


@given(match_sets(), st.data())
def test_a_late_match_can_only_add(matches: list[Match], data: st.DataObject) -> None:
    before = slices(*(match for match in matches if data.draw(st.booleans())))
    after = {item.alert_id: item for item in slices(*matches)}
    for item in before:
        assert after[item.alert_id].matches >= item.matches
        assert after[item.alert_id].first_qualifying <= item.first_qualifying
        assert after[item.alert_id].last_qualifying >= item.last_qualifying


def test_matches_of_one_slice_are_one_alert_worded_by_the_first() -> None:
    late, early, between = a_match("b", 59), a_match("c", 1, title="first"), a_match("a", 30)
    (found,) = slices(late, early, between)
    assert (found.lead, found.matches) == (early.id, 3)
    assert (found.first_event_time, found.last_event_time) == (at(1), at(59))
    alert = alert_of(found, early, at(70))
    assert (alert.title, alert.status, alert.period_start, alert.created_at) == ("first", "open", START, at(70))


def test_a_slice_begins_at_its_border_and_ends_before_the_next() -> None:
    assert [item.start for item in slices(a_match("a", 0), a_match("b", 59.999), a_match("c", 60))] == [START, at(60)]


def test_a_threshold_is_counted_across_the_border_of_slices() -> None:
    found = slices(*(a_match(f"e{n}", minutes, threshold=3) for n, minutes in enumerate((58, 59, 61))))
    assert [(item.start, item.matches) for item in found] == [(at(60), 1)]


def test_a_match_exactly_one_period_earlier_does_not_count() -> None:
    assert slices(a_match("a", 0, threshold=2), a_match("b", 60, threshold=2)) == []
    assert len(slices(a_match("a", 0.001, threshold=2), a_match("b", 60, threshold=2))) == 1


def test_matches_at_the_same_moment_count_for_each_other() -> None:
    one, other = a_match("a", 5, threshold=2), a_match("b", 5, threshold=2)
    (found,) = slices(one, other)
    assert found.lead == min(one.id, other.id)


def test_unique_values_count_once_and_a_match_without_one_counts_by_itself() -> None:
    def tried(*values: str | None) -> int:
        return len(slices(*(a_match(f"e{n}", n, threshold=2, unique_value=v) for n, v in enumerate(values))))

    assert tried("x", "x", "x") == 0
    assert tried("x", "y") == 1
    assert tried("x", None) == 1


def test_a_signal_makes_no_alert_and_counts_for_none() -> None:
    assert slices(a_match("a", 1, create_alert=False), a_match("b", 2, threshold=2)) == []


def test_a_silent_match_that_qualifies_thanks_to_a_notifying_one_is_worth_telling() -> None:
    first, second = a_match("a", 50, threshold=2), a_match("b", 70, threshold=2)
    (found,) = slices_with_alerts([*facts_of([first]), *facts_of([second], notify=False)])
    assert found.newest_notifying == at(50)
    (found,) = slices_with_alerts(facts_of([first, second], notify=False))
    assert found.newest_notifying is None


def test_a_notifying_match_one_period_ago_is_no_reason_to_tell_any_more() -> None:
    first, second = a_match("a", 0), a_match("b", 60)
    found = slices_with_alerts([*facts_of([first]), *facts_of([second], notify=False)])
    assert [item.newest_notifying for item in found] == [at(0), None]


def test_moments_at_the_ends_of_the_calendar_are_grouped_like_others() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    facts = [replace(fact, event_time=moment) for moment in (first, last) for fact in facts_of([a_match("a", 0)])]
    assert slices_with_alerts(facts)
    assert reach_of([first, last], timedelta(days=1)).to_read[0][0] == first


@given(match_sets(), st.integers(0, 90), st.sampled_from([5, 15, 60]))
def test_a_change_reaches_no_farther_than_its_reach_says(matches: list[Match], minutes: int, period: int) -> None:
    added = a_match("new", minutes, period_minutes=period)
    reach = reach_of([added.event_time], timedelta(minutes=60))
    before = {item.alert_id: item for item in slices(*matches)}
    after = {item.alert_id: item for item in slices(*matches, added)}
    for name in before.keys() | after.keys():
        if before.get(name) != after.get(name):
            assert reach.touches(after[name].start)
    near = [m for m in (*matches, added) if any(a <= m.event_time <= b for a, b in reach.to_read)]
    for item in slices(*near):
        if reach.touches(item.start):
            assert item == after[item.alert_id]


def test_spans_that_meet_are_merged() -> None:
    assert merged([(at(5), at(6)), (at(0), at(2)), (at(2), at(3))]) == ((at(0), at(3)), (at(5), at(6)))
    assert shifted(START, timedelta.max).year == 9999


def sent(found: list[Slice], *, told: Sequence[Slice] = (), since: datetime = START) -> list[datetime]:
    names = {item.alert_id for item in told}
    chosen = alerts_to_send(found, in_outbox=names, told=names, since=since, destinations=lambda item: ["file"])
    return [item.start for item, _ in chosen]


def test_a_burst_across_a_border_is_told_once() -> None:
    assert sent(slices(a_match("a", 59), a_match("b", 61))) == [START]


def test_activity_that_goes_on_for_a_period_is_told_again() -> None:
    assert sent(slices(a_match("a", 10), a_match("b", 70))) == [START, at(60)]
    assert sent(slices(a_match("a", 59), a_match("b", 61), a_match("c", 119))) == [START, at(60)]


def test_the_slice_after_an_untold_one_is_told() -> None:
    found = slices(a_match("a", 59), a_match("b", 61), a_match("c", 121))
    assert sent(found) == [START, at(120)]
    assert sent(found, told=[found[0]]) == [at(120)]


def test_an_alert_that_goes_nowhere_keeps_nobody_else_waiting() -> None:
    found = slices(a_match("a", 59), a_match("b", 61))
    chosen = alerts_to_send(
        found, in_outbox=(), told=(), since=START, destinations=lambda item: ["file"] if item.start > START else []
    )
    assert [item.start for item, _ in chosen] == [at(60)]


def test_old_events_and_repeated_ones_disturb_nobody() -> None:
    found = slices(a_match("a", 10))
    assert sent(found, since=at(10)) == [START]
    assert sent(found, since=at(11)) == []
    assert sent(slices_with_alerts(facts_of([a_match("a", 10)], notify=False))) == []
    assert oldest_to_send(at(60), timedelta(hours=1)) == START


def counted(facts: list[Fact]) -> list[Fact]:
    """The facts with those of one moment put together, as the store reads them."""
    alike: dict[tuple[object, ...], list[Fact]] = {}
    for fact in facts:
        key = fact.alert_id, fact.event_time, fact.period_minutes, fact.threshold, fact.unique_value, fact.create_alert
        alike.setdefault(key, []).append(fact)
    return [
        replace(held[0], id=min(fact.id for fact in held), notify=any(fact.notify for fact in held), count=len(held))
        for held in alike.values()
    ]


@given(match_sets(), st.data())
def test_matches_of_one_moment_may_be_counted_instead_of_listed(matches: list[Match], data: st.DataObject) -> None:
    facts = [replace(fact, notify=data.draw(st.booleans())) for fact in facts_of(matches)]
    assert slices_with_alerts(counted(facts)) == slices_with_alerts(facts)
