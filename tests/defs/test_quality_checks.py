"""The quality of the lake in Dagster: each kind of damage turns its own check and no other, and people are told."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import register_objects
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.lake.compaction import compact
from iota_dagster.core.lake.expiry import bring_back
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.local_objects import SCHEME
from iota_dagster.core.quality.resting import LONGEST_WAIT, REST
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.schema import batches, lake_files, log_objects
from iota_dagster.defs.assets import ASSETS
from iota_dagster.defs.checks.quality import QUALITY_CHECKS, SPECS, account_results, table_results
from iota_dagster.defs.quality_job import QUALITY_SCHEDULE, quality
from iota_dagster.defs.resources import resources
from iota_dagster.platform import Platform, open_platform
from iota_dagster.quality.great import DOCS, GreatExpectations
from iota_dagster.quality.look import look_at_accounts, look_at_tables
from iota_dagster.settings import load_settings
from tests.road.world import content, drive, record, sign_in

TABLE = "cloudtrail_events"
LEDGER, COLUMNS, EVENTS = "rows_as_ledgered", "columns_as_declared", "rows_well_formed"
RECORDS, ROWS = "records_accounted", "rows_in_lake"
HOUR = hour_of(datetime.now(UTC)) - 3
defs = dg.Definitions(
    assets=ASSETS,
    asset_checks=QUALITY_CHECKS,
    jobs=[quality],
    schedules=[QUALITY_SCHEDULE],
    resources=resources(),
    executor=dg.in_process_executor,
)
Found = dict[str, tuple[bool, dict[str, Any]]]


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is read as the integration `inbox`, with two log objects on their way into the lake."""
    folder = tmp_path / "inbox"
    folder.mkdir()
    (tmp_path / "rules").mkdir()
    monkeypatch.setenv("IOTA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("IOTA_RULES", json.dumps([str(tmp_path / "rules")]))
    monkeypatch.setenv("IOTA_PROCESS_WORKERS", "1")
    monkeypatch.setenv("IOTA_INTEGRATIONS", json.dumps([{"name": "inbox", "path": str(folder)}]))
    deliver(folder, "a", [record("a-1", HOUR), record("a-2", HOUR), record("a-3", HOUR, 40)])
    deliver(folder, "b", [record("b-1", HOUR), record("b-1", HOUR), sign_in("b-2", "203.0.113.9", HOUR)])
    return folder


def deliver(folder: Path, name: str, records: list[dict[str, Any]]) -> None:
    """Write a log object, in a batch of its own."""
    moment = hour_start(HOUR) + timedelta(minutes=10)
    place = "111122223333_CloudTrail_us-east-1"
    path = folder / f"AWSLogs/111122223333/CloudTrail/us-east-1/{place}_{moment:%Y%m%dT%H%M}Z_{name}.json.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content(records))
    with opened() as platform:
        register_objects(platform.database, platform.objects.list(f"{SCHEME}{folder}", ""), "inbox")
        drive(platform, f"run-{name}")
    published(timedelta(hours=1))


def published(ago: timedelta) -> None:
    """Let all batches have been published some time ago."""
    moment = datetime.now(UTC) - ago
    with opened() as platform, platform.database.begin() as connection:
        connection.execute(sa.update(batches).values(lake_at=moment, alerts_at=moment))


def redo(reason: str | None, blocked: str | None = None) -> None:
    """Let all batches wait to be done again, or no longer."""
    with opened() as platform, platform.database.begin() as connection:
        connection.execute(sa.update(batches).values(redo_reason=reason, redo_blocked=blocked))


@contextmanager
def opened() -> Iterator[Platform]:
    platform = open_platform(load_settings())
    try:
        yield platform
    finally:
        platform.database.dispose()


def look() -> Found:
    """Every check after a look: whether it passed, and its figures; as a run shows them, without a run."""
    with opened() as platform:
        engine = GreatExpectations(platform.state, platform.settings.scratch)
        tables = look_at_tables(platform, engine, lake_tables(), datetime.now(UTC))
        accounts = look_at_accounts(platform, datetime.now(UTC))
        platform.road.deliver()
    return shown([*table_results(tables, [spec.key for spec in SPECS]), *account_results(accounts)])


def run() -> Found:
    """The same by a run of the job."""
    with dg.DagsterInstance.ephemeral() as instance:
        result = defs.resolve_job_def("quality").execute_in_process(instance=instance)
    return shown(result.get_asset_check_evaluations())


def shown(results: Iterable[dg.AssetCheckResult] | Iterable[dg.AssetCheckEvaluation]) -> Found:
    found: Found = {}
    for item in results:
        assert item.asset_key is not None
        figures = {name: getattr(value, "value", value) for name, value in item.metadata.items()}
        found[f"{item.asset_key.to_user_string()}.{item.check_name}"] = item.passed, figures
    return found


def failed(found: Found) -> set[str]:
    return {name for name, (passed, _) in found.items() if not passed}


def samples(found: Found, check: str, table: str = "samples") -> list[dict[str, Any]]:
    return [dict(row.data) for row in found[check][1][table].records]


def alerts() -> dict[str, str]:
    with opened() as platform, platform.database.read() as connection:
        return {alert.rule_id: alert.status for alert in list_alerts(connection)}


def lake_file(hour: Hour = HOUR, name: int = 0) -> Path:
    """One of the hour's files, all of which lie in the folder of the lake."""
    with opened() as platform, platform.database.read() as connection:
        c = lake_files.c
        query = sa.select(c.path).where(c.table_name == TABLE, c.hour == hour).order_by(c.source)
        paths = list(connection.execute(query).scalars())
        found = platform.lake.local_path(paths[name])
    assert found is not None
    return found


def rewrite(path: Path, table: pa.Table, *, published: bool = True) -> None:
    """Put another file in the place of one of the lake's: `published` by a fault of ours, or by somebody else."""
    path.unlink()
    pq.write_table(table, path)
    if published:
        values = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "bytes": path.stat().st_size}
        with opened() as platform, platform.database.begin() as connection:
            connection.execute(sa.update(lake_files).where(lake_files.c.path.endswith(path.name)).values(**values))


def ledger(**values: Any) -> None:
    """Change what the ledger says of the first object."""
    with opened() as platform, platform.database.begin() as connection:
        first = sa.select(sa.func.min(log_objects.c.id)).scalar_subquery()
        connection.execute(sa.update(log_objects).where(log_objects.c.id == first).values(**values))


def test_a_healthy_lake_passes_every_check_and_nobody_is_told(inbox: Path) -> None:
    found = run()
    tables = {f"{TABLE}.{check}" for check in (LEDGER, COLUMNS, EVENTS)}
    assert found.keys() == {*tables, f"events.{RECORDS}", f"lake.{ROWS}"}
    assert failed(found) == set()
    figures = found[f"{TABLE}.{EVENTS}"][1]
    assert (figures["hours"], figures["rows"], figures["rows_examined"], figures["hours_waiting"]) == (1, 5, 5, 0)
    totals = found[f"events.{RECORDS}"][1]
    assert [totals[name] for name in ("objects", "records", "rows", "duplicates")] == [2, 6, 5, 1]
    assert alerts() == {}
    page = Path(figures["data_docs"])
    assert page.is_file()
    assert TABLE in page.read_text()


def test_an_hour_is_looked_at_again_only_when_it_has_changed(inbox: Path) -> None:
    look()
    assert look().keys() == {f"events.{RECORDS}", f"lake.{ROWS}"}
    with opened() as platform:
        compact(platform.road.lake, TABLE, HOUR, lake_tables()[TABLE])
    found = look()
    assert f"{TABLE}.{LEDGER}" in found
    assert failed(found) == set()


def test_missing_rows_fail_the_ledgers_check_with_file_and_batch_and_the_accounting_by_object(inbox: Path) -> None:
    path = lake_file()
    whole = pq.read_table(path)
    rewrite(path, whole.slice(1))
    found = look()
    assert failed(found) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}"}
    subjects = {row["subject"]: row["value"] for row in samples(found, f"{TABLE}.{LEDGER}")}
    batch = whole["p_batch"][0].as_py()
    assert subjects == {
        next(name for name in subjects if name.endswith(path.name)): f"{len(whole)}, {len(whole) - 1}",
        batch: f"{len(whole)}, {len(whole) - 1}",
    }
    (astray,) = samples(found, f"lake.{ROWS}", "astray")
    assert astray["object"].endswith(whole["p_source_key"][0].as_py())
    assert (astray["ledger"], astray["lake"]) == (len(whole), len(whole) - 1)
    assert alerts() == {"iota.LakeQuality": "open", "iota.Accounting": "open"}


def test_a_file_that_somebody_else_wrote_fails_the_ledgers_check_even_with_the_same_rows(inbox: Path) -> None:
    path = lake_file()
    size, rows = path.stat().st_size, pq.read_table(path)
    rewrite(path, rows, published=False)
    found = look()
    assert failed(found) == {f"{TABLE}.{LEDGER}"}
    values = {Path(row["subject"]).suffix: row["value"] for row in samples(found, f"{TABLE}.{LEDGER}")}
    assert values == {
        ".parquet": f"whole, damaged: {path.stat().st_size} bytes of {size}, with another hash",
        "": f"{len(rows)}, 0",  # the batch's rows: those of such a file count for nothing
    }


def test_an_id_that_is_there_twice_in_the_hour_fails_the_rows_check_even_over_two_files(inbox: Path) -> None:
    first, second = lake_file(name=0), lake_file(name=1)
    taken = pq.read_table(first)["p_event_id"][0]
    rows = pq.read_table(second)
    ids = pa.chunked_array([[taken.as_py(), *rows["p_event_id"].to_pylist()[1:]]])
    rewrite(second, rows.set_column(rows.column_names.index("p_event_id"), rows.schema.field("p_event_id"), ids))
    found = look()
    assert failed(found) == {f"{TABLE}.{EVENTS}"}
    assert [row["subject"] for row in samples(found, f"{TABLE}.{EVENTS}")] == [taken.as_py()] * 2
    assert found[f"{TABLE}.{EVENTS}"][1]["failures"].records[0].data["values"] == 2


def test_a_row_of_another_hour_fails_the_rows_check_and_a_flagged_one_does_not(inbox: Path) -> None:
    path = lake_file()
    rows = pq.read_table(path)
    later = pc.add(rows["p_event_time"], pa.scalar(timedelta(hours=1)))
    moved = rows.set_column(rows.column_names.index("p_event_time"), rows.schema.field("p_event_time"), later)
    flags = pa.chunked_array([["absurd", *[None] * (len(rows) - 1)]], pa.string())
    place = rows.column_names.index("p_event_time_flag")
    rewrite(path, moved.set_column(place, rows.schema.field("p_event_time_flag"), flags))
    found = look()
    assert failed(found) == {f"{TABLE}.{EVENTS}"}
    subjects = [row["subject"] for row in samples(found, f"{TABLE}.{EVENTS}")]
    assert subjects == rows["p_event_id"].to_pylist()[1:]


def test_a_column_of_another_type_fails_the_columns_check_alone(inbox: Path) -> None:
    path = lake_file()
    rows = pq.read_table(path)
    place = rows.column_names.index("p_event_time")
    rewrite(path, rows.set_column(place, "p_event_time", rows["p_event_time"].cast(pa.string())))
    found = look()
    assert failed(found) == {f"{TABLE}.{COLUMNS}"}
    (sample,) = samples(found, f"{TABLE}.{COLUMNS}")
    assert sample["subject"].startswith("p_event_time in ")
    assert sample["value"] == "timestamp[us, tz=UTC], string"


def test_a_truncated_file_fails_the_ledgers_check_and_says_how_much_is_left(inbox: Path) -> None:
    path = lake_file()
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:1000])
    found = look()
    assert failed(found) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}"}
    values = [row["value"] for row in samples(found, f"{TABLE}.{LEDGER}")]
    assert f"whole, damaged: 1000 bytes of {len(data)}, with another hash" in values
    (unread,) = samples(found, f"lake.{ROWS}", "unread")
    assert path.name in unread["file"]


def test_a_null_where_a_value_has_to_be_fails_the_rows_check(inbox: Path) -> None:
    path = lake_file()
    rows = pq.read_table(path)
    place = rows.column_names.index("p_raw")
    rewrite(path, rows.set_column(place, rows.schema.field("p_raw"), pa.nulls(len(rows), pa.string())))
    found = look()
    assert failed(found) == {f"{TABLE}.{EVENTS}"}
    assert [(row["subject"], row["value"]) for row in samples(found, f"{TABLE}.{EVENTS}")] == [
        ("p_raw", f"0, {len(rows)}")
    ]


def test_a_count_in_the_ledger_that_is_wrong_fails_the_accounting(inbox: Path) -> None:
    ledger(records=log_objects.c.records + 1)
    found = look()
    assert failed(found) == {f"events.{RECORDS}"}
    (sample,) = samples(found, f"events.{RECORDS}", "out_of_balance")
    assert (sample["records"], sample["rows"], sample["duplicates"], sample["quarantined"]) == (4, 3, 0, 0)
    assert alerts() == {"iota.Accounting": "open"}


def test_what_is_repaired_in_its_place_passes_and_its_alert_is_withdrawn(inbox: Path) -> None:
    path = lake_file()
    data = path.read_bytes()
    path.unlink()
    ledger(duplicates=1)
    assert failed(look()) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}", f"events.{RECORDS}"}
    sent = (Path(load_settings().home) / "alerts.jsonl").read_text().splitlines()
    assert len(sent) == 2
    assert failed(look()) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}", f"events.{RECORDS}"}  # nothing has changed
    path.write_bytes(data)
    ledger(duplicates=0)
    assert failed(look()) == set()
    assert set(alerts().values()) == {"withdrawn"}
    assert (Path(load_settings().home) / "alerts.jsonl").read_text().splitlines() == sent


def test_a_damaged_file_that_is_moved_away_is_written_anew_when_its_hour_is_done_again(inbox: Path) -> None:
    path = lake_file()
    data = path.read_bytes()
    path.unlink()
    path.write_bytes(data[:-100])
    assert failed(look()) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}"}
    path.unlink()
    with opened() as platform:
        drive(platform, "again", again=True, hours=[HOUR])
    assert failed(look()) == set()
    assert path.read_bytes() == data
    assert set(alerts().values()) == {"withdrawn"}


def test_what_an_attacker_writes_is_shown_as_it_is_and_does_nothing_in_the_pages(inbox: Path) -> None:
    path = lake_file()
    rows = pq.read_table(path)
    name = "<script>alert('$x')</script>"
    ids = pa.chunked_array([[name] * len(rows)])
    rewrite(path, rows.set_column(rows.column_names.index("p_event_id"), rows.schema.field("p_event_id"), ids))
    found = run()
    assert failed(found) == {f"{TABLE}.{EVENTS}"}
    assert {row["subject"] for row in samples(found, f"{TABLE}.{EVENTS}")} == {name}
    folder = Path(found[f"{TABLE}.{EVENTS}"][1]["data_docs"]).parent
    pages = "".join(page.read_text() for page in folder.rglob("*.html"))
    assert "alert(" in pages
    assert "<script>alert(" not in pages


def test_an_hour_that_a_batch_is_about_to_change_waits(inbox: Path) -> None:
    redo("a test")
    assert failed(look()) == set()
    redo(None)
    assert f"{TABLE}.{LEDGER}" in look()


def test_an_hour_whose_batch_could_not_be_done_again_is_looked_at(inbox: Path) -> None:
    redo("a test", blocked="missing: an object")
    found = look()
    assert f"{TABLE}.{LEDGER}" in found
    assert (found[f"lake.{ROWS}"][1]["hours"], failed(found)) == (1, set())


def test_an_hour_that_goes_on_changing_is_looked_at_when_it_rests_or_has_waited_for_long(inbox: Path) -> None:
    published(REST / 2)
    found = look()
    assert found.keys() == {f"events.{RECORDS}", f"lake.{ROWS}"}
    figures = found[f"lake.{ROWS}"][1]
    assert (figures["hours"], figures["hours_waiting"]) == (0, 1)
    with opened() as platform, platform.database.begin() as connection:
        first = sa.update(batches).where(batches.c.id == sa.select(sa.func.min(batches.c.id)).scalar_subquery())
        connection.execute(first.values(lake_at=datetime.now(UTC) - LONGEST_WAIT))
    found = look()
    assert (found[f"{TABLE}.{LEDGER}"][1]["hours"], found[f"lake.{ROWS}"][1]["hours"]) == (1, 1)


def test_an_hour_that_is_known_to_be_wrong_is_looked_at_though_it_goes_on_changing(inbox: Path) -> None:
    path = lake_file()
    data = path.read_bytes()
    path.unlink()
    assert failed(look()) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}"}
    path.write_bytes(data)
    published(timedelta(0))
    assert failed(look()) == set()


def test_an_hour_that_is_known_to_be_wrong_and_not_looked_at_fails_the_checks_that_found_it_and_no_other(
    inbox: Path,
) -> None:
    path = lake_file()
    rows = pq.read_table(path)
    place = rows.column_names.index("p_event_time")
    rewrite(path, rows.set_column(place, "p_event_time", rows["p_event_time"].cast(pa.string())))
    ledger(records=log_objects.c.records + 1)
    wrong = {f"{TABLE}.{COLUMNS}", f"events.{RECORDS}"}
    assert failed(look()) == wrong
    deliver(inbox, "c", [record("c-1", HOUR - 1)])
    redo("a test")
    with opened() as platform, platform.database.begin() as connection:
        newest = sa.select(sa.func.max(log_objects.c.id)).scalar_subquery()
        mine = sa.select(log_objects.c.batch_id).where(log_objects.c.id == newest).scalar_subquery()
        connection.execute(sa.update(batches).where(batches.c.id == mine).values(redo_reason=None))
    found = look()
    assert f"{TABLE}.{LEDGER}" in found
    assert failed(found) == wrong
    assert found[f"{TABLE}.{COLUMNS}"][1]["hours_known_to_be_wrong"] == 1
    assert found[f"{TABLE}.{LEDGER}"][1]["hours_known_to_be_wrong"] == 0
    assert found[f"lake.{ROWS}"][1]["hours_known_to_be_wrong"] == 0


def test_a_table_whose_only_wrong_hour_expires_passes_again(inbox: Path) -> None:
    lake_file().unlink()
    assert failed(look()) == {f"{TABLE}.{LEDGER}", f"lake.{ROWS}"}
    with opened() as platform:
        platform.road.lake.expire_hour(TABLE, HOUR, datetime.now(UTC))
    found = look()
    assert (found[f"{TABLE}.{LEDGER}"][0], found[f"{TABLE}.{LEDGER}"][1]["hours"]) == (True, 0)
    assert failed(found) == set()
    assert set(alerts().values()) == {"withdrawn"}


def test_hours_whose_log_objects_are_gone_fail_nothing_when_they_are_wanted_back(inbox: Path) -> None:
    now = datetime.now(UTC)
    with opened() as platform:
        platform.road.lake.expire_hour(TABLE, HOUR, now)
        for path in inbox.rglob("*.gz"):
            path.unlink()
        bring_back(platform.road.lake, TABLE, [HOUR], now)
        drive(platform, "back")
    found = look()
    assert (failed(found), alerts()) == (set(), {})
    assert found[f"{TABLE}.{LEDGER}"][1]["batches_not_brought_back"] == 2
    assert found[f"lake.{ROWS}"][1]["batches_not_brought_back"] == 2


def test_hours_that_wait_are_counted_by_table(inbox: Path) -> None:
    published(REST / 2)
    with opened() as platform:
        engine = GreatExpectations(platform.state, platform.settings.scratch)
        tables = look_at_tables(platform, engine, lake_tables(), datetime.now(UTC))
    names = (TABLE, "alert_matches")
    looked = replace(tables, looked=frozenset((name, HOUR - 1) for name in names))
    found = shown(table_results(looked, [spec.key for spec in SPECS]))
    assert [found[f"{name}.{LEDGER}"][1]["hours_waiting"] for name in names] == [1, 0]


def test_pages_that_cannot_be_written_take_no_result_away(inbox: Path) -> None:
    with opened() as platform:
        place = platform.state.local_path(DOCS)
    assert place is not None
    place.parent.mkdir(parents=True)
    place.write_text("in the way")
    found = run()
    assert found.keys() == {
        *(f"{TABLE}.{check}" for check in (LEDGER, COLUMNS, EVENTS)),
        f"events.{RECORDS}",
        f"lake.{ROWS}",
    }
    assert failed(found) == set()
    assert found[f"{TABLE}.{LEDGER}"][1]["data_docs_not_written"]
    assert "data_docs" not in found[f"{TABLE}.{LEDGER}"][1]
