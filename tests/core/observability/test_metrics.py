"""The figures of batches: written with their transactions, summed up, and shown to Prometheus."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
import zlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from iota_dagster.core.errors import Outage
from iota_dagster.core.observability import metrics
from iota_dagster.core.observability.exposition import FiguresCollector, bounded, exposed, from_store
from iota_dagster.core.observability.figure_source import HANGS_SECONDS, Samples, Source
from iota_dagster.core.observability.figures import Figures, Step
from iota_dagster.core.observability.metrics import FAMILIES, Kind, family_of, metrics_page
from iota_dagster.core.store import figures, summaries
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.figures import Total, merged
from iota_dagster.core.store.gauges import Configured
from iota_dagster.core.store.operations import OPERATIONS, Operations
from iota_dagster.core.store.schema import batch_figures, deliveries, log_objects, quarantine
from tests.platform.waiting import wait_until
from tests.road.world import LOG_TYPE, NOW, TEN, UNKNOWN, World, drive, record, run_once, sign_in

ROOT = Path(__file__).parents[3]
EVENTS = metrics.EVENTS.name
SHORT = timedelta(seconds=1)
CONFIGURED = Configured(["inbox"], ["alerts_file"], 1000)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")


def counted(name: str, *labels: str, value: float = 1) -> Figures:
    family = family_of(name)
    assert family
    found = Figures()
    found.add(family, *labels, value=value)
    return found


def write(store: Database, batch: str, found: Figures, now: datetime = NOW) -> None:
    with store.begin() as connection:
        figures.record(connection, batch, Step.EVENTS, found, now)


def totals(store: Database) -> dict[tuple[str, tuple[str, ...]], float]:
    with store.read() as connection:
        return {(total.name, total.labels): total.value for total in figures.totals(connection)}


Scraped = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def scraped(store_url: str, configured: Configured = CONFIGURED) -> Scraped:
    """What Prometheus would read, by its own parser."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector([from_store(store_url, configured, lambda: NOW)], first_seconds=60))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_same_figures_again_add_nothing(store: Database) -> None:
    for _ in range(3):
        write(store, "one", counted(EVENTS, LOG_TYPE, "kept", value=5))
    write(store, "two", counted(EVENTS, LOG_TYPE, "kept", value=2))
    assert totals(store) == {(EVENTS, (LOG_TYPE, "kept")): 7}


def test_a_revision_adds_only_what_it_has_more(store: Database) -> None:
    for value, expected in ((5, 5), (3, 5), (8, 8), (8, 8)):
        write(store, "one", counted(EVENTS, LOG_TYPE, "kept", value=value))
        assert totals(store) == {(EVENTS, (LOG_TYPE, "kept")): expected}


def test_durations_are_those_of_the_first_time(store: Database) -> None:
    for seconds in (0.3, 70.0):
        found = Figures()
        found.observe(metrics.STEP_SECONDS, "events", seconds=[seconds])
        write(store, "one", found)
    assert totals(store) == {
        ("iota_step_seconds_bucket", ("events", "0.5")): 1,
        ("iota_step_seconds_sum", ("events",)): 0.3,
    }


def test_a_moment_is_the_latest_of_all_batches(store: Database) -> None:
    for batch, value in (("one", 50.0), ("two", 90.0), ("three", 10.0)):
        found = Figures()
        found.latest(metrics.LAST_EVENT, "trail", value=value)
        write(store, batch, found)
    assert totals(store) == {(metrics.LAST_EVENT.name, ("trail",)): 90.0}


def test_figures_of_a_transaction_that_is_undone_do_not_count(store: Database) -> None:
    def die() -> None:
        with store.begin() as connection:
            figures.record(connection, "one", Step.EVENTS, counted(EVENTS, LOG_TYPE, "kept"), NOW)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        die()
    assert totals(store) == {}


Revisions = st.lists(st.dictionaries(st.sampled_from(["kept", "duplicate"]), st.integers(0, 9)), max_size=5)


@given(Revisions)
def test_what_is_merged_never_becomes_less_and_ends_the_same_when_repeated(revisions: list[dict[str, int]]) -> None:
    known: dict[tuple[str, tuple[str, ...]], float] = {}
    for revision in revisions:
        new: dict[tuple[str, tuple[str, ...]], float] = {
            (EVENTS, (LOG_TYPE, status)): float(value) for status, value in revision.items()
        }
        after = merged(known, new)
        assert all(after[key] >= value for key, value in known.items())
        assert merged(after, new) == after
        known = after


def test_observed_durations_fall_into_the_first_bucket_that_holds_them() -> None:
    found = Figures()
    found.observe(metrics.STEP_SECONDS, "lake", seconds=[0.1, 0.11, -5, 10_000])
    assert found.values == {
        ("iota_step_seconds_bucket", ("lake", "0.1")): 2,
        ("iota_step_seconds_bucket", ("lake", "0.25")): 1,
        ("iota_step_seconds_bucket", ("lake", "+Inf")): 1,
        ("iota_step_seconds_sum", ("lake",)): pytest.approx(10_000.21),
    }


def test_label_sets_beyond_the_bound_are_one_series_that_never_becomes_less() -> None:
    first = [Total(EVENTS, (f"T{number}", "kept"), 1, NOW + number * SHORT) for number in range(4)]
    later = [*first, Total(EVENTS, ("A", "kept"), 5, NOW + timedelta(hours=1))]
    assert bounded(first, 2) == {(EVENTS, ("T0", "kept")): 1, (EVENTS, ("T1", "kept")): 1, (EVENTS, ("other",) * 2): 2}
    assert bounded(later, 2) == bounded(first, 2) | {(EVENTS, ("other", "other")): 7}


def test_totals_of_another_version_are_left_out() -> None:
    assert bounded([Total("iota_of_tomorrow_total", (), 1, NOW)]) == {}


def test_a_histogram_is_shown_with_all_its_buckets() -> None:
    found = Figures()
    found.observe(metrics.STEP_SECONDS, "lake", seconds=[0.2, 0.3, 1000])
    (family,) = exposed(found.values)
    values = {sample.labels.get("le", sample.name): sample.value for sample in family.samples}
    assert (values["0.1"], values["0.25"], values["600.0"], values["+Inf"]) == (0, 1, 2, 3)
    assert values["iota_step_seconds_sum"] == pytest.approx(1000.5)


class Reader:
    """A source that answers with how often it was asked, which takes `took` seconds of a clock; it can be held up."""

    def __init__(self, up: metrics.Family = metrics.STORE_UP, took: float = 0) -> None:
        self.now, self.asked, self.took, self.error = 0.0, 0, took, None
        self.free, self.begun = threading.Event(), threading.Event()
        self.free.set()
        self.source = Source(up.name, up, self.read, 60)

    error: Exception | None

    def clock(self) -> float:
        return self.now

    def read(self) -> Samples:
        self.begun.set()
        self.free.wait(60)
        self.now, self.asked = self.now + self.took, self.asked + 1
        if self.error is not None:
            raise self.error
        return {(metrics.BLOOM_CHECKS.name, ()): self.asked}


def shown(collector: FiguresCollector) -> dict[str, float]:
    """The one sample of each family, but what reading took."""
    return {family.name: family.samples[0].value for family in collector.collect() if "collect" not in family.name}


def answers(asked: int) -> dict[str, float]:
    return {"iota_bloom_checks": asked, "iota_store_up": 1}


@pytest.mark.parametrize(("took", "kept"), [(0, 5), (2, 40), (10, 60)])
def test_an_answer_is_kept_for_a_while_and_the_longer_the_longer_it_took(took: float, kept: float) -> None:
    reader = Reader(took=took)
    collector = FiguresCollector([reader.source], reader.clock, 60, 60)
    assert shown(collector) == answers(1)
    for late, expected in ((-0.1, 1), (0, 2)):
        reader.now = took + kept + late
        assert shown(collector) == answers(expected)


def test_a_failure_is_kept_for_five_seconds_however_long_it_took() -> None:
    reader = Reader(took=10)
    reader.error = Outage("no connection")
    collector = FiguresCollector([reader.source], reader.clock, 60, 60)
    assert shown(collector) == {"iota_store_up": 0}
    reader.error, reader.now = None, 15.0
    assert shown(collector) == answers(2)


def test_a_source_that_is_slow_is_shown_as_it_was_and_read_only_once_at_a_time() -> None:
    reader = Reader()
    collector = FiguresCollector([reader.source], reader.clock, 60, 0)
    assert shown(collector) == answers(1)
    reader.now = 10.0
    reader.free.clear()
    for _ in range(3):
        assert shown(collector) == answers(1)
    reader.free.set()
    wait_until(lambda: shown(collector) == answers(2), "the fresh answer", 30)


def test_a_source_that_hangs_holds_nobody_up_and_is_down_after_a_while() -> None:
    hung, other = Reader(), Reader(metrics.QUEUE_UP)
    hung.free.clear()
    collector = FiguresCollector([hung.source, other.source], hung.clock, 0, 0)
    wait_until(lambda: "iota_queue_up" in shown(collector), "the other", 30)
    assert "iota_store_up" not in shown(collector)
    hung.now = HANGS_SECONDS
    assert shown(collector)["iota_store_up"] == 0
    hung.free.set()
    wait_until(lambda: shown(collector)["iota_store_up"] == 1, "an answer after all", 30)


def test_a_source_that_fails_is_down_and_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    broken, other = Reader(), Reader(metrics.QUEUE_UP)
    broken.error = ValueError("no region")
    found = shown(FiguresCollector([broken.source, other.source], first_seconds=60))
    assert found == {"iota_store_up": 0, "iota_queue_up": 1, "iota_bloom_checks": 1}
    assert "ValueError: no region" in caplog.text


def test_what_reading_a_source_took_is_shown() -> None:
    reader = Reader(took=2)
    families = {family.name: family for family in FiguresCollector([reader.source], reader.clock, 60).collect()}
    (sample,) = families[metrics.COLLECT_SECONDS.name].samples
    assert (sample.labels, sample.value) == ({"source": "iota_store_up"}, 2)


def store_of(file: Path) -> dict[str, float]:
    source = from_store(f"sqlite:///{file}", CONFIGURED)
    return shown(FiguresCollector([source], first_seconds=60))


def test_a_store_that_does_not_answer_is_shown_as_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert store_of(tmp_path / "file" / "iota.db") == {"iota_store_up": 0}


def test_a_scrape_makes_no_store(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert store_of(tmp_path / "iota.db") == {"iota_store_up": 0}
    assert list(tmp_path.iterdir()) == []
    assert "there is no store" in caplog.text


@pytest.mark.parametrize(("revision", "why"), [(None, "is empty"), ("0000", "revision 0000"), ("9999", "newer iota")])
def test_a_scrape_of_another_revision_shows_the_store_as_down_and_leaves_it_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, revision: str | None, why: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "iota.db")) as connection:
        if revision:
            connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
        connection.commit()
        assert store_of(tmp_path / "iota.db") == {"iota_store_up": 0}
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    assert tables == ["alembic_version"] * bool(revision)
    assert why in caplog.text


def test_moments_beyond_the_bound_are_one_which_is_the_latest() -> None:
    name = metrics.LAST_EVENT.name
    totals = [Total(name, (f"i{number}",), 100.0 - number, NOW + number * SHORT) for number in range(4)]
    assert bounded(totals, 1) == {(name, ("i0",)): 100.0, (name, ("other",)): 99.0}


def test_figures_of_another_version_are_carried_along_when_a_batch_is_done_again(store: Database) -> None:
    renamed = ("iota_of_yesterday_total", ("a",))
    write(store, "one", counted(EVENTS, LOG_TYPE, "kept", value=5))
    with store.begin() as connection:
        before = figures.decoded(connection.execute(sa.select(batch_figures.c.figures)).scalar_one())
        data = zlib.compress(json.dumps([[*renamed, 7], *([*key, value] for key, value in before.items())]).encode())
        connection.execute(sa.update(batch_figures).values(figures=data))
    write(store, "one", counted(EVENTS, LOG_TYPE, "kept", value=8))
    with store.read() as connection:
        after = figures.decoded(connection.execute(sa.select(batch_figures.c.figures)).scalar_one())
    assert after == {renamed: 7, (EVENTS, (LOG_TYPE, "kept")): 8}
    assert totals(store) == {(EVENTS, (LOG_TYPE, "kept")): 8}


Cause = sqlite3.OperationalError("no")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (sa.exc.OperationalError("", None, Cause), "outage"),
        (sa.exc.InterfaceError("", None, Cause), "outage"),
        (sa.exc.TimeoutError(), "outage"),
        (sa.exc.ProgrammingError("", None, Cause, connection_invalidated=True), "outage"),
        (sa.exc.ProgrammingError("", None, Cause), "error"),
        (ValueError(), "ok"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_operations_fail_by_the_store_or_by_a_mistake(error: Exception, status: str) -> None:
    operations = Operations()
    with pytest.raises(type(error)), operations.timed("read"):
        raise error
    assert list(operations.take()) == [("read", status)]


# ── what the store holds ──


def add_object(store: Database, number: int, **values: object) -> None:
    row = {
        "bucket": "logs", "key": str(number), "etag": "", "integration": "inbox", "status": "done",
        "delivery_hour": 0, "registered_at": NOW, "last_modified": NOW - number * SHORT,
    }  # fmt: skip
    with store.begin() as connection:
        connection.execute(sa.insert(log_objects).values(**row | values))


def test_the_newest_object_is_a_log_that_could_be_read_of_a_configured_integration(
    store: Database, store_url: str
) -> None:
    add_object(store, 9)
    add_object(store, 5, status="pending")
    add_object(store, 4, kind="digest")
    add_object(store, 3, status="refused")
    add_object(store, 2, integration="unknown")
    found = scraped(store_url, replace(CONFIGURED, integrations=["inbox", "silent"]))
    last = {labels: value for (name, labels), value in found.items() if name == metrics.LAST_OBJECT.name}
    assert last == {(("integration", "inbox"),): (NOW - 5 * SHORT).timestamp(), (("integration", "silent"),): 0}


def test_a_log_of_unknown_delivery_counts_from_its_registration(store: Database, store_url: str) -> None:
    add_object(store, 1, last_modified=None)
    found = scraped(store_url)
    assert found[metrics.LAST_OBJECT.name, (("integration", "inbox"),)] == NOW.timestamp()


def test_what_can_be_named_is_nought_before_it_happens(store: Database, store_url: str) -> None:
    found = scraped(store_url)
    assert found["iota_deliveries", (("destination", "alerts_file"), ("status", "failed"))] == 0
    assert found["iota_deliveries_sent_total", (("destination", "alerts_file"),)] == 0
    assert found["iota_objects", (("integration", "inbox"), ("status", "refused"))] == 0
    assert found["iota_store_operations_total", (("operation", "write"), ("status", "outage"))] == 0
    assert {name for name, _ in store.operations.take()} <= set(OPERATIONS)


def deliver(store: Database, number: int, status: str, created: float, sent: float | None = None) -> None:
    row = {"id": str(number), "alert_id": str(number), "destination": "alerts_file", "status": status}
    moments = {"created_at": NOW - created * SHORT, "next_attempt_at": NOW, "sent_at": sent and NOW - sent * SHORT}
    with store.begin() as connection:
        connection.execute(sa.insert(deliveries).values(**row, **moments))


def test_what_was_given_up_of_a_destination_that_was_removed_is_counted_and_is_no_failure(
    store: Database, store_url: str
) -> None:
    deliver(store, 1, "failed", 90)
    deliver(store, 2, "pending", 90)
    without = Configured([], ["pager"], 1000)
    counts = [
        {labels: value for (name, labels), value in scraped(store_url, configured).items() if name == "iota_deliveries"}
        for configured in (CONFIGURED, without)
    ]
    here = ("destination", "alerts_file")
    assert (counts[0][here, ("status", "failed")], (here, ("status", "unconfigured")) in counts[0]) == (1, False)
    assert (counts[1][here, ("status", "unconfigured")], (here, ("status", "failed")) in counts[1]) == (1, False)
    assert counts[1][here, ("status", "pending")] == 1
    with store.read() as connection:
        found = [summaries.outbox(connection, names) for names in (["alerts_file"], ["pager"])]
    assert found == [
        {"waiting": 1, "failed": 1, "unconfigured": 0},
        {"waiting": 1, "failed": 0, "unconfigured": 1},
    ]


def test_deliveries_are_counted_and_timed(store: Database, store_url: str) -> None:
    deliver(store, 1, "sent", 100, 99.5)
    deliver(store, 2, "sent", 100, 92)
    deliver(store, 3, "sent", 100, 101)  # by another clock
    deliver(store, 4, "sent", 200_000, 10)
    deliver(store, 5, "pending", 50)
    deliver(store, 6, "sending", 70)
    deliver(store, 7, "failed", 90)
    found, stage = scraped(store_url), ("stage", "alert_to_sent")
    buckets = {le: found["iota_lag_seconds_bucket", (("le", le), stage)] for le in ("1.0", "10.0", "86400.0", "+Inf")}
    assert buckets == {"1.0": 2, "10.0": 3, "86400.0": 3, "+Inf": 4}
    assert found["iota_lag_seconds_sum", (stage,)] == pytest.approx(0.5 + 8 + 199_990)
    assert found["iota_deliveries_sent_total", (("destination", "alerts_file"),)] == 4
    assert found[metrics.OLDEST_DELIVERY.name, (("destination", "alerts_file"),)] == (NOW - 70 * SHORT).timestamp()


def test_dropped_items_of_the_quarantine_are_not_shown(store: Database, store_url: str) -> None:
    row = {"reason": "unclassified", "detail": "", "sample": b"", "created_at": NOW}
    with store.begin() as connection:
        for dropped in (None, None, NOW):
            connection.execute(sa.insert(quarantine).values(**row, dropped_at=dropped))
    assert scraped(store_url)["iota_quarantine_items", (("reason", "unclassified"),)] == 2


# ── over the whole road ──


def logs() -> dict[str, list[dict[str, object]]]:
    return {
        "a.json.gz": [record("1", minute=1), record("2", minute=2), sign_in("3", "203.0.113.9", minute=3)],
        "b.json.gz": [record("1", minute=1), record("2", minute=2, userAgent="other"), UNKNOWN],
    }


def test_an_ingest_shows_its_figures(world: World) -> None:
    with world.opened(NOW) as platform:
        world.deliver(platform, logs(), TEN)
        drive(platform, "run")
        shown = scraped(world.store_url)

    def value(name: str, **labels: str) -> float:
        return shown[name, tuple(sorted(labels.items()))]

    assert value("iota_events_total", log_type=LOG_TYPE, status="kept") == 3
    assert value("iota_events_total", log_type=LOG_TYPE, status="duplicate") == 1
    assert value("iota_events_total", log_type=LOG_TYPE, status="conflicting") == 1
    assert value("iota_quarantined_total", reason="unclassified") == 1
    assert value("iota_objects_processed_total", integration="inbox", status="done") == 2
    assert value("iota_objects", integration="inbox", status="done") == 2
    assert value("iota_lake_rows_written_total", table="cloudtrail_events") == 3
    assert value("iota_lake_partitions", table="cloudtrail_events") == 1
    assert value("iota_rule_results_total", rule="Test.SignIn", result="matched") == 1
    assert value("iota_rule_evaluations_total", rule="Test.SignIn") >= 1
    assert value("iota_rule_seconds_total", rule="Test.SignIn") > 0
    assert value("iota_alerts_total", rule="Test.SignIn", severity="HIGH") == 1
    assert value("iota_deliveries_sent_total", destination="alerts_file") == 1
    assert value("iota_lag_seconds_count", stage="event_to_delivered") == 3
    assert value("iota_lag_seconds_count", stage="received_to_committed") == 2
    assert value("iota_lag_seconds_count", stage="committed_to_alert") == 1
    assert value("iota_lag_seconds_count", stage="alert_to_sent") == 1
    assert value("iota_lag_seconds_sum", stage="event_to_alert") == (NOW - _three_past_ten()).total_seconds()
    assert value("iota_last_event_timestamp_seconds", integration="inbox") == _three_past_ten().timestamp()
    assert {value("iota_step_seconds_count", step=step.value) for step in Step} == {1}
    assert value("iota_store_operations_total", operation="write", status="ok") > 3
    assert value("iota_store_up") == 1


def _three_past_ten() -> datetime:
    return datetime(2026, 11, 22, 10, 3, tzinfo=UTC)


def test_doing_an_hour_again_changes_no_counter(world: World) -> None:
    with world.opened(NOW) as platform:
        world.deliver(platform, logs(), TEN)
        drive(platform, "run")
        before = totals(platform.database)
        drive(platform, "again", again=True, hours=[TEN])
        run_once(platform.road, "once more", [TEN])
        after = totals(platform.database)
    assert _of_batches(after) == _of_batches(before)


def _of_batches(found: dict[tuple[str, tuple[str, ...]], float]) -> dict[tuple[str, tuple[str, ...]], float]:
    """Without what is measured each time, and what is counted for each run."""
    measured = {metrics.STORE_OPERATIONS, metrics.STORE_SECONDS, metrics.RULE_SECONDS, metrics.LAKE_BYTES}
    return {key: value for key, value in found.items() if family_of(key[0]) not in measured}


def test_every_sample_of_an_ingest_is_of_a_family_with_these_labels(world: World) -> None:
    with world.opened() as platform:
        world.deliver(platform, logs(), TEN)
        drive(platform, "run")
        shown = scraped(world.store_url)
    assert shown
    for name, labels in shown:
        family = family_of(name)
        assert family, name
        assert {label for label, _ in labels} - {"le"} == set(family.labels)


def test_families_follow_the_conventions_of_prometheus() -> None:
    assert len({family.name for family in FAMILIES}) == len(FAMILIES) > 30
    for family in FAMILIES:
        assert family.name.startswith("iota_")
        assert family.name.endswith("_total") == (family.kind is Kind.COUNTER)
        assert bool(family.buckets) == (family.kind is Kind.HISTOGRAM)
        assert family.help.endswith(".")


def test_the_page_of_the_metrics_is_current() -> None:
    page = (ROOT / "docs/metrics.md").read_text(encoding="utf-8")
    assert page == metrics_page(), "run `make docs`"


def test_a_run_pays_nothing_for_the_server() -> None:
    code = "import sys, iota_dagster.platform; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"prometheus_client", "starlette", "uvicorn"} & set(loaded)
