"""Correlation rules over the store: late, repeated and removed matches, waits, several at once, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iota_dagster.core.alerting import outbox
from iota_dagster.core.correlating.correlator import PATIENCE, Correlator, anything_due
from iota_dagster.core.correlating.requests import Look, look, read_look
from iota_dagster.core.correlating.results import Correlated
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import Match
from iota_dagster.core.store import correlations
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import (
    alert_groups,
    alerts,
    batches,
    correlation_hours,
    correlation_waits,
    correlation_work,
    deliveries,
    figure_totals,
    matches,
    metadata,
)
from tests.core.alerting.cases import a_match, at
from tests.core.correlating.cases import TAKEOVER, a_member, everywhere, record
from tests.core.detection.correlation.cases import HEAD, UNANSWERED, a_rule

TABLES = [
    *(matches, alert_groups, alerts, deliveries, correlation_work, correlation_hours, correlation_waits),
    *(batches, figure_totals),
]
EXPOSED = UNANSWERED.replace("{ On: key }", "{ On: p_alert_context.user }")


def a_correlator(store: Database, *rules: CorrelationRule, now: Callable[[], datetime] | None = None) -> Correlator:
    chosen = rules or (a_rule(TAKEOVER),)
    return Correlator(store, chosen, everywhere, timedelta(hours=24), clock=now or (lambda: at(120)))


def attack() -> list[Match]:
    return [a_member("Login.Failed", 0), a_member("Login.Failed", 5), a_member("Login", 10)]


def open_alerts(store: Database) -> list[tuple[str, str]]:
    with store.read() as connection:
        return [(alert.title, alert.status) for alert in list_alerts(connection)]


def sent(store: Database) -> int:
    with store.read() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(deliveries)) or 0


def left(store: Database) -> int:
    with store.read() as connection:
        return len(correlations.touched(connection))


def test_matches_of_several_batches_make_an_alert(store: Database) -> None:
    for number, match in enumerate(attack()):
        record(store, f"b{number}", match)
    done = a_correlator(store).correlate()
    assert done.total(lambda changes: changes.matches) == 1
    with store.read() as connection:
        (alert,) = list_alerts(connection)
    assert (alert.title, alert.severity, alert.log_type) == ("Account taken over: alice", "HIGH", "iota.correlation")
    assert alert.last_event_time == at(10)
    assert alert.context["user"] == "alice"
    failed, success = alert.context["members"]
    assert (failed["id"], failed["rule"], failed["count"], failed["last"]) == (
        "Failed", "Login.Failed", 2, "2026-11-22T10:05:00Z",
    )  # fmt: skip
    assert success["matches"] == [{"id": attack()[2].id, "title": "Login@10"}]
    assert (sent(store), left(store)) == (1, 0)


def test_calling_it_again_changes_nothing(store: Database) -> None:
    record(store, "b", *attack())
    a_correlator(store).correlate()
    record(store, "b", *attack())
    assert a_correlator(store).correlate() == Correlated()
    assert sent(store) == 1


def test_a_late_match_completes_what_others_have_begun(store: Database) -> None:
    record(store, "b1", *attack()[1:])
    a_correlator(store).correlate()
    assert open_alerts(store) == []
    record(store, "b2", attack()[0])
    a_correlator(store).correlate()
    assert open_alerts(store) == [("Account taken over: alice", "open")]


def test_a_batch_done_again_takes_its_part_away(store: Database) -> None:
    record(store, "b1", *attack()[:2])
    record(store, "b2", attack()[2])
    a_correlator(store).correlate()
    record(store, "b1", attack()[0])
    a_correlator(store).correlate()
    assert (open_alerts(store), sent(store)) == ([], 0)


def test_an_alert_that_was_sent_is_withdrawn(store: Database) -> None:
    record(store, "b1", *attack())
    a_correlator(store).correlate()
    with store.begin() as connection:
        assert outbox.claim_next(connection, "file", "me", at(120), at(125))
    record(store, "b1")
    done = a_correlator(store).correlate()
    assert done.total(lambda changes: len(changes.withdrawn)) == 1
    assert open_alerts(store) == [("Account taken over: alice", "withdrawn")]


def test_hours_done_again_page_nobody(store: Database) -> None:
    record(store, "b1", *attack(), notify=False)
    a_correlator(store).correlate()
    assert (open_alerts(store), sent(store)) == ([("Account taken over: alice", "open")], 0)


def test_a_new_rule_over_old_first_completions_pages_nobody(store: Database) -> None:
    record(store, "b1", *attack())
    a_correlator(store, a_rule(EXPOSED)).correlate()
    record(store, "b1", *attack(), notify=False)
    a_correlator(store).correlate()
    assert (open_alerts(store), sent(store)) == ([("Account taken over: alice", "open")], 0)


def test_it_pages_when_one_member_is_new(store: Database) -> None:
    record(store, "b1", *attack()[:2], notify=False)
    record(store, "b2", attack()[2])
    a_correlator(store).correlate()
    assert sent(store) == 1


def test_a_changed_rule_words_its_matches_anew(store: Database) -> None:
    record(store, "b1", *attack())
    a_correlator(store).correlate()
    record(store, "b1", *attack(), notify=False)
    a_correlator(store, a_rule(TAKEOVER, HEAD.replace("High", "Critical"))).correlate()
    with store.read() as connection:
        assert [alert.severity for alert in list_alerts(connection)] == ["CRITICAL"]


def test_absence_is_waited_for(store: Database) -> None:
    moment = at(10)
    correlator = a_correlator(store, a_rule(EXPOSED), now=lambda: moment)
    record(store, "b1", a_member("Key.Exposed", 0.5))
    correlator.correlate()
    moment = at(16) + PATIENCE - timedelta(seconds=1)
    assert not anything_due(store, moment)
    correlator.correlate()
    assert open_alerts(store) == []
    moment = at(16) + PATIENCE
    assert anything_due(store, moment)
    correlator.correlate()
    assert open_alerts(store) == [("Account taken over: alice", "open")]
    assert (sent(store), anything_due(store, moment)) == (1, False)


def test_what_comes_in_time_ends_the_wait(store: Database) -> None:
    moment = at(10)
    correlator = a_correlator(store, a_rule(EXPOSED), now=lambda: moment)
    record(store, "b1", a_member("Key.Exposed", 0))
    correlator.correlate()
    record(store, "b2", a_member("Key.Revoked", 15))
    moment = at(60)
    correlator.correlate()
    assert (open_alerts(store), anything_due(store, moment)) == ([], False)


def test_what_comes_too_late_takes_the_alert_back(store: Database) -> None:
    record(store, "b1", a_member("Key.Exposed", 0))
    correlator = a_correlator(store, a_rule(EXPOSED))
    correlator.correlate()
    assert len(open_alerts(store)) == 1
    record(store, "b2", a_member("Key.Revoked", 15))
    correlator.correlate()
    assert (open_alerts(store), sent(store)) == ([], 0)


def test_a_clock_that_is_behind_takes_nothing_away(store: Database) -> None:
    record(store, "b1", a_member("Key.Exposed", 0))
    a_correlator(store, a_rule(EXPOSED), now=lambda: at(60)).correlate()
    record(store, "b2", a_member("Key.Exposed", 2, user="bob"))
    a_correlator(store, a_rule(EXPOSED), now=lambda: at(1)).correlate()
    assert ("Account taken over: alice", "open") in open_alerts(store)


def test_a_rule_over_another_rules_matches_follows_them_as_they_come_and_go(store: Database) -> None:
    above = a_rule(
        """\
        Detection:
          - Sequence: [{ RuleID: Takeover }, { RuleID: Exfiltration }]
            Transitions: [{ From: Takeover, To: Exfiltration, Match: [{ On: p_alert_context.user }] }]
            LookbackWindowMinutes: 60
        """,
        HEAD.replace("Takeover", "Theft").replace("Account taken over", "Data stolen"),
    )
    record(store, "b1", *attack(), a_member("Exfiltration", 20))
    correlator = a_correlator(store, above, a_rule(TAKEOVER))
    correlator.correlate()
    assert ("Data stolen: alice", "open") in open_alerts(store)
    record(store, "b1", *attack()[1:], a_member("Exfiltration", 20))
    correlator.correlate()
    assert open_alerts(store) == []


def test_a_rule_that_fails_keeps_its_work_and_does_not_stop_the_others(store: Database) -> None:
    broken = replace(a_rule(TAKEOVER), id="Broken", joins=())
    record(store, "b1", *attack())
    done = a_correlator(store, broken, a_rule(TAKEOVER)).correlate()
    assert list(done.failures) == ["Broken"]
    assert (len(open_alerts(store)), left(store)) == (2, 2)  # what the other found, and that this one fails
    assert a_correlator(store).correlate().failures == {}
    assert left(store) == 0


def test_a_match_that_arrives_during_an_evaluation_is_not_overlooked(store: Database) -> None:
    record(store, "b1", *attack()[:2], a_member("Login", 9, user="bob"), a_member("Login.Failed", 8, user="bob"))
    record(store, "b2", a_member("Login.Failed", 7, user="bob"))
    calls: list[int] = []

    def now() -> datetime:
        calls.append(1)
        if len(calls) == 2:  # the second look at the clock comes after the matches were read
            record(store, "b3", attack()[2])
        return at(120)

    a_correlator(store, now=now).correlate()
    assert sorted(open_alerts(store)) == [("Account taken over: alice", "open"), ("Account taken over: bob", "open")]


def test_several_at_once_neither_double_nor_lose(store: Database) -> None:
    everybody = [f"user{number}" for number in range(6)]
    start = threading.Barrier(3)
    errors: list[BaseException] = []

    def work(step: int) -> None:
        try:
            start.wait()
            for user in everybody[step:] + everybody[:step]:
                record(store, f"b{step}{user}", a_member(("Login.Failed", "Login.Failed", "Login")[step], step, user))
                a_correlator(store).correlate()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(step,)) for step in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(open_alerts(store)) == [(f"Account taken over: {user}", "open") for user in everybody]
    assert (sent(store), left(store)) == (6, 0)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('store')}/iota.db")
    with database.begin() as connection:
        metadata.create_all(connection, tables=TABLES)
    yield database
    database.dispose()


def state(store: Database) -> list[Any]:
    """Everything but which batch brought what, and when an alert was first computed."""
    rules = sa.select(matches.c.id, matches.c.context, matches.c.title).where(matches.c.rule_id == "Takeover")
    found = sa.select(alerts.c.id, alerts.c.title, alerts.c.context, alerts.c.status, alerts.c.matches)
    with store.read() as connection:
        return [connection.execute(query.order_by(sa.column("id"))).fetchall() for query in (rules, found)]


def clear(store: Database) -> None:
    with store.begin() as connection:
        for table in TABLES:
            connection.execute(sa.delete(table))


MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(["Login.Failed", "Login", "Key.Exposed", "Key.Revoked"]),
        st.integers(0, 150),
        st.sampled_from(["alice", "bob"]),
    ),
    unique=True,
    max_size=10,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(found=MEMBERS, data=st.data(), text=st.sampled_from([TAKEOVER, EXPOSED]))
def test_any_split_into_batches_in_any_order_ends_the_same(
    scratch: Database, found: list[tuple[str, int, str]], data: st.DataObject, text: str
) -> None:
    members = [a_member(rule, minutes, user) for rule, minutes, user in found]
    correlator = a_correlator(scratch, a_rule(text), now=lambda: at(600))
    clear(scratch)
    record(scratch, "all", *members)
    correlator.correlate()
    at_once = state(scratch)

    clear(scratch)
    mixed = data.draw(st.permutations(members))
    early = data.draw(st.integers(0, 300))
    while mixed:
        size = data.draw(st.integers(1, len(mixed)))
        record(scratch, f"b{len(mixed)}", *mixed[:size])
        mixed = mixed[size:]
        if data.draw(st.booleans()):
            a_correlator(scratch, a_rule(text), now=lambda: at(early)).correlate()
    correlator.correlate()
    assert state(scratch) == at_once


def test_touching_the_same_hours_again_is_not_forgotten(store: Database) -> None:
    key = ("Login", hour_of(at(0)))
    with store.begin() as connection:
        correlations.touch_hours(connection, {key: True})
        seen = correlations.touched(connection)
        correlations.touch_hours(connection, {key: False})
        correlations.settle(connection, seen)
        now = correlations.touched(connection)
        assert now[key].notify
        assert now != seen
        correlations.settle(connection, now)
        assert correlations.touched(connection) == {}


def test_who_is_late_settles_no_change_made_since_another_settled(store: Database) -> None:
    key = ("Login", hour_of(at(0)))
    with store.begin() as connection:
        correlations.touch_hours(connection, {key: True})
        seen = correlations.touched(connection)
        correlations.settle(connection, seen)
        correlations.touch_hours(connection, {key: True})
        correlations.settle(connection, seen)
        assert correlations.touched(connection)[key].notify


def test_in_a_touched_hour_only_what_is_new_pages(store: Database) -> None:
    record(store, "b1", *attack(), notify=False)
    a_correlator(store).correlate()
    record(store, "b2", a_member("Login.Failed", 12, user="bob"))
    a_correlator(store).correlate()
    assert (len(open_alerts(store)), sent(store)) == (1, 0)


def test_another_wording_pages_nobody_again(store: Database) -> None:
    record(store, "b1", *attack())
    a_correlator(store).correlate()
    record(store, "b2", a_member("Login.Failed", 12, user="bob"))
    a_correlator(store, a_rule(TAKEOVER, HEAD.replace("Account taken over", "Takeover"))).correlate()
    assert (open_alerts(store), sent(store)) == ([("Takeover: alice", "open")], 1)


def test_a_match_that_gets_a_new_member_may_page(store: Database) -> None:
    record(store, "b1", *attack(), notify=False)
    a_correlator(store).correlate()
    record(store, "b2", a_member("Login.Failed", 7))
    a_correlator(store).correlate()
    assert (len(open_alerts(store)), sent(store)) == (1, 1)


def failures_told(store: Database) -> list[tuple[str, str]]:
    with store.read() as connection:
        return [(alert.rule_id, alert.status) for alert in list_alerts(connection) if "RuleFailed" in alert.rule_id]


def test_a_rule_that_fails_is_an_alert_a_day_until_it_works(store: Database) -> None:
    works = a_rule(TAKEOVER)
    record(store, "b1", *attack())
    for _ in range(3):
        a_correlator(store, replace(works, joins=())).correlate()
    assert (failures_told(store), sent(store)) == ([("iota.RuleFailed.Takeover", "open")], 1)
    a_correlator(store, works).correlate()
    assert (failures_told(store), len(open_alerts(store)), left(store)) == ([], 1, 0)


def test_what_is_told_of_a_broken_rule_is_over_once_it_is_disabled_or_gone(store: Database) -> None:
    broken = replace(a_rule(TAKEOVER), joins=())
    other = a_rule(TAKEOVER, HEAD.replace("Takeover", "Other"))
    for number, those_left in enumerate([[replace(broken, enabled=False)], [other]]):
        record(store, f"b{number}", *attack())
        a_correlator(store, broken).correlate()
        with store.begin() as connection:
            connection.execute(sa.update(deliveries).values(status="sent"))
        assert failures_told(store) == [("iota.RuleFailed.Takeover", "open")]
        replace(a_correlator(store, *those_left), whole=False).correlate()
        assert failures_told(store) == [("iota.RuleFailed.Takeover", "open")]
        a_correlator(store, *those_left).correlate()
        assert failures_told(store) == [("iota.RuleFailed.Takeover", "withdrawn")]


def test_what_a_batch_tells_of_a_rule_that_failed_under_the_same_id_stays_the_batchs(store: Database) -> None:
    failed = a_match("one", 1, rule_id="iota.RuleFailed.Takeover")
    record(store, "b1", failed, a_match("two", 2, rule_id="Of.The.Same.Batch"))
    record(store, "b2", *attack())
    for rules in ([a_rule(TAKEOVER)], [a_rule(EXPOSED, HEAD.replace("Takeover", "Another"))]):
        a_correlator(store, *rules).correlate()
        with store.read() as connection:
            kept = connection.scalars(sa.select(matches.c.event_id).where(matches.c.batch_id == "b1"))
            assert sorted(kept) == ["one", "two"]


def test_what_a_rule_in_an_unreadable_file_would_do_is_done_when_it_can_be_read(store: Database) -> None:
    moment = at(10)
    exposed = a_rule(EXPOSED)
    record(store, "b1", a_member("Key.Exposed", 0.5))
    a_correlator(store, exposed, now=lambda: moment).correlate()
    moment = at(60)
    other = a_rule(TAKEOVER, HEAD.replace("Takeover", "Other"))
    without = replace(a_correlator(store, other, now=lambda: moment), whole=False)
    record(store, "b2", a_member("Key.Exposed", 2, user="bob"))
    without.correlate()
    without.correlate()
    assert (open_alerts(store), left(store)) == ([], 0)
    a_correlator(store, exposed, now=lambda: moment).correlate()
    assert sorted(open_alerts(store)) == [("Account taken over: alice", "open"), ("Account taken over: bob", "open")]
    assert (sent(store), left(store), anything_due(store, moment)) == (2, 0, False)


def test_a_rule_that_is_no_more_leaves_nothing_to_do(store: Database) -> None:
    record(store, "b1", a_member("Key.Exposed", 0.5))
    a_correlator(store, a_rule(EXPOSED), now=lambda: at(10)).correlate()
    a_correlator(store, now=lambda: at(60)).correlate()
    assert (left(store), anything_due(store, at(60))) == (0, False)


def test_runs_are_asked_for_ever_less_often_for_what_fails(store: Database) -> None:
    record(store, "b1", *attack())
    seen, moment, asked = Look(), at(120), []
    for minute in range(24 * 60):
        seen, wanted = look(store, moment + timedelta(minutes=minute), read_look(seen.text()))
        asked += [minute] if wanted else []
    assert asked[:7] == [1, 2, 4, 8, 16, 32, 64]
    assert {after - before for before, after in pairwise(asked[6:])} == {60}
    record(store, "b2", *attack()[1:])  # something else: not at once, since whoever brought it is at it
    assert [look(store, moment, seen)[1], look(store, moment, look(store, moment, seen)[0])[1]] == [False, True]


def test_a_cursor_that_cannot_be_read_is_an_empty_one() -> None:
    assert read_look(None) == read_look("0f1e2d3c4b5a6978") == Look()
