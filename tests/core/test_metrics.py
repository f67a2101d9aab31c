"""The figures of batches: written with their transactions, summed up, and shown to Prometheus."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from iota_dagster.core import metrics
from iota_dagster.core.exposition import FiguresCollector, Samples, bounded, exposed, from_store
from iota_dagster.core.figures import Figures, Step
from iota_dagster.core.metrics import FAMILIES, Kind, family_of, metrics_page
from iota_dagster.core.store import figures
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.figures import Total, merged
from tests.road.world import LOG_TYPE, NOW, TEN, UNKNOWN, World, drive, record, run_once, sign_in

ROOT = Path(__file__).parent.parent.parent
EVENTS = metrics.EVENTS.name
SHORT = timedelta(seconds=1)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    database = Database(store_url)
    database.migrate()
    yield database
    database.dispose()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db")


def counted(name: str, *labels: str, value: float = 1) -> Figures:
    family = family_of(name)
    assert family
    found = Figures()
    found.add(family, *labels, value=value)
    return found


def write(database: Database, batch: str, found: Figures, now: datetime = NOW) -> None:
    with database.begin() as connection:
        figures.record(connection, batch, Step.EVENTS, found, now)


def totals(database: Database) -> dict[tuple[str, tuple[str, ...]], float]:
    with database.read() as connection:
        return {(total.name, total.labels): total.value for total in figures.totals(connection)}


def scraped(source_of: Database) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What Prometheus would read, by its own parser."""
    registry = CollectorRegistry()
    registry.register(FiguresCollector([from_store(source_of, 1000, lambda: NOW)]))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_same_figures_again_add_nothing(database: Database) -> None:
    for _ in range(3):
        write(database, "one", counted(EVENTS, LOG_TYPE, "kept", value=5))
    write(database, "two", counted(EVENTS, LOG_TYPE, "kept", value=2))
    assert totals(database) == {(EVENTS, (LOG_TYPE, "kept")): 7}


def test_a_revision_adds_only_what_it_has_more(database: Database) -> None:
    for value, expected in ((5, 5), (3, 5), (8, 8), (8, 8)):
        write(database, "one", counted(EVENTS, LOG_TYPE, "kept", value=value))
        assert totals(database) == {(EVENTS, (LOG_TYPE, "kept")): expected}


def test_durations_are_those_of_the_first_time(database: Database) -> None:
    for seconds in (0.3, 70.0):
        found = Figures()
        found.observe(metrics.STEP_SECONDS, "events", seconds=[seconds])
        write(database, "one", found)
    assert totals(database) == {
        ("iota_step_seconds_bucket", ("events", "0.5")): 1,
        ("iota_step_seconds_sum", ("events",)): 0.3,
    }


def test_a_moment_is_the_latest_of_all_batches(database: Database) -> None:
    for batch, value in (("one", 50.0), ("two", 90.0), ("three", 10.0)):
        found = Figures()
        found.latest(metrics.LAST_EVENT, "trail", value=value)
        write(database, batch, found)
    assert totals(database) == {(metrics.LAST_EVENT.name, ("trail",)): 90.0}


def test_figures_of_a_transaction_that_is_undone_do_not_count(database: Database) -> None:
    def die() -> None:
        with database.begin() as connection:
            figures.record(connection, "one", Step.EVENTS, counted(EVENTS, LOG_TYPE, "kept"), NOW)
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError):
        die()
    assert totals(database) == {}


Revisions = st.lists(st.dictionaries(st.sampled_from(["kept", "duplicate"]), st.integers(0, 9)), max_size=5)


@given(Revisions)
def test_what_is_merged_never_becomes_less_and_ends_the_same_when_repeated(revisions: list[dict[str, int]]) -> None:
    known: dict[tuple[str, tuple[str, ...]], float] = {}
    for revision in revisions:
        new = {(EVENTS, (LOG_TYPE, status)): float(value) for status, value in revision.items()}
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


def test_an_answer_is_kept_for_a_while_and_the_longer_the_longer_it_took() -> None:
    now, asked = 0.0, 0

    def source() -> Samples:
        nonlocal now, asked
        now, asked = now + 2, asked + 1
        return {(metrics.STORE_UP.name, ()): asked}

    collector = FiguresCollector([source], clock=lambda: now)
    for moment, expected in ((0.0, 1), (41.0, 1), (43.0, 2)):
        now = max(now, moment)
        assert {metric.name: metric.samples[0].value for metric in collector.collect()}["iota_store_up"] == expected


def test_a_source_that_fails_hides_no_other(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Samples:
        raise ValueError("no region")

    names = {metric.name for metric in FiguresCollector([broken, lambda: {("iota_queue_up", ()): 1}]).collect()}
    assert names == {"iota_queue_up", "iota_collect_seconds"}
    assert "no region" in caplog.text


def test_a_store_that_does_not_answer_is_shown_as_down(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert from_store(Database(f"sqlite:///{tmp_path}/file/iota.db"), 1000)() == {("iota_store_up", ()): 0}


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
        shown = scraped(platform.database)

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
        shown = scraped(platform.database)
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
    assert page == metrics_page(), "run `make docs`, or python -m iota_dagster.core.metrics > docs/metrics.md"


def test_a_run_pays_nothing_for_the_server() -> None:
    code = "import sys, iota_dagster.platform; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"prometheus_client", "starlette", "uvicorn"} & set(loaded)
