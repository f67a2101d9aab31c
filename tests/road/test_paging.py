"""Who is told: of an event's first completion, if it is fresh, once; never because an hour is computed again."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

from iota_dagster.core.batch import decoding
from iota_dagster.core.ingest.ingest import IngestJob, run_job
from iota_dagster.core.store import quarantine
from iota_dagster.platform import Platform
from tests.road.parsers import DROPPED, parser
from tests.road.state import alert_lines, check_invariants, state_of
from tests.road.world import NOW, TEN, World, drive, record, sign_in


def told(platform: Platform) -> list[str]:
    return [line["dedup"] for line in alert_lines(platform)]


def test_doing_an_hour_again_tells_nobody_of_what_is_known(world: World, platform: Platform) -> None:
    world.deliver(platform, {"a": [sign_in("a", "198.51.100.1")]}, TEN)
    drive(platform, "first")
    assert told(platform) == ["198.51.100.1"]
    drive(platform, "again", again=True, hours=[TEN])
    assert told(platform) == ["198.51.100.1"]


def test_a_match_that_a_done_object_yields_only_now_tells_nobody(world: World, platform: Platform) -> None:
    """A rule or parser that finds more in old hours must not wake anybody at night."""
    world.deliver(platform, {"a": [sign_in("a", "198.51.100.1") | {"userAgent": DROPPED}]}, TEN)
    with parser(2):
        drive(platform, "first")
    drive(platform, "again", again=True, hours=[TEN])
    state = state_of(platform)
    assert len(state.matches) == len(state.alerts) == 1
    assert told(platform) == []


def test_the_first_completion_of_a_quarantined_object_tells_though_its_batch_is_done_again(
    world: World, platform: Platform
) -> None:
    world.deliver(
        platform, {"bad": [sign_in("a", "198.51.100.1")], "good": [record("b"), sign_in("c", "198.51.100.2")]}, TEN
    )

    def fails(job: IngestJob) -> object:
        if any(task.object.key == "bad" for task in job.tasks):
            raise ValueError("a fault of the parser")
        return run_job(job)

    with patch.object(decoding, "run_job", fails):
        drive(platform, "first")
    assert state_of(platform).objects["bad"][0] == "quarantined"
    assert told(platform) == ["198.51.100.2"]
    with platform.database.begin() as connection:
        assert quarantine.retry(connection, reason="parser_error").batches
    drive(platform, "retry")
    assert state_of(platform).objects["bad"][0] == "done"
    assert told(platform) == ["198.51.100.2", "198.51.100.1"]


def test_events_older_than_notify_within_tell_nobody(world: World) -> None:
    old, edge = NOW - timedelta(hours=25), NOW - timedelta(hours=23)
    with world.opened() as platform:
        stale = sign_in("a", "198.51.100.1") | {"eventTime": old.strftime("%Y-%m-%dT%H:%M:%SZ")}
        fresh = sign_in("b", "198.51.100.2") | {"eventTime": edge.strftime("%Y-%m-%dT%H:%M:%SZ")}
        world.deliver(platform, {"a": [stale, fresh]}, TEN)
        drive(platform, "first")
        assert told(platform) == ["198.51.100.2"]
        assert len(state_of(platform).alerts) == 2


def test_the_same_event_by_two_trails_tells_once(world: World, platform: Platform) -> None:
    for number in range(3):
        world.deliver(platform, {f"trail-{number}": [sign_in("a", "198.51.100.1")]}, TEN + number)
        drive(platform, f"run-{number}")
    assert told(platform) == ["198.51.100.1"]
    check_invariants(platform)
