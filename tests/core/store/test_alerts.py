"""Recording a batch's matches: alerts, withdrawals and the outbox, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from iota_dagster.core.alerting import outbox
from iota_dagster.core.alerting.grouping import alert_of, slices_with_alerts
from iota_dagster.core.model import Alert, Delivery, Match
from iota_dagster.core.store.alerts import AlertChanges, list_alerts, record_matches
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alert_groups, alerts, correlation_work, deliveries, matches, metadata
from tests.core.alerting.cases import START, a_match, at, facts_of, match_sets

RESULTS = [matches, alert_groups, alerts, deliveries]
TABLES = [*RESULTS, correlation_work]


@pytest.fixture
def store(store_url: str) -> Iterator[Database]:
    database = Database(store_url)
    with database.begin() as connection:
        metadata.create_all(connection, tables=TABLES)
    yield database
    database.dispose()


@pytest.fixture
def connection(store: Database) -> Iterator[sa.Connection]:
    with store.begin() as connection:
        yield connection


def everywhere(alert: Alert, named: tuple[str, ...] | None) -> Sequence[str]:
    return ("file",) if named is None else named


def record(connection: sa.Connection, batch: str, *found: Match, **options: Any) -> AlertChanges:
    known: dict[str, Any] = {"notify": True, "now": at(90), "notify_within": timedelta(hours=24), "route": everywhere}
    return record_matches(connection, batch, found, **(known | options))


def dump(connection: sa.Connection) -> list[Any]:
    return [connection.execute(sa.select(table).order_by(*table.primary_key)).fetchall() for table in RESULTS]


def in_outbox(connection: sa.Connection) -> list[tuple[str, str]]:
    query = sa.select(alerts.c.title, deliveries.c.destination).join(alerts, alerts.c.id == deliveries.c.alert_id)
    return [
        (row.title, row.destination)
        for row in connection.execute(query.order_by(alerts.c.title, sa.column("destination")))
    ]


def outbox_states(connection: sa.Connection) -> list[str]:
    """The states of all rows of the outbox, whether their alert is there or not."""
    return list(connection.execute(sa.select(deliveries.c.status)).scalars())


def claim(connection: sa.Connection) -> list[Delivery]:
    found = [outbox.claim_next(connection, name, "me", at(90), at(95)) for name in outbox.owed(connection, at(90))]
    return [delivery for delivery in found if delivery]


def only_alert(connection: sa.Connection) -> Alert:
    (alert,) = list_alerts(connection)
    return alert


def test_a_match_becomes_an_alert_in_the_outbox(connection: sa.Connection) -> None:
    changes = record(connection, "b1", a_match("e1", 5, title="MFA", context={"a": [1, None]}))
    alert = only_alert(connection)
    assert (alert.title, alert.context, alert.matches) == ("MFA", {"a": [1, None]}, 1)
    assert (alert.created_at, alert.status, alert.period_start) == (at(90), "open", START)
    assert (changes.matches, changes.created, changes.deliveries) == (1, (alert.id,), 1)
    assert [delivery.alert for delivery in claim(connection)] == [alert]


def test_the_same_call_again_changes_nothing(connection: sa.Connection) -> None:
    found = [a_match("e1", 5), a_match("e2", 70), a_match("e3", 71, create_alert=False), a_match("e4", 5, dedup="bob")]
    record(connection, "b1", *found)
    before = dump(connection)
    changes = record(connection, "b1", *reversed(found))
    assert dump(connection) == before
    assert changes == AlertChanges(matches=4)


def test_a_threshold_is_passed_by_matches_of_several_batches(connection: sa.Connection) -> None:
    for number in range(3):
        changes = record(connection, f"b{number}", a_match(f"e{number}", 50 + 8 * number, threshold=3))
        assert len(changes.created) == number // 2
    assert only_alert(connection).first_event_time == at(66)


def test_a_late_match_words_the_alert_anew_but_is_not_told_again(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 20))
    changes = record(connection, "b2", a_match("e2", 10), now=at(100))
    alert = only_alert(connection)
    assert (alert.title, alert.matches, alert.created_at) == ("event e2", 2, at(90))
    assert (changes.updated, changes.deliveries) == ((alert.id,), 0)


def test_an_alert_that_nobody_was_told_of_goes_with_its_last_match(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5))
    alert = only_alert(connection)
    changes = record(connection, "b1")
    assert (changes.removed, changes.matches_removed) == ((alert.id,), 1)
    assert outbox_states(connection) == []
    assert list_alerts(connection) == []


@pytest.mark.parametrize("sent", [False, True])
def test_an_alert_that_is_on_its_way_or_sent_stays_withdrawn(connection: sa.Connection, sent: bool) -> None:
    record(connection, "b1", a_match("e1", 5, destinations=("file", "mail")))
    delivery = outbox.claim_next(connection, "file", "me", at(90), at(95))
    assert delivery
    if sent:
        outbox.mark_sent(connection, delivery, at(90))
    assert record(connection, "b1").withdrawn == (delivery.alert.id,)
    assert record(connection, "b1") == AlertChanges()
    assert only_alert(connection).status == "withdrawn"
    assert in_outbox(connection) == [("event e1", delivery.destination)]


def test_a_withdrawn_alert_that_comes_back_is_open_and_not_told_again(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5))
    outbox.mark_sent(connection, claim(connection)[0], at(90))
    record(connection, "b1")
    changes = record(connection, "b1", a_match("e1", 5))
    assert (len(changes.updated), changes.deliveries, only_alert(connection).status) == (1, 0, "open")


def test_taking_one_of_two_matches_back_takes_back_what_hung_on_it(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 58, threshold=2))
    record(connection, "b2", a_match("e2", 62, threshold=2))
    assert len(list_alerts(connection)) == 1
    assert len(record(connection, "b1").removed) == 1


def test_a_match_whose_dedup_string_changed_leaves_its_old_alert(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5, dedup="old"))
    changes = record(connection, "b1", a_match("e1", 5, dedup="new"))
    assert (len(changes.created), len(changes.removed)) == (1, 1)
    assert only_alert(connection).dedup == "new"


@pytest.mark.parametrize("first", ["new owner", "old owner"])
def test_a_match_that_passes_to_another_batch_is_kept_whoever_is_first(connection: sa.Connection, first: str) -> None:
    record(connection, "old", a_match("e1", 5), a_match("e2", 6))
    steps = [("new", a_match("e1", 5)), ("old", a_match("e2", 6))]
    for batch, match in steps if first == "new owner" else reversed(steps):
        record(connection, batch, match, notify=False)
    owners = connection.execute(sa.select(matches.c.event_id, matches.c.batch_id).order_by(matches.c.event_id))
    assert owners.fetchall() == [("e1", "new"), ("e2", "old")]
    assert only_alert(connection).matches == 2


def test_doing_an_object_again_tells_nobody(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5), notify=False)
    assert in_outbox(connection) == []
    assert record(connection, "b1", a_match("e1", 5), notify=False).deliveries == 0


def test_doing_an_object_again_when_asked_tells_what_nobody_was_told(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5), notify=False)
    assert record(connection, "b1", a_match("e1", 5), notify=True).deliveries == 1


def test_a_first_completion_tells_of_an_alert_that_a_repetition_had_found_in_silence(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5), notify=False)
    assert record(connection, "b2", a_match("e2", 7)).deliveries == 1


def test_a_repetition_does_not_send_what_waited_for_a_threshold(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 10, threshold=2))
    assert record(connection, "b2", a_match("e2", 5, threshold=2), notify=False).deliveries == 0


def test_a_repetition_does_not_silence_what_waits_for_a_threshold(connection: sa.Connection) -> None:
    early, late = a_match("e1", 5, threshold=2), a_match("e2", 10, threshold=2)
    record(connection, "b1", late)
    record(connection, "b1", late, notify=False)
    assert record(connection, "b2", early).deliveries == 1


def test_in_one_batch_only_the_objects_done_for_the_first_time_are_told(connection: sa.Connection) -> None:
    again = a_match("e1", 5, dedup="alice", p_source_key="again")
    first = a_match("e2", 5, dedup="bob", p_source_key="first")
    record(connection, "b1", again, first, notify=lambda match: match.p_source_key == "first")
    assert in_outbox(connection) == [("event e2", "file")]


def test_old_events_are_recorded_and_not_told(connection: sa.Connection) -> None:
    within = timedelta(minutes=30)
    changes = record(
        connection, "b1", a_match("e1", 59), a_match("e2", 59, dedup="b"), now=at(90), notify_within=within
    )
    assert (len(changes.created), changes.deliveries) == (2, 0)
    assert record(connection, "b2", a_match("e3", 60, dedup="c"), notify_within=within).deliveries == 1


def test_a_burst_across_a_border_is_told_once_whatever_batch_brings_it(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 59))
    assert record(connection, "b2", a_match("e2", 61)).deliveries == 0
    assert record(connection, "b3", a_match("e3", 118)).deliveries == 0
    assert record(connection, "b4", a_match("e4", 119)).deliveries == 1
    assert len(list_alerts(connection)) == 2


def test_an_alert_whose_delivery_failed_for_good_keeps_no_other_waiting(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 59))
    outbox.mark_failed(connection, claim(connection)[0], "me", "gone", at(90), final=True)
    assert record(connection, "b2", a_match("e2", 61)).deliveries == 1


def test_a_rule_names_its_destinations_and_an_empty_list_sends_nowhere(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5, destinations=("mail", "chat", "mail")))
    record(connection, "b2", a_match("e2", 5, dedup="bob", destinations=()))
    assert in_outbox(connection) == [("event e1", "chat"), ("event e1", "mail")]


def test_text_that_no_database_takes_does_not_stop_a_batch(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5, dedup="\ud800\0", title="a\0", context={"n": float("nan")}))
    alert = only_alert(connection)
    assert (alert.dedup, alert.title, alert.context) == ("\ufffd\ufffd", "a\ufffd", {"n": "nan"})


def test_a_changed_period_is_judged_beside_the_old_one(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 40, period_minutes=60, threshold=2))
    record(connection, "b2", a_match("e2", 5, period_minutes=15, threshold=9))
    assert only_alert(connection).period_minutes == 60


def test_alerts_are_listed_newest_first_or_by_rule(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5), a_match("e2", 5, rule_id="Other", severity="LOW"))
    record(connection, "b2", a_match("e3", 5, dedup="bob"), now=at(91))
    assert [alert.title for alert in list_alerts(connection, 1)] == ["event e3"]
    assert [alert.title for alert in list_alerts(connection, rule_id="Other")] == ["event e2"]
    everything = [(alert.status, alert.severity) for alert in list_alerts(connection)]
    assert sorted(everything) == [("open", "HIGH"), ("open", "HIGH"), ("open", "LOW")]
    assert outbox_states(connection) == ["pending"] * 3


def test_more_matches_than_a_statement_takes_are_recorded(connection: sa.Connection) -> None:
    found = [a_match(f"e{n}", 5) for n in range(5_001)]
    record(connection, "b1", *found)
    assert only_alert(connection).matches == 5_001
    assert record(connection, "b1").matches_removed == 5_001


def test_more_dedup_strings_than_a_statement_takes_are_grouped(connection: sa.Connection) -> None:
    found = [a_match(f"e{n}", 5, dedup=f"d{n}") for n in range(1_001)]
    assert len(record(connection, "b1", *found, notify=False).created) == 1_001


def test_two_batches_at_once_do_not_both_miss_a_threshold(store: Database) -> None:
    """The second waits for the first one's commit, and then sees its match."""
    done: list[AlertChanges] = []

    def other() -> None:
        with store.begin() as connection:
            done.append(record(connection, "b2", a_match("e2", 6, threshold=2)))

    thread = threading.Thread(target=other)
    with store.begin() as connection:
        assert record(connection, "b1", a_match("e1", 5, threshold=2)).created == ()
        thread.start()
        thread.join(0.2)
        assert not done
    thread.join(30)
    assert len(done[0].created) == 1


def expected(found: Sequence[Match]) -> dict[str, Alert]:
    """The alerts of all matches computed at once."""
    by_id = {match.id: match for match in found}
    groups = {match.dedup: [other for other in found if other.dedup == match.dedup] for match in found}
    slices = [item for group in groups.values() for item in slices_with_alerts(facts_of(group))]
    return {item.alert_id: alert_of(item, by_id[item.lead], START) for item in slices}


def stored(connection: sa.Connection, status: str = "open") -> dict[str, Alert]:
    found = (alert for alert in list_alerts(connection, 1_000) if alert.status == status)
    return {alert.id: replace(alert, created_at=START) for alert in found}


@pytest.fixture(scope="module")
def memory() -> Iterator[sa.Engine]:
    """A database for many examples: each of them undoes what it did."""
    engine = sa.create_engine("sqlite://")
    metadata.create_all(engine, tables=TABLES)
    yield engine
    engine.dispose()


@settings(max_examples=40)
@given(
    both=match_sets(dedups="ab").flatmap(lambda found: st.tuples(st.just(found), st.permutations(found))),
    data=st.data(),
)
def test_any_split_into_batches_in_any_order_ends_with_the_same_alerts(
    memory: sa.Engine, both: tuple[list[Match], list[Match]], data: st.DataObject
) -> None:
    found, shuffled = both
    cuts = sorted(data.draw(st.lists(st.integers(0, len(found)), max_size=3)))
    with memory.connect() as connection:
        for number, (first, last) in enumerate(zip([0, *cuts], [*cuts, len(found)], strict=True)):
            record(connection, f"b{number}", *shuffled[first:last])
        assert stored(connection) == expected(found)


@settings(max_examples=40)
@given(found=match_sets(dedups="ab"), data=st.data())
def test_batches_done_again_in_any_way_end_with_the_alerts_of_what_they_hold(
    memory: sa.Engine, found: list[Match], data: st.DataObject
) -> None:
    held: dict[str, list[Match]] = {}
    with memory.connect() as connection:
        for _ in range(data.draw(st.integers(1, 4))):
            batch = data.draw(st.sampled_from(["b0", "b1"]))
            own = found[::2] if batch == "b0" else found[1::2]
            held[batch] = [match for match in own if data.draw(st.booleans())]
            notify = data.draw(st.booleans())
            record(connection, batch, *held[batch], notify=notify)
            claim(connection)
            before = dump(connection)
            record(connection, batch, *held[batch], notify=notify)
            assert dump(connection) == before
        assert stored(connection) == expected([match for own in held.values() for match in own])
        on_the_way = set(connection.scalars(sa.select(deliveries.c.alert_id)))
        assert stored(connection, "withdrawn").keys() <= on_the_way


def test_that_a_failed_rule_found_nothing_takes_nothing_away(connection: sa.Connection) -> None:
    record(connection, "b1", a_match("e1", 5), a_match("e2", 6, rule_id="Other"))
    before = in_outbox(connection)
    changes = record(connection, "b1", notify=False, unjudged={"Console.NoMFA", "Other"})
    assert (changes.matches_removed, in_outbox(connection)) == (0, before)
    record(connection, "b1", notify=False, unjudged={"Other"})
    assert [alert.rule_id for alert in list_alerts(connection)] == ["Other"]
