"""SQL over the lake: what it sees, what it opens, what it may not do and how it says so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from iota_dagster.core.aws.clients import ClientFactory
from iota_dagster.core.errors import LakeFileDamaged, Outage
from iota_dagster.core.hours import Hour, hour_folder, hour_of, hour_start
from iota_dagster.core.lake import store_table
from iota_dagster.core.lake.parquet import open_writer
from iota_dagster.core.lake.query import QueryError, QueryLimits, query
from iota_dagster.core.storage import open_storage
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alerts, lake_files, metadata
from tests.aws import Aws, s3_error
from tests.damage import flip

SCHEMA = pa.schema(
    [
        ("eventName", pa.string()),
        ("eventSource", pa.dictionary(pa.int32(), pa.string())),
        ("p_event_time", pa.timestamp("us", tz="UTC")),
        ("p_any_ip_addresses", pa.list_(pa.string())),
        ("requestParameters", pa.string()),
    ]
)
HOUR = hour_of(datetime(2025, 3, 1, 9, tzinfo=UTC))


@dataclass(frozen=True)
class Lake:
    """A store and a lake folder with the files that a test puts there."""

    database: Database
    folder: Path

    def file(self, hour: Hour, *names: str, table: str = "cloudtrail_events", source: str = "b1") -> Path:
        """A file of one row per event name."""
        path = self.row(hour, table, source)
        path.parent.mkdir(parents=True)
        rows = [{"eventName": name, "eventSource": "s3", "p_event_time": hour_start(hour)} for name in names]
        with open_writer(path, SCHEMA) as writer:
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA))
        return path

    def row(self, hour: Hour, table: str = "cloudtrail_events", source: str = "b1") -> Path:
        """What the store says of a file, without the file."""
        path = f"{table}/{hour_folder(hour)}/g=0/{source}.parquet"
        values = {"table_name": table, "hour": hour, "source": source, "generation": 0, "path": path}
        with self.database.begin() as connection:
            connection.execute(lake_files.insert(), {**values, "rows": 1, "bytes": 1, "sha256": ""})
        return self.folder / path

    def ask(self, sql: str, parameters: dict[str, datetime] | None = None, **limits: Any) -> list[dict[str, Any]]:
        storage = open_storage(str(self.folder), ClientFactory())
        schemas = {"cloudtrail_events": SCHEMA}
        found = query(self.database, storage, sql, schemas=schemas, limits=QueryLimits(**limits), parameters=parameters)
        answer: list[dict[str, Any]] = found.to_pylist()
        return answer


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    database = Database(f"sqlite:///{tmp_path / 'store.db'}")
    with database.begin() as connection:
        metadata.create_all(connection)
    (tmp_path / "lake").mkdir()
    yield Lake(database, tmp_path / "lake")
    database.dispose()


def test_the_calls_of_a_day_are_counted_by_name(lake: Lake) -> None:
    lake.file(HOUR, "GetObject", "GetObject", "PutObject")
    lake.file(HOUR + 1, "GetObject")
    lake.file(HOUR + 24, "GetObject")
    assert lake.ask(
        "SELECT eventName, COUNT(*) FROM cloudtrail_events WHERE year='2025' AND month='03' AND day='01' "
        "GROUP BY eventName ORDER BY 2 DESC"
    ) == [{"eventName": "GetObject", "count_star()": 3}, {"eventName": "PutObject", "count_star()": 1}]


def test_a_row_says_its_hour_as_text(lake: Lake) -> None:
    lake.file(HOUR, "A")
    answer = lake.ask("SELECT year, month, day, hour FROM cloudtrail_events")
    assert answer == [{"year": "2025", "month": "03", "day": "01", "hour": "09"}]


@pytest.mark.parametrize(
    "condition",
    [
        "year = '2025' AND month = '03' AND day = '01' AND hour = '09'",
        "year = '2025' AND month = '03' AND day = '01' AND hour IN ('09', '13')",
        "year = '2025' AND month = '03' AND day = '01' AND hour BETWEEN '08' AND '09'",
        "year = '2025' AND month = '03' AND day = '01' AND (hour = '09' OR hour = '23')",
        "year = '2025' AND day <= '01' AND hour < '10'",
        "day = '01' AND hour = '09' AND eventName LIKE 'A%' AND eventSource = 's3'",
        "day = '01' AND hour = '09' AND p_event_time >= TIMESTAMPTZ '2025-03-01 09:00:00Z'",
        "day = '01' AND hour = '09' AND p_event_time > '2025-03-01T08:59:59Z'",
    ],
)
def test_files_of_other_hours_are_not_opened(lake: Lake, condition: str) -> None:
    lake.file(HOUR, "A")
    for hour in (HOUR + 1, HOUR + 24, HOUR + 24 * 367):
        lake.row(hour)  # opening it would fail
    assert lake.ask(f"SELECT eventName FROM cloudtrail_events WHERE {condition}") == [{"eventName": "A"}]


def test_a_parameter_is_a_value_that_files_are_chosen_by(lake: Lake) -> None:
    lake.file(HOUR, "A")
    for hour in (HOUR + 1, HOUR + 24):
        lake.row(hour)  # opening it would fail
    sql = "SELECT eventName FROM cloudtrail_events WHERE day = strftime($at, '%d') AND hour IN (strftime($AT, '%H'))"
    parameters = {"at": datetime(2025, 3, 1, 9, 30, tzinfo=UTC), "not_asked_for": datetime(2025, 3, 2, tzinfo=UTC)}
    assert lake.ask(sql, parameters) == [{"eventName": "A"}]
    assert lake.ask("SELECT 1 AS one", parameters) == [{"one": 1}]
    with pytest.raises(QueryError, match=r"^\$at has no value; there are: no parameters here, only in scheduled quer"):
        lake.ask(sql)
    with pytest.raises(QueryError, match=r"^\$1 has no value; there are: \$at, \$not_asked_for$"):
        lake.ask("SELECT ?", parameters)


def test_ten_thousand_files_are_pruned_in_a_moment(lake: Lake) -> None:
    rows = [
        {"hour": hour, "source": "b", "path": f"cloudtrail_events/{hour_folder(hour)}/g=0/b.parquet"}
        for hour in range(HOUR + 1, HOUR + 10_001)
    ]
    same = {"table_name": "cloudtrail_events", "generation": 0, "rows": 1, "bytes": 1, "sha256": ""}
    with lake.database.begin() as connection:
        connection.execute(lake_files.insert(), [same | row for row in rows])
    lake.file(HOUR, "A")
    condition = "year = '2025' AND month = '03' AND day = '01' AND hour = '09'"
    assert lake.ask(f"SELECT eventName FROM cloudtrail_events WHERE {condition}", seconds=20) == [{"eventName": "A"}]


def test_only_the_files_that_the_store_names_are_read(lake: Lake) -> None:
    path = lake.file(HOUR, "A")
    (path.parent / "orphan.parquet").write_bytes(path.read_bytes())
    assert lake.ask("SELECT COUNT(*) AS n FROM cloudtrail_events") == [{"n": 1}]


def test_a_table_without_files_answers_with_no_rows(lake: Lake) -> None:
    assert lake.ask("SELECT eventName, hour FROM cloudtrail_events") == []
    assert lake.ask("SELECT COUNT(*) AS n FROM cloudtrail_events WHERE year = '2025'") == [{"n": 0}]


def test_a_column_that_an_old_file_lacks_is_null(lake: Lake) -> None:
    path = lake.file(HOUR, "A")
    pq.write_table(pa.table({"eventName": ["A"]}), path)
    answer = lake.ask("SELECT eventName, requestParameters, hour FROM cloudtrail_events")
    assert answer == [{"eventName": "A", "requestParameters": None, "hour": "09"}]


def test_a_table_that_this_version_does_not_know_is_read_by_its_newest_file(lake: Lake) -> None:
    lake.file(HOUR, "A", table="future_events")
    assert lake.ask("SELECT eventName, day FROM future_events") == [{"eventName": "A", "day": "01"}]


def test_every_kind_of_column_comes_out_as_it_went_in(lake: Lake) -> None:
    path = lake.file(HOUR)
    row = {
        "eventName": "é",
        "eventSource": "s3.amazonaws.com",
        "p_event_time": datetime(2025, 3, 1, 9, 0, 0, 123456, tzinfo=UTC),
        "p_any_ip_addresses": ["192.0.2.1", "2001:db8::1"],
        "requestParameters": '{"a": {"b": 1}}',
    }
    pq.write_table(pa.Table.from_pylist([row, {}], schema=SCHEMA), path)
    found = lake.ask("SELECT * EXCLUDE (year, month, day, hour) FROM cloudtrail_events ORDER BY eventName NULLS LAST")
    assert found == [row, dict.fromkeys(row)]
    dug = "SELECT requestParameters->>'$.a.b' AS b, list_contains(p_any_ip_addresses, '192.0.2.1') AS hit "
    assert lake.ask(dug + "FROM cloudtrail_events LIMIT 1") == [{"b": "1", "hit": True}]


def test_times_are_utc_wherever_the_machine_is(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    lake.file(HOUR, "A")
    answer = lake.ask("SELECT strftime(p_event_time, '%H:%M') AS at FROM cloudtrail_events")
    assert answer == [{"at": "09:00"}]


def alert(lake: Lake, number: int = 1, **columns: Any) -> None:
    """Put an alert into the store."""
    start = hour_start(HOUR)
    row = {"id": f"a{number}", "rule_id": "r", "dedup": "d", "log_type": "AWS.CloudTrail", "period_start": start}
    more = {"period_minutes": 60, "severity": "HIGH", "title": "t", "context": {"ip": "192.0.2.1"}, "matches": 2}
    times = {"first_event_time": start, "last_event_time": start + timedelta(minutes=1), "created_at": start}
    with lake.database.begin() as connection:
        connection.execute(alerts.insert(), row | more | times | {"status": "open"} | columns)


def test_alerts_are_a_table_as_they_stand_now(lake: Lake) -> None:
    alert(lake)
    found = lake.ask("SELECT title, matches, period_start, context->>'ip' AS ip FROM alerts WHERE status = 'open'")
    assert found == [{"title": "t", "matches": 2, "period_start": hour_start(HOUR), "ip": "192.0.2.1"}]


def test_all_alerts_are_there_though_they_are_read_in_portions(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_table, "PORTION", 5)
    for number in range(12):
        alert(lake, number, period_start=hour_start(HOUR + number))
    answer = lake.ask("SELECT id FROM Alerts ORDER BY period_start")
    assert [row["id"] for row in answer] == [f"a{number}" for number in range(12)]


def test_alerts_count_towards_the_memory_of_a_query(lake: Lake) -> None:
    for number in range(30):
        alert(lake, number, period_start=hour_start(HOUR + number), title="long" * 250_000)
    assert lake.ask("SELECT count(*) AS n FROM alerts") == [{"n": 30}]
    with pytest.raises(QueryError, match="more memory than it may have"):
        lake.ask("SELECT count(*) AS n FROM alerts", memory="20MB")


def test_a_table_whose_name_is_a_part_of_another_word_is_not_read(lake: Lake) -> None:
    lake.file(HOUR, "A")
    lake.row(HOUR, "trail_events")  # opening it would fail
    for number in range(30):
        alert(lake, number, period_start=hour_start(HOUR + number), title="long" * 250_000)
    sql = "SELECT eventName AS new_alerts FROM cloudtrail_events"
    assert lake.ask(sql, memory="20MB") == [{"new_alerts": "A"}]


def test_tables_can_be_joined(lake: Lake) -> None:
    lake.file(HOUR, "A")
    lake.file(HOUR, "B", table="other_events")
    assert lake.ask("SELECT COUNT(*) AS n FROM cloudtrail_events JOIN other_events USING (hour)") == [{"n": 1}]


def test_what_there_is_can_be_listed(lake: Lake) -> None:
    assert [row["name"] for row in lake.ask("SHOW TABLES")] == ["alerts", "all_logs", "cloudtrail_events"]
    columns = {row["column_name"]: row["column_type"] for row in lake.ask("DESCRIBE cloudtrail_events")}
    assert columns["p_event_time"] == "TIMESTAMP WITH TIME ZONE"
    assert list(columns)[-4:] == ["year", "month", "day", "hour"]


def test_a_table_named_by_a_computed_text_is_never_just_empty(lake: Lake) -> None:
    lake.file(HOUR, "A")
    assert lake.ask("SELECT COUNT(*) AS n FROM query_table('cloudtrail' || '_events')") == [{"n": 1}]
    with pytest.raises(QueryError):
        lake.ask("SELECT COUNT(*) FROM query_table('cloudtrail' || '_events'), alerts")


def test_columns_of_one_name_get_a_number(lake: Lake) -> None:
    assert lake.ask("SELECT 1 AS a, 2 AS a, 3 AS a_1, 4 AS a") == [{"a": 1, "a_1": 2, "a_1_1": 3, "a_2": 4}]


def test_a_result_ends_at_the_limit(lake: Lake) -> None:
    assert lake.ask("SELECT * FROM range(1_000_000_000_000) r(i)", rows=3) == [{"i": 0}, {"i": 1}, {"i": 2}]
    assert lake.ask("SELECT 1 AS a", rows=0) == []


def test_a_query_that_takes_too_long_is_stopped(lake: Lake) -> None:
    with pytest.raises(QueryError, match="took too long"):
        lake.ask("SELECT COUNT(*) FROM range(1_000_000_000_000) r(i) WHERE i % 7 = 1", seconds=0.1)


def test_a_query_that_needs_too_much_memory_is_stopped(lake: Lake) -> None:
    with pytest.raises(QueryError, match="more memory than it may have"):
        lake.ask("SELECT i, repeat('x', 1000) || i AS t FROM range(1_000_000) r(i) ORDER BY t", memory="20MB")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/hostname')",
        "SELECT * FROM '{folder}/secret.csv'",
        "SELECT * FROM read_parquet('{folder}/*.parquet')",
        "SELECT * FROM glob('/*')",
        "COPY (SELECT 1) TO '{folder}/out.csv'",
        "ATTACH '{folder}/out.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SELECT * FROM read_csv('http://127.0.0.1:1/')",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "SELECT * FROM rows",  # a variable of this program
    ],
)
def test_a_query_reaches_nothing_but_the_tables(lake: Lake, sql: str) -> None:
    (lake.folder / "secret.csv").write_text("a\n1\n")
    open_storage(str(lake.folder), ClientFactory())  # makes its own folder
    before = sorted(os.listdir(lake.folder))
    with pytest.raises(QueryError):
        lake.ask(sql.format(folder=lake.folder))
    assert sorted(os.listdir(lake.folder)) == before


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        (
            "SELECT * FROM nothing",
            r"^Table with name nothing does not exist\. There are: alerts, all_logs, cloudtrail_events\.$",
        ),
        (
            "SELECT eventname2 FROM cloudtrail_events",
            r'^Referenced column "eventname2" not found .*"eventName".* \(DESCRIBE <table> shows a table\'s columns\)$',
        ),
        ("SELEC 1", r'^syntax error at or near "SELEC"$'),
        ("SELECT 'a'::INT", r"^Could not convert string 'a' to INT32$"),
        (
            "SELECT * FROM read_text('/etc/hostname')",
            r"^a query can read the lake's tables only \(alerts, all_logs, cloudtrail",
        ),
        (" -- nothing", "^there is no SQL to run$"),
    ],
)
def test_a_wrong_query_is_answered_by_one_line(lake: Lake, sql: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        lake.ask(sql)
    assert "\n" not in str(caught.value)


def test_an_error_in_the_middle_of_a_result_is_a_line_too(lake: Lake) -> None:
    with pytest.raises(QueryError, match="Could not convert"):
        lake.ask("SELECT (CASE WHEN i = 900000 THEN 'x' ELSE '1' END)::INT FROM range(1_000_000) r(i)")


@pytest.mark.parametrize("table", ["cloudtrail_events", "future_events"])
def test_a_lake_file_that_is_not_there_is_named(lake: Lake, table: str) -> None:
    lake.row(HOUR, table)
    with pytest.raises(LakeFileDamaged, match=rf"^{table}/.*b1\.parquet is missing"):
        lake.ask(f"SELECT * FROM {table}")


@pytest.mark.parametrize("table", ["cloudtrail_events", "future_events"])
@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1 and not at the end", b"\xff" * 40 + b"\x20\0\0\0PAR1"])
def test_a_lake_file_that_cannot_be_read_is_named(lake: Lake, table: str, data: bytes) -> None:
    lake.file(HOUR, "A", table=table).write_bytes(data)
    with pytest.raises(LakeFileDamaged, match=rf"^{table}/.*b1\.parquet is damaged: "):
        lake.ask(f"SELECT * FROM {table}")


@pytest.mark.parametrize("table", ["cloudtrail_events", "future_events"])
def test_a_lake_that_is_not_there_is_an_outage(lake: Lake, table: str) -> None:
    lake.file(HOUR, "A", table=table)
    storage = open_storage(str(lake.folder), ClientFactory())
    lake.folder.rename(lake.folder.with_name("elsewhere"))
    with pytest.raises(Outage):
        query(lake.database, storage, f"SELECT * FROM {table}", schemas={"cloudtrail_events": SCHEMA})


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_a_lake_that_lets_nobody_in_is_an_outage(lake: Lake, aws: Aws, method: str) -> None:
    storage = open_storage(f"s3://{aws.bucket('lake')}/some", aws.clients)
    file = lake.file(HOUR, "A")
    storage.write(file.relative_to(lake.folder).as_posix(), file.read_bytes())
    sql, schemas, answer = (
        "SELECT * FROM cloudtrail_events",
        {"cloudtrail_events": SCHEMA},
        s3_error(403, "AccessDenied"),
    )
    with aws.disturbed_by(lambda asked: answer if asked.method == method else None), pytest.raises(Outage):
        query(lake.database, storage, sql, schemas=schemas)
    assert query(lake.database, storage, sql, schemas=schemas).num_rows == 1


def test_a_page_with_a_flipped_byte_is_an_error_and_never_a_wrong_answer(lake: Lake) -> None:
    path = lake.file(HOUR, *(f"Get{number * 7919 % 1009}" for number in range(1_000)))
    flip(path, "eventName")
    with pytest.raises(QueryError, match="a file of the lake is damaged"):
        lake.ask("SELECT eventName FROM cloudtrail_events")
    assert lake.ask("SELECT count(eventSource) AS n FROM cloudtrail_events") == [{"n": 1_000}]


def test_all_logs_are_one_table_with_the_columns_that_they_share(lake: Lake) -> None:
    lake.file(HOUR, "GetObject")
    lake.file(HOUR + 1, "PutObject", table="other_events")
    lake.file(HOUR, "found", table="alert_matches")
    rows = lake.ask("SELECT hour, p_event_time, p_raw FROM all_logs ORDER BY hour")
    assert [(row["hour"], row["p_raw"]) for row in rows] == [("09", None), ("10", None)]
    assert lake.ask("SELECT count(*) AS n FROM all_logs WHERE hour='10'") == [{"n": 1}]
    with pytest.raises(QueryError, match="eventName"):
        lake.ask("SELECT eventName FROM all_logs")
