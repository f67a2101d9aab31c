"""Correlation rules on the road: what they ask of an event is kept; hours done again change nothing."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from iota_dagster.core.batch.road import Branch
from iota_dagster.core.correlating.correlator import correlator_of, left_over
from iota_dagster.core.lake.query import query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.store.alerts import events_of, list_alerts
from iota_dagster.core.store.schema import matches
from iota_dagster.platform import Platform
from tests.road.state import alert_lines, assert_same, state_of
from tests.road.world import ACCOUNT, ELEVEN, NINE, TEN, World, drive, record, sign_in

PATHS = {
    "userIdentity.userName": "alice",
    "p_any_usernames": "alice",
    "requestParameters.tags.key": "alice",
    "p_account_id": ACCOUNT,
}
"""A field, one of our indicators, a field inside a list, one of our columns; and the value that two sign-ins share."""


def signs_in(user: str, event_id: str, minute: int) -> dict[str, Any]:
    """A sign-in from an address of its own."""
    who = {"type": "IAMUser", "accountId": ACCOUNT, "userName": user}
    tags = [{"key": user}, {"key": None}, "no mapping"]
    return sign_in(event_id, f"198.51.100.{minute}", TEN, minute) | {
        "userIdentity": who,
        "requestParameters": {"tags": tags},
    }


def told(platform: Platform) -> list[str]:
    """The titles of the correlation rule's alerts."""
    with platform.database.read() as connection:
        return [alert.title for alert in list_alerts(connection, rule_id="Test.Again")]


def fields(platform: Platform) -> list[dict[str, list[str]]]:
    """What is kept of the events of the member rule's matches."""
    with platform.database.read() as connection:
        found = sa.select(matches.c.fields).where(matches.c.rule_id == "Test.SignIn").order_by(matches.c.event_time)
        return list(connection.scalars(found))


@pytest.mark.parametrize("path", PATHS)
def test_matches_of_several_batches_are_joined_by_what_stands_in_their_events(
    world: World, platform: Platform, path: str
) -> None:
    world.correlate(path)
    world.deliver(platform, {"a": [signs_in("alice", "1", 1), record("2")]}, TEN)
    world.deliver(platform, {"b": [signs_in("alice", "3", 3)]}, ELEVEN)
    drive(platform, "first")
    assert fields(platform) == [{path: [PATHS[path]]}] * 2
    assert told(platform) == [f"Signed in again: {PATHS[path]}"]
    assert [line["title"] for line in alert_lines(platform)].count(told(platform)[0]) == 1


def test_the_events_of_a_correlations_alert_are_those_of_its_members(world: World, platform: Platform) -> None:
    world.correlate("userIdentity.userName")
    world.deliver(platform, {"a": [signs_in("alice", "1", 1), signs_in("alice", "2", 2), signs_in("bob", "3", 3)]}, TEN)
    drive(platform, "first")
    with platform.database.read() as connection:
        (alert,) = list_alerts(connection, rule_id="Test.Again")
        (single,) = [item for item in list_alerts(connection) if item.title == "sign-in from 198.51.100.3"]
        found = events_of(connection, [alert.id, single.id])
    assert sorted(found[alert.id]) == [f"{ACCOUNT}:1", f"{ACCOUNT}:2"]
    assert found[single.id] == [f"{ACCOUNT}:3"]


def test_an_event_without_the_field_joins_nothing(world: World, platform: Platform) -> None:
    world.correlate("userIdentity.userName")
    world.deliver(platform, {"a": [signs_in("", "1", 1), signs_in("", "2", 2), signs_in("bob", "3", 3)]}, TEN)
    drive(platform, "first")
    nobody: dict[str, list[str]] = {"userIdentity.userName": []}
    assert fields(platform) == [nobody, nobody, {"userIdentity.userName": ["bob"]}]
    assert told(platform) == []


def test_without_correlation_rules_nothing_is_kept_and_nothing_is_left_to_do(world: World, platform: Platform) -> None:
    world.deliver(platform, {"a": [signs_in("alice", "1", 1), signs_in("alice", "2", 2)]}, TEN)
    drive(platform, "first")
    assert fields(platform) == [{}, {}]
    assert left_over(platform.database) == ""


def test_hours_done_again_change_nothing_and_tell_nobody(world: World, platform: Platform) -> None:
    world.correlate()
    world.deliver(platform, {"a": [sign_in("1", "198.51.100.1", NINE, 50)]}, NINE)
    world.deliver(platform, {"b": [sign_in("2", "198.51.100.1")], "c": [sign_in("3", "198.51.100.1", TEN, 6)]}, TEN)
    drive(platform, "first")
    before, lines = state_of(platform), alert_lines(platform)
    assert told(platform) == ["Signed in again: 198.51.100.1"]
    for number, hours in enumerate(([TEN], [NINE], [NINE, TEN])):
        drive(platform, f"again-{number}", again=True, hours=hours)
        assert_same(state_of(platform), before)
    assert alert_lines(platform) == lines


def lake_titles(platform: Platform) -> list[str]:
    """The titles of the correlation rule's matches in the lake."""
    sql = "SELECT title FROM alert_matches WHERE rule_id = 'Test.Again'"
    return [row["title"] for row in query(platform.database, platform.lake, sql, schemas=lake_tables()).to_pylist()]


def test_matches_are_in_the_lake_once_and_those_that_are_gone_leave_it(world: World, platform: Platform) -> None:
    world.correlate()
    world.deliver(platform, {"a": [sign_in("1", "198.51.100.1"), sign_in("2", "198.51.100.1", TEN, 6)]}, TEN)
    drive(platform, "first")
    assert lake_titles(platform) == ["Signed in again: 198.51.100.1"]
    world.deliver(platform, {"b": [sign_in("3", "198.51.100.1", TEN, 7)]}, TEN)
    drive(platform, "second")
    assert lake_titles(platform) == ["Signed in again: 198.51.100.1"] * len(told_matches(platform))
    code = (world.rules / "sign_in.py").read_text().replace('== "ConsoleLogin"', '== "Nothing"')
    (world.rules / "sign_in.py").write_text(code)
    with world.opened() as changed:
        drive(changed, "again", again=True, hours=[TEN])
    assert lake_titles(platform) == told_matches(platform) == []


def told_matches(platform: Platform) -> list[str]:
    """The ids of the correlation rule's matches in the store."""
    with platform.database.read() as connection:
        return list(connection.scalars(sa.select(matches.c.id).where(matches.c.rule_id == "Test.Again")))


def test_what_a_run_left_that_died_is_found_by_the_next_one(world: World, platform: Platform) -> None:
    world.correlate()
    world.deliver(platform, {"a": [sign_in("1", "198.51.100.1"), sign_in("2", "198.51.100.1", TEN, 6)]}, TEN)
    road, run = platform.road, platform.road.run_identity("dies")
    for assignment in road.claim(run, [TEN], again=False):
        road.prepare(run, assignment)
    for batch in road.to_publish(run, [TEN], Branch.ALERTS):
        road.judge(batch)
    assert left_over(platform.database) == left_over(platform.database) != ""
    correlator_of(road).correlate()
    assert (told(platform), left_over(platform.database)) == (["Signed in again: 198.51.100.1"], "")
