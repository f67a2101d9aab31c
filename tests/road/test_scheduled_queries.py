"""Scheduled queries on the real road: rows of the lake → rules in their processes → alerts that people are told of."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import pytest

from iota_dagster.core.errors import LakeFileDamaged, Outage
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.query import query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.scheduled_queries import runner
from iota_dagster.core.scheduled_queries.requests import Asked, ask_for_run, judged_queries, keep_schedules
from iota_dagster.core.scheduled_queries.runner import MOST_ROWS, DueRuns, Querying, QueryRun
from iota_dagster.core.store import scheduled_queries as store
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.lake_catalog import files_of
from iota_dagster.core.store.scheduled_queries import QueryState
from iota_dagster.platform import Platform
from tests.road.state import alert_lines
from tests.road.world import NOW, TEN, World, drive, sign_in

QUERY = """\
AnalysisType: scheduled_query
QueryName: Addresses
Enabled: true
Query: {sql}
Schedule: {{RateMinutes: 30}}
"""
RULE = """\
AnalysisType: scheduled_rule
RuleID: Test.ManySignIns
Filename: many.py
Enabled: true
ScheduledQueries: [Addresses]
Severity: High
DedupPeriodMinutes: 120
"""
CODE = """\
def rule(event):
    return event["n"] >= 2


def title(event):
    return f"{event['n']} sign-ins from {event['address']}"
"""
COUNTED = "SELECT sourceIPAddress AS address, count(*) AS n FROM cloudtrail_events GROUP BY ALL"
TIMED = "SELECT p_event_time, sourceIPAddress AS address, 2 AS n FROM cloudtrail_events"
LATER = timedelta(minutes=30)


def schedule(world: World, sql: str = COUNTED, code: str = CODE) -> None:
    (world.rules / "addresses.yml").write_text(QUERY.format(sql=sql))
    (world.rules / "many.yml").write_text(RULE)
    (world.rules / "many.py").write_text(code)


def run(world: World, now: datetime, most_rows: int = MOST_ROWS) -> list[QueryRun]:
    """What a run of the job does at a moment."""
    with world.opened(now) as platform:
        found = Querying(platform.road, most_rows).run_due()
        platform.road.deliver()
        assert found.outage is None
        return list(found.done)


def run_asked(world: World, asked: Asked | None, now: datetime) -> DueRuns:
    """What a run does at a moment that was asked for before."""
    assert asked is not None
    with world.opened(now) as platform:
        return Querying(platform.road).run_due(asked.attempts)


def damaged(*_: object) -> NoReturn:
    """A lake whose hour cannot be written."""
    raise LakeFileDamaged("alert_matches/c-1.parquet", "damaged")


def names(runs: DueRuns) -> list[str]:
    return [item.name for item in runs.done]


def known(platform: Platform, name: str = "Addresses") -> QueryState:
    with platform.database.read() as connection:
        return store.states(connection)[name]


def another(world: World, sql: str, beside: str = COUNTED, times: str = "RateMinutes: 30") -> None:
    """A second query, whose name is before the first's."""
    schedule(world, beside)
    text = QUERY.format(sql=sql).replace("Addresses", "Aaa").replace("RateMinutes: 30", times)
    (world.rules / "first.yml").write_text(text)
    (world.rules / "many.yml").write_text(RULE.replace("[Addresses]", "[Addresses, Aaa]"))
    run(world, NOW)


def lake_file(platform: Platform) -> Path:
    """The one file of the events."""
    with platform.database.read() as connection:
        (file,) = files_of(connection, "cloudtrail_events", TEN)
    return Path(platform.lake.url.removeprefix("file://")) / file.path


def alerts(platform: Platform) -> list[tuple[str, str]]:
    with platform.database.read() as connection:
        found = list_alerts(connection)
    return sorted((alert.title, alert.status) for alert in found if alert.rule_id != "Test.SignIn")


def told(platform: Platform) -> list[str]:
    return [line["title"] for line in alert_lines(platform) if line["rule_id"] != "Test.SignIn"]


def in_lake(platform: Platform) -> list[str]:
    sql = f"SELECT title FROM {alert_matches.TABLE} WHERE rule_id <> 'Test.SignIn' ORDER BY title"
    return [row["title"] for row in query(platform.database, platform.lake, sql, schemas=lake_tables()).to_pylist()]


@pytest.fixture
def filled(world: World, platform: Platform) -> Platform:
    """Two sign-ins from one address and one from another, and the query known to the store."""
    schedule(world)
    records = [sign_in("1", "203.0.113.1"), sign_in("2", "203.0.113.1", minute=6), sign_in("3", "203.0.113.2")]
    world.deliver(platform, {"a": records}, TEN)
    drive(platform, "first")
    assert Querying(platform.road).run_due().done == ()  # it is new, and due at the next half hour
    return platform


def test_rows_become_matches_alerts_and_messages(world: World, filled: Platform) -> None:
    (done,) = run(world, NOW + LATER)
    assert (done.rows, done.error, done.failures, done.due_at) == (2, None, (), NOW + LATER)
    assert alerts(filled) == [("2 sign-ins from 203.0.113.1", "open")]
    assert told(filled) == in_lake(filled) == ["2 sign-ins from 203.0.113.1"]
    state = known(filled)
    assert (state.due_at, state.last_rows, state.last_matches) == (NOW + 2 * LATER, 2, 1)
    assert run(world, NOW + LATER) == []


def test_the_same_rows_again_are_told_once_in_a_dedup_period(world: World, filled: Platform) -> None:
    for number in (1, 2):  # 13:00 and 13:30, in the period from 12:00 to 14:00
        run(world, NOW + number * LATER)
    assert len(told(filled)) == len(in_lake(filled)) == 1
    run(world, NOW + 3 * LATER)
    assert len(in_lake(filled)) == 2


def test_rows_with_a_time_of_their_own_are_never_told_twice(world: World, filled: Platform) -> None:
    schedule(world, TIMED)
    run(world, NOW + LATER)
    before = sorted(told(filled)), in_lake(filled), alerts(filled)
    assert len(before[1]) == 3
    for number in (2, 5, 9):
        run(world, NOW + number * LATER)
    assert (sorted(told(filled)), in_lake(filled), alerts(filled)) == before


def test_a_query_that_was_missed_for_hours_is_run_once(world: World, filled: Platform) -> None:
    (done,) = run(world, NOW + 9 * LATER + timedelta(minutes=7))
    assert done.due_at == NOW + 9 * LATER
    assert known(filled).due_at == NOW + 10 * LATER


def test_the_sql_is_told_the_occasion_however_late_the_run_is(world: World, filled: Platform) -> None:
    window = "strftime($previous_due_at, '%H:%M') || ' to ' || strftime($due_at, '%H:%M') AS address, 2 AS n"
    schedule(world, f"SELECT {window}")
    minutes = timedelta(minutes=7)
    run(world, NOW + LATER + minutes)  # the first run: from the schedule's time before
    run(world, NOW + 9 * LATER + minutes)  # after an outage: from what the run before was for
    run(world, NOW + 14 * LATER + minutes)  # again, after one that was itself late
    assert in_lake(filled) == [
        f"2 sign-ins from {span}" for span in ("12:30 to 13:00", "13:00 to 17:00", "17:00 to 19:30")
    ]


def test_a_late_run_looks_at_the_events_that_it_was_due_for(world: World, filled: Platform) -> None:
    at = (NOW + LATER).isoformat()
    sql = f"SELECT '203.0.113.1' AS address, count(*) AS n FROM cloudtrail_events WHERE $due_at = TIMESTAMPTZ '{at}'"
    schedule(world, sql)
    (done,) = run(world, NOW + LATER + timedelta(minutes=29))
    assert (done.due_at, done.error) == (NOW + LATER, None)
    assert in_lake(filled) == ["3 sign-ins from 203.0.113.1"]


def test_a_twin_of_a_run_counts_nothing(world: World, filled: Platform) -> None:
    with world.opened(NOW + LATER) as platform:
        querying = Querying(platform.road)
        item, state = judged_queries(platform.road.alerting.rules().pack)[0], known(platform)
        first, second = querying._run(item, state), querying._run(item, state)
    assert first is not None
    assert second is None
    assert len(in_lake(filled)) == len(alerts(filled)) == 1


def test_a_failing_query_is_an_alert_a_day_and_is_withdrawn_when_it_works(world: World, filled: Platform) -> None:
    schedule(world, "SELECT nothing_such FROM cloudtrail_events")
    for number in (1, 2, 3):
        (done,) = run(world, NOW + number * LATER)
        assert "nothing_such" in (done.error or "")
    (title,) = told(filled)
    assert re.match("Scheduled query Addresses fails: ", title)
    assert alerts(filled) == [(title, "open")]
    assert in_lake(filled) == [title]
    assert "nothing_such" in (known(filled).error or "")
    schedule(world)
    run(world, NOW + 4 * LATER)
    assert (title, "withdrawn") in alerts(filled)
    assert in_lake(filled) == ["2 sign-ins from 203.0.113.1"]
    assert known(filled).error is None


def test_what_was_told_of_a_failing_query_is_over_once_it_is_disabled_or_gone(
    world: World, filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(world, "SELECT nothing_such FROM cloudtrail_events")
    run(world, NOW + LATER)
    ((title, status),) = alerts(filled)
    assert status == "open"
    disabled = QUERY.format(sql=COUNTED).replace("Enabled: true", "Enabled: false")
    (world.rules / "addresses.yml").write_text(disabled + "no: [yaml")
    run(world, NOW + 2 * LATER)
    assert alerts(filled) == [(title, "open")], "nobody knows what a file says that cannot be read"
    (world.rules / "addresses.yml").write_text(disabled)
    with monkeypatch.context() as patch:
        patch.setattr(runner, "publish_unit", damaged)
        run(world, NOW + 2 * LATER)
    assert alerts(filled) == [(title, "open")], "what cannot be written stops no query, and is tried again"
    run(world, NOW + 2 * LATER)
    assert alerts(filled) == [(title, "withdrawn")]
    assert in_lake(filled) == []


def test_of_too_many_rows_the_first_are_judged_and_the_query_fails(world: World, filled: Platform) -> None:
    schedule(world, "SELECT '203.0.113.9' AS address, range AS n FROM range(2, 100)")
    (done,) = run(world, NOW + LATER, most_rows=5)
    assert (done.rows, done.error) == (5, "more than 5 rows: those beyond were not judged")
    assert len(in_lake(filled)) == 6
    assert [name for name, _ in alerts(filled) if name.startswith("Scheduled query")]


def test_a_rule_that_fails_on_a_row_is_an_alert_and_the_query_goes_on(world: World, filled: Platform) -> None:
    schedule(world, code=CODE.replace('event["n"] >= 2', '1 // (event["n"] - 1) == 1'))
    (done,) = run(world, NOW + LATER)
    assert [(item.rule_id, item.function) for item in done.failures] == [("Test.ManySignIns", "rule")]
    assert [title.split(":")[0] for title, _ in alerts(filled)] == [
        "2 sign-ins from 203.0.113.1",
        "Rule Test.ManySignIns fails",
    ]


def test_one_of_several_ticks_asks_for_a_run_and_a_dead_run_is_asked_for_again(filled: Platform) -> None:
    database, due = filled.database, NOW + LATER
    assert ask_for_run(database, NOW) is None
    first = ask_for_run(database, due)
    assert first is not None
    assert ask_for_run(database, due) is None
    again = ask_for_run(database, due + timedelta(minutes=6))
    assert again not in (None, first)


def test_a_changed_schedule_counts_from_now_and_a_query_that_is_gone_is_forgotten(
    world: World, filled: Platform
) -> None:
    with world.opened() as platform:
        (item,) = judged_queries(platform.road.alerting.rules().pack)
    with filled.database.read() as connection:
        assert list(store.states(connection)) == ["Addresses"]
    keep_schedules(filled.database, [item], NOW + 5 * LATER)
    assert known(filled).due_at == NOW + LATER  # overdue, not moved
    hourly = type(item.schedule)(cron="5 * * * *")
    changed = type(item)(**{name: getattr(item, name) for name in item.__struct_fields__} | {"schedule": hourly})
    keep_schedules(filled.database, [changed], NOW + 5 * LATER)
    assert known(filled).due_at == NOW + 5 * LATER + timedelta(minutes=5)
    keep_schedules(filled.database, [], NOW)
    with filled.database.read() as connection:
        assert store.states(connection) == {}


def test_a_disabled_query_and_one_that_no_rule_reads_do_not_run(world: World) -> None:
    schedule(world)
    (world.rules / "many.yml").write_text(RULE.replace("[Addresses]", "[Others]"))
    with world.opened() as platform:
        assert judged_queries(platform.road.alerting.rules().pack) == []
    schedule(world)
    (world.rules / "addresses.yml").write_text(QUERY.format(sql=COUNTED).replace("Enabled: true", "Enabled: false"))
    with world.opened() as platform:
        assert judged_queries(platform.road.alerting.rules().pack) == []


TOO_LATE = "SELECT 'infinity'::TIMESTAMP AS at, 2 AS n"


def test_a_query_whose_rows_cannot_be_read_keeps_no_other_waiting(world: World, filled: Platform) -> None:
    another(world, TOO_LATE)
    first, second = run(world, NOW + LATER)
    assert (first.name, first.rows, second.name, second.error) == ("Aaa", 0, "Addresses", None)
    assert first.error is not None
    assert "2 sign-ins from 203.0.113.1" in told(filled)
    assert any(title.startswith("Scheduled query Aaa fails") for title in told(filled))


NO_LAKE = "SELECT '203.0.113.9' AS address, 2 AS n"


@pytest.mark.parametrize(
    ("content", "what"), [(None, "is missing"), (b"", "is damaged"), (b"PAR1 no more", "is damaged")]
)
def test_a_lost_file_of_the_lake_fails_its_query_and_keeps_no_other_waiting(
    world: World, filled: Platform, content: bytes | None, what: str
) -> None:
    another(world, COUNTED, NO_LAKE)
    path = lake_file(filled)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    first, second = run(world, NOW + LATER)
    assert (first.name, second.name, second.error) == ("Aaa", "Addresses", None)
    assert f"{path.name} {what}" in (first.error or "")
    assert [title for title in told(filled) if path.name in title]
    assert known(filled, "Aaa").due_at == NOW + 2 * LATER


def test_a_query_that_the_lake_does_not_answer_stays_due_and_the_others_have_their_turn(
    world: World, filled: Platform
) -> None:
    another(world, COUNTED, NO_LAKE, "RateMinutes: 30, TimeoutMinutes: 60")
    path, due = lake_file(filled), NOW + LATER
    whole = path.read_bytes()
    path.unlink()
    path.symlink_to(path)  # no file, and nobody can say that there is none
    asked = ask_for_run(filled.database, due)
    found = run_asked(world, asked, due)
    assert (names(found), type(found.outage)) == (["Addresses"], Outage)
    state = known(filled, "Aaa")
    assert (state.due_at, state.last_run_at, state.error) == (due, None, None)
    path.unlink()
    path.write_bytes(whole)
    assert names(run_asked(world, asked, due)) == ["Aaa"]  # the run itself tries again
    assert known(filled, "Aaa").due_at == due + LATER


def test_after_an_outage_somebody_else_is_asked_within_minutes(world: World, filled: Platform) -> None:
    schedule(world)
    text = (world.rules / "addresses.yml").read_text()
    (world.rules / "addresses.yml").write_text(text.replace("30}", "30, TimeoutMinutes: 60}"))
    path, due = lake_file(filled), NOW + LATER
    path.unlink()
    path.symlink_to(path)
    assert run_asked(world, ask_for_run(filled.database, due), due).outage
    assert ask_for_run(filled.database, due) is None
    assert ask_for_run(filled.database, due + timedelta(minutes=6)) is not None


def test_a_run_leaves_alone_what_another_was_asked_for(world: World, filled: Platform) -> None:
    another(world, NO_LAKE)
    due = NOW + LATER
    slow, quick = (ask_for_run(filled.database, due, [name]) for name in ("Addresses", "Aaa"))
    assert run(world, due) == []
    assert names(run_asked(world, quick, due)) == ["Aaa"]
    assert names(run_asked(world, slow, due)) == ["Addresses"]


def test_a_run_that_comes_too_late_leaves_its_queries_to_the_one_asked_after_it(world: World, filled: Platform) -> None:
    first, later = ask_for_run(filled.database, NOW + LATER), NOW + LATER + timedelta(minutes=6)
    second = ask_for_run(filled.database, later)
    assert names(run_asked(world, first, later)) == []
    assert names(run_asked(world, second, later)) == ["Addresses"]
    assert names(run_asked(world, second, later)) == []


def test_a_run_that_was_killed_is_repeated_by_itself_or_after_its_time_by_another(
    world: World, filled: Platform
) -> None:
    another(world, NO_LAKE)
    due = NOW + LATER
    asked = ask_for_run(filled.database, due)
    assert asked is not None
    with world.opened(due) as platform:
        items = {item.name: item for item in judged_queries(platform.road.alerting.rules().pack)}
        assert Querying(platform.road)._begin(items["Aaa"], asked.attempts)  # where it dies
    assert ask_for_run(filled.database, due + timedelta(minutes=6)) is None
    after = ask_for_run(filled.database, due + timedelta(minutes=11), ["Addresses"])
    assert names(run_asked(world, asked, due + timedelta(minutes=11))) == ["Aaa"]
    assert names(run_asked(world, after, due + timedelta(minutes=11))) == ["Addresses"]


def test_a_rule_that_cannot_be_loaded_is_an_alert_where_only_queries_run(world: World, filled: Platform) -> None:
    schedule(world, code="raise RuntimeError('broken')\n" + CODE)
    (done,) = run(world, NOW + LATER)
    assert [(item.rule_id, item.function) for item in done.failures] == [("Test.ManySignIns", "import")]
    assert [title.split(":")[0] for title, _ in alerts(filled)] == ["Rule Test.ManySignIns fails"]


def test_a_query_in_a_file_that_cannot_be_read_keeps_its_due_time(world: World, filled: Platform) -> None:
    before = known(filled)
    (world.rules / "addresses.yml").write_text("AnalysisType: scheduled_query\nQueryName: [")
    assert run(world, NOW + LATER) == []
    assert known(filled) == before
    assert ask_for_run(filled.database, NOW + LATER, []) is None
    schedule(world)
    assert [item.due_at for item in run(world, NOW + 2 * LATER)] == [NOW + 2 * LATER]
