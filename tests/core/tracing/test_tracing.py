"""Tracing: each record of a small installation is found where it is, by whatever name one knows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.schema import table_schema
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.sources import source_of
from iota_dagster.core.store import ledger
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.tracing.id_search import IdSearch, spellings
from iota_dagster.core.tracing.trace import Fate, Scope, Trace
from iota_dagster.core.tracing.tracing import Tracer
from iota_dagster.platform import Platform
from tests.road.world import ACCOUNT, LOG_TYPE, NINE, NOW, TEN, UNKNOWN, World, drive, record, run_once, sign_in

ALL = Scope(NOW - timedelta(days=35))
CALM = f"{ACCOUNT}:calm"


@pytest.fixture
def tracer(platform: Platform) -> Tracer:
    return Tracer(IdSearch(platform.database, platform.lake, platform.state))


@pytest.fixture
def ingested(world: World, platform: Platform) -> Platform:
    """Two runs: an object with a calm event, a sign-in and rubbish; then one that repeats the calm event."""
    world.deliver(platform, {"one": [record("calm", NINE), sign_in("loud", "203.0.113.9"), UNKNOWN]}, TEN)
    drive(platform, "first-run")
    world.deliver(platform, {"two": [record("calm", NINE), record("other")]}, TEN)
    drive(platform, "second-run")
    return platform


def key_of(trace: Trace) -> list[str]:
    return [item.key for item in trace.objects]


@pytest.mark.usefixtures("ingested")
def test_an_event_is_followed_from_its_object_to_its_row(tracer: Tracer) -> None:
    found = tracer.trace(CALM, ALL)
    assert found.fate is Fate.ROW
    assert found.event
    assert (found.event.log_type, found.event.hour) == (LOG_TYPE, NINE)
    assert key_of(found) == ["one"]
    assert found.objects[0].rows == 2
    [batch] = found.batches
    assert [run.root_run for run in batch.runs] == ["first-run"]
    assert (batch.status, batch.revision, batch.attempts) == ("done", 1, 0)
    assert None not in (batch.committed_at, batch.lake_at, batch.alerts_at)
    [file] = found.files
    assert (file.table, file.hour) == ("cloudtrail_events", NINE)
    assert batch.id in file.path
    assert found.row
    assert (found.row["eventName"], found.row["p_source_line"]) == ("GetObject", 0)
    assert not found.matches


@pytest.mark.usefixtures("ingested")
def test_an_event_is_known_by_its_vendors_id_alone(tracer: Tracer) -> None:
    found = tracer.trace("calm", ALL)
    assert found.event
    assert found.event.event_id == CALM


@pytest.mark.usefixtures("ingested")
def test_the_batches_that_counted_a_duplicate_against_an_event_are_named(tracer: Tracer) -> None:
    [counted] = tracer.trace("calm", ALL).duplicates
    second = tracer.trace("other", ALL).batches[0]
    assert (counted.batch_id, counted.hour, counted.count) == (second.id, NINE, 1)
    assert second.runs[0].root_run == "second-run"


@pytest.mark.usefixtures("ingested")
def test_a_copy_in_an_object_is_a_duplicate_of_the_row_that_another_batch_has(tracer: Tracer) -> None:
    found = tracer.in_object("calm", "two")
    assert found.fate is Fate.DUPLICATE
    assert key_of(found) == ["two", "one"]
    assert found.batches[0].id in found.told
    assert tracer.in_object("calm", "one").fate is Fate.ROW
    assert tracer.in_object("other", "one").fate is Fate.UNKNOWN
    assert tracer.in_object("nobody", "one").fate is Fate.UNKNOWN
    assert tracer.in_object("calm", "three").fate is Fate.UNKNOWN


def test_a_row_of_a_batch_that_no_duplicate_was_counted_against_is_no_copy(
    world: World, platform: Platform, tracer: Tracer
) -> None:
    for name, event in (("one", "calm"), ("two", "calm"), ("three", "else")):
        world.deliver(platform, {name: [record(event)]}, TEN)
        drive(platform, name)
    assert tracer.in_object("calm", "two").fate is Fate.DUPLICATE
    found = tracer.in_object("else", "two")
    assert (found.fate, key_of(found)) == (Fate.UNKNOWN, ["two", "three"])


@pytest.mark.usefixtures("ingested")
def test_a_found_event_shows_its_match_alert_and_delivery_and_each_leads_back_to_it(tracer: Tracer) -> None:
    found = tracer.trace("loud", ALL)
    [match], [alert] = found.matches, found.alerts
    assert (match.rule_id, alert.title) == ("Test.SignIn", "sign-in from 203.0.113.9")
    assert [(item.alert_id, item.status, item.attempts) for item in found.deliveries] == [(alert.id, "sent", 1)]
    assert tracer.trace(match.id, ALL).event == found.event
    whole = tracer.trace(alert.id, ALL)
    assert (whole.fate, whole.matches, whole.deliveries) == (Fate.ALERT, (match,), found.deliveries)
    assert [item.event for item in whole.events] == [found.event]


def test_an_alert_of_a_correlation_leads_to_the_events_of_its_members(
    world: World, platform: Platform, tracer: Tracer
) -> None:
    world.correlate()
    events = [sign_in("first", "203.0.113.9", minute=5), sign_in("second", "203.0.113.9", minute=9)]
    world.deliver(platform, {"one": events}, TEN)
    drive(platform, "run")
    again = next(item for item in tracer.trace("first", ALL).matches)
    with platform.database.read() as connection:
        [alert] = list_alerts(connection, rule_id="Test.Again")
    found = tracer.trace(alert.id, ALL)
    assert [item.event.event_id for item in found.events if item.event] == [f"{ACCOUNT}:first", f"{ACCOUNT}:second"]
    assert found.events[0].matches == (again,)
    by_match = tracer.trace(found.matches[0].id, ALL)
    assert (by_match.fate, by_match.events) == (Fate.ALERT, found.events)


@pytest.mark.usefixtures("ingested")
def test_an_object_shows_its_counts_and_its_alerts(tracer: Tracer, world: World) -> None:
    found = tracer.object("one")
    assert found.fate is Fate.OBJECT
    [item] = found.objects
    assert (item.records, item.rows, item.duplicates, item.quarantined) == (3, 2, 0, 1)
    assert [held.ordinal for held in found.quarantine] == [2]
    assert [alert.title for alert in found.alerts] == ["sign-in from 203.0.113.9"]
    assert [(file.table, file.hour) for file in found.files] == [("cloudtrail_events", hour) for hour in (NINE, TEN)]
    assert tracer.object(f"file://{world.inbox}/one").objects == found.objects
    other = tracer.object("two")
    assert [(counted.count, counted.against) for counted in other.duplicates] == [(1, found.batches[0].id)]
    assert not other.alerts


def test_a_differing_copy_and_a_rejected_record_are_found_in_quarantine(
    world: World, platform: Platform, tracer: Tracer
) -> None:
    unread = record("no-time") | {"eventName": {"of": "a wrong type"}, "what": "x"}
    del unread["eventSource"], unread["eventTime"], unread["eventVersion"]
    world.deliver(platform, {"one": [record("calm")]}, TEN)
    drive(platform, "first")
    world.deliver(platform, {"two": [record("calm", sourceIPAddress="198.51.100.7"), unread]}, TEN)
    drive(platform, "second")
    [conflict] = tracer.trace("calm", ALL).quarantine
    assert conflict.reason == "conflicting_copy"
    copy = tracer.in_object("calm", "two")
    assert (copy.fate, key_of(copy)) == (Fate.QUARANTINED, ["two", "one"])
    rejected = tracer.trace("no-time", ALL)
    assert (rejected.fate, key_of(rejected)) == (Fate.QUARANTINED, ["two"])
    assert rejected.quarantine[0].reason in rejected.told
    assert tracer.in_object("no-time", "two").fate is Fate.QUARANTINED


def test_what_nobody_knows_is_unknown_and_says_what_was_searched(ingested: Platform, tracer: Tracer) -> None:
    found = tracer.trace("nobody", ALL)
    assert found.fate is Fate.UNKNOWN
    assert "2 event hours" in found.told
    late = tracer.trace("calm", Scope(datetime.now(UTC) + timedelta(days=1)))
    assert late.fate is Fate.UNKNOWN
    assert "2 older ones" in late.told
    assert "--hour" in late.told


def test_an_hour_without_id_files_and_filters_is_read_from_the_lake(ingested: Platform, tracer: Tracer) -> None:
    for file in [*ingested.state.list("ids/"), *ingested.state.list("bloom/")]:
        ingested.state.delete(file.path)
    assert tracer.trace("calm", Scope(NOW, hours=range(NINE, NINE + 1))).fate is Fate.ROW
    assert tracer.trace("calm", Scope(NOW, hours=range(TEN, TEN + 1))).fate is Fate.UNKNOWN
    assert tracer.trace("calm", Scope(NOW, range(NINE, NINE + 1), ("AWS.VPCFlow",))).fate is Fate.UNKNOWN
    assert not list(ingested.state.list("ids/")), "looking changes nothing"


def test_after_a_compaction_the_row_is_in_the_new_generation(ingested: Platform, tracer: Tracer) -> None:
    assert compact(ingested.road.lake, "cloudtrail_events", TEN, table_schema(source_of(LOG_TYPE)))
    found = tracer.trace("other", ALL)
    [file] = found.files
    assert (found.fate, file.generation, file.rows, file.source[:2]) == (Fate.ROW, 1, 2, "c-")
    assert found.batches[0].id not in file.path


def test_a_committed_event_that_is_not_published_says_so(world: World, platform: Platform, tracer: Tracer) -> None:
    world.deliver(platform, {"one": [record("calm")]}, TEN)
    run = platform.road.run_identity("run")
    for assignment in platform.road.claim(run, [TEN], again=False):
        platform.road.prepare(run, assignment)
    found = tracer.trace("calm", ALL)
    assert (found.fate, found.row, found.batches[0].status) == (Fate.COMMITTED, None, "committed")
    run_once(platform.road, "run", [TEN])
    assert tracer.trace("calm", ALL).fate is Fate.ROW


def test_an_object_that_waits_has_a_status_and_no_batch(world: World, platform: Platform, tracer: Tracer) -> None:
    world.deliver(platform, {"one": [record("calm")]}, TEN)
    with platform.database.begin() as connection:
        ledger.set_status(connection, [1], ObjectStatus.MISSING, "there is no such file")
    found = tracer.object("one")
    assert (found.fate, found.batches) == (Fate.OBJECT, ())
    assert "missing" in found.told
    assert "there is no such file" in found.told
    assert tracer.in_object("calm", "one").fate is Fate.UNKNOWN


def test_an_id_is_looked_for_as_it_is_and_with_each_account() -> None:
    assert spellings("e", ["1", "2"]) == ["e", "1:e", "2:e"]
    assert spellings("1:e", ["1", "2"]) == ["1:e"]
