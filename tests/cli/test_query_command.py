"""`iota query`: the same answer for people and for programs."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from click.testing import CliRunner, Result

from iota_dagster.cli.query import as_csv, as_json, command
from iota_dagster.cli.text import plain, printable
from iota_dagster.core.lake.query import QueryError

pytestmark = pytest.mark.usefixtures("here")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_the_first_query_of_a_new_installation_answers() -> None:
    sql = (
        "SELECT eventName, COUNT(*) FROM cloudtrail_events WHERE year='2025' AND month='03' AND day='01' "
        "GROUP BY eventName ORDER BY 2 DESC"
    )
    result = run(sql)
    assert result.exit_code == 0
    assert "eventName" in result.stdout
    assert "0 rows" in result.stdout


def test_all_tables_are_there_from_the_start() -> None:
    rows = json.loads(run("SHOW TABLES", "--format", "json").stdout)
    assert {"alert_matches", "alerts", "cloudtrail_events"} <= {row["name"] for row in rows}


def test_json_is_a_list_of_objects() -> None:
    result = run("SELECT TIMESTAMPTZ '2025-03-01 09:00:00Z' AS at, [1] AS l, NULL AS n, SUM(1) AS s", "--format=json")
    assert json.loads(result.stdout) == [{"at": "2025-03-01T09:00:00Z", "l": [1], "n": None, "s": 1}]


def test_csv_can_be_read_back() -> None:
    result = run("""SELECT 'a"b,c' || chr(10) || 'd' AS t, ['é'] AS l, NULL AS n""", "--format=csv")
    assert result.stdout_bytes == """t,l,n\r\n"a""b,c\nd","[""é""]",\r\n""".encode()


def test_rows_beyond_the_limit_are_mentioned_and_not_mixed_into_the_output() -> None:
    result = run("SELECT * FROM range(5) r(i)", "--format=csv", "--limit=2")
    assert result.stdout == "i\n0\n1\n"
    assert result.stderr == "There are more than 2 rows: raise --limit to see them.\n"
    assert run("SELECT * FROM range(5) r(i)", "--format=csv", "--limit=0").stdout.count("\n") == 6


def test_a_table_shows_text_as_it_is_and_steers_no_terminal() -> None:
    result = run("SELECT '[bold]' || chr(27) || '[31mred' AS t, repeat('x', 300) AS long")
    assert r"[bold]\x1b[31mred" in result.stdout
    assert "x" * 300 in result.stdout
    assert "1 row\n" in result.stdout


def test_a_wrong_query_is_an_error_with_the_known_tables() -> None:
    result = run("SELECT * FROM cloudtrail")
    assert isinstance(result.exception, QueryError)
    assert "There are: " in str(result.exception)
    assert all(f" {name}," in str(result.exception) for name in ("alert_matches", "alerts", "cloudtrail_events"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2025, 3, 1, 9, 0, 0, 5, tzinfo=UTC), "2025-03-01T09:00:00.000005Z"),
        (datetime(2025, 3, 1, 9), "2025-03-01T09:00:00"),
        (date(2025, 3, 1), "2025-03-01"),
        (Decimal(10**30), 10**30),
        (Decimal("1.50"), 1.5),
        (float("nan"), None),
        (b"a\xff", "a\\xff"),
        ({"a": [Decimal(1), {"b": None}]}, {"a": [1, {"b": None}]}),
        (True, True),
    ],
)
def test_every_value_has_a_form_in_json(value: object, expected: object) -> None:
    assert plain(value) == expected


def test_empty_answers_are_valid_too() -> None:
    empty = pa.table({"a": pa.array([], pa.string())})
    assert json.loads(as_json(empty)) == []
    assert list(csv.reader(io.StringIO(as_csv(empty)))) == [["a"]]


def test_printable_keeps_letters_and_lines() -> None:
    assert printable("é\n✓\x07\u202e") == "é\n✓\\x07\\u202e"
