"""Alerts about ourselves over the store: what comes after what was mended is told, and nothing is told twice."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from iota_dagster.core.alerting.ids import alert_id, period_start
from iota_dagster.core.alerting.standing import ALWAYS, PERIOD_MINUTES, OwnRule, StandingAlerts, own_match
from iota_dagster.core.completeness.alarms import SILENT, Alarms
from iota_dagster.core.completeness.comparison import Comparison
from iota_dagster.core.completeness.findings import Finding, Kind, Silence
from iota_dagster.core.hours import hour_start
from iota_dagster.core.model import Match
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import deliveries, matches
from tests.core.alerting.cases import START

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
MIDNIGHT = START - 10 * HOUR
NOW = START + 6 * HOUR
WRONG = OwnRule("iota.Wrong", "HIGH", "Something is wrong", "Mend it.")


def told(store: Database) -> list[tuple[str, int]]:
    """The statuses of the alerts with how many matches each has, in the order of their times."""
    with store.read() as connection:
        found = list_alerts(connection)
    return [(item.status, item.matches) for item in sorted(found, key=lambda item: item.first_event_time)]


def pages(store: Database) -> int:
    """How many alerts people have been told of, all of them by now."""
    with store.begin() as connection:
        connection.execute(sa.update(deliveries).values(status="sent"))
        return len(connection.scalars(sa.select(deliveries.c.id)).all())


# ── silences ──


def listen(store: Database, *silences: Silence, looks: int = 2) -> int:
    """What a look that finds these silences does, repeated; how many pages there have been by then."""
    for _ in range(looks):
        Alarms(store, lambda alert, named: ("file",), 24 * HOUR).of_silences(silences, NOW)
    return pages(store)


def silent(hours: float, name: str = "trail", allowed: timedelta = HOUR / 2) -> Silence:
    return Silence(name, MIDNIGHT + hours * HOUR, allowed)


def test_a_second_silence_on_a_day_is_told_as_the_first_was(store: Database) -> None:
    assert listen(store, silent(2)) == 1
    assert listen(store) == 1
    assert told(store) == [("withdrawn", 1)]
    assert listen(store, silent(10)) == 2
    assert told(store) == [("withdrawn", 1), ("open", 1)]


def test_a_silence_after_logs_between_two_looks_is_another_one(store: Database) -> None:
    assert listen(store, silent(2)) == 1
    assert listen(store, silent(3)) == 2
    assert told(store) == [("withdrawn", 1), ("open", 1)]


def test_a_log_that_is_registered_late_makes_it_no_other_silence(store: Database) -> None:
    assert listen(store, silent(23.4, allowed=HOUR)) == 1
    assert listen(store, silent(23.9, allowed=HOUR)) == 1  # news on another day, had it been known
    assert listen(store, silent(23.9, allowed=2 * HOUR)) == 1
    assert told(store) == [("open", 1)]


def test_sources_that_fall_silent_in_one_minute_are_told_each(store: Database) -> None:
    assert listen(store, silent(2, "one"), silent(2, "two")) == 2
    assert listen(store, silent(2, "two")) == 2
    assert sorted(told(store)) == [("open", 1), ("withdrawn", 1)]


def test_a_silence_that_an_older_iota_told_is_not_told_again(store: Database) -> None:
    listen(store, silent(2))
    with store.begin() as connection:  # as it was stored: by the integration alone
        start = period_start(MIDNIGHT, PERIOD_MINUTES)
        name = alert_id(SILENT, "trail", start)
        connection.execute(sa.update(matches).values(dedup="trail", alert_id=name))
    assert listen(store, silent(2)) == 1


# ── findings ──


def find(store: Database, *keys: str, hours: int = 0, looks: int = 2) -> int:
    """What a look that finds these objects missing does, repeated; how many pages there have been by then."""
    moment = START + hours * HOUR
    found = tuple(Finding(Kind.MISSING, "trail", "b", key, moment, "why") for key in keys)
    for _ in range(looks):
        Alarms(store, lambda alert, named: ("file",), 24 * HOUR).of_findings(Comparison(found), MIDNIGHT, NOW)
    return pages(store)


@pytest.mark.parametrize("hours", [0, 1])
def test_what_is_missing_after_the_first_was_repaired_is_told(store: Database, hours: int) -> None:
    assert find(store, "a") == 1
    assert find(store) == 1
    assert find(store, "b", hours=hours) == 2
    assert sorted(told(store)) == [("open", 1), ("withdrawn", 1)]


def test_what_is_found_again_after_it_was_repaired_is_told_once(store: Database) -> None:
    assert [find(store, "a"), find(store), find(store, "a"), find(store)] == [1, 1, 1, 1]
    assert told(store) == [("withdrawn", 1)]


def test_one_that_takes_the_place_of_another_between_two_looks_is_told(store: Database) -> None:
    for hours in range(4):
        assert find(store, f"{hours}", hours=hours) == hours + 1
    assert sorted(told(store)) == [("open", 1), *[("withdrawn", 1)] * 3]


# ── whatever else is found about ourselves ──


def wrong(*hours: int, subject: str = "table", title: str = "wrong") -> dict[str, Match]:
    """Hours of a table that are wrong."""
    found = (
        own_match(WRONG, "iota.Test", subject, f"{subject}/{hour}", START + hour * HOUR, title, {}) for hour in hours
    )
    return {match.id: match for match in found}


def look(store: Database, found: dict[str, Match]) -> int:
    """What a look that finds just this does; how many pages there have been by then."""
    standing = StandingAlerts(store, lambda alert, named: ("file",))
    standing.replace(found, standing.stored((WRONG.id,), hour_start(0)), NOW, ALWAYS)
    return pages(store)


def test_what_comes_while_an_alert_stands_joins_it_though_its_first_finding_is_mended(store: Database) -> None:
    assert [look(store, wrong(1)), look(store, wrong(1, 2)), look(store, wrong(2)), look(store, wrong(2, 3))] == [1] * 4
    assert told(store) == [("open", 2)]
    assert look(store, wrong(2, 3, title="wrong in another way")) == 1
    assert look(store, wrong(4)) == 2
    assert [status for status, _ in told(store)] == ["withdrawn", "open"]


def test_each_subject_and_each_day_has_alerts_of_its_own(store: Database) -> None:
    found = wrong(1, 2) | wrong(1, subject="table eu") | wrong(48)
    assert [look(store, found), look(store, found), look(store, {})] == [3, 3, 3]


def test_what_joined_an_alert_of_an_older_iota_stays_there(store: Database) -> None:
    look(store, wrong(1))
    with store.begin() as connection:
        name = alert_id(WRONG.id, "table", period_start(START, PERIOD_MINUTES))
        connection.execute(sa.update(matches).values(dedup="table", alert_id=name))
        connection.execute(sa.update(deliveries).values(alert_id=name))
    assert look(store, wrong(1, 2, title="more is wrong")) == 1


def test_looks_at_once_tell_once(store: Database) -> None:
    start = threading.Barrier(3)
    errors: list[BaseException] = []

    def work() -> None:
        try:
            standing = StandingAlerts(store, lambda alert, named: ("file",))
            start.wait()
            standing.replace(wrong(1, 2, 3), {}, NOW, ALWAYS)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (errors, told(store), pages(store)) == ([], [("open", 3)], 1)
