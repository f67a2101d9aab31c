"""Aurora MySQL audit logs: connections, statements with any text in them, tables, and names that forge lines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.sources.aurora_mysql import SOURCE
from tests.core.sources.cases import columns, indicators, read_safely, rows

START = "1710408413975302,prod-1,app,203.0.113.9,1688069"
QUERY = f"{START},168876953,QUERY,shop,'select \\'a,b\\', \"c\" from t -- it\\'s, \\\\ done',1146"


def _row(line: str) -> dict[str, object]:
    (found,) = rows(SOURCE, line.encode())
    return found


def test_a_statement_fills_the_columns_without_its_quotes_and_escapes() -> None:
    found = _row(QUERY)
    assert columns(found) == {
        "timestamp": datetime(2024, 3, 14, 9, 26, 53, 975302, tzinfo=UTC),
        "serverHost": "prod-1",
        "username": "app",
        "host": "203.0.113.9",
        "connectionId": 1688069,
        "queryId": 168876953,
        "operation": "QUERY",
        "database": "shop",
        "object": "select 'a,b', \"c\" from t -- it's, \\ done",
        "retCode": 1146,
    }
    assert found["time"] == datetime(2024, 3, 14, 9, 26, 53, 975302, tzinfo=UTC)
    assert not {"id", "account", "region"} & found.keys()
    assert indicators(found) == {"ip_addresses": ["203.0.113.9"], "usernames": ["app"]}


@pytest.mark.parametrize("operation", ["CONNECT", "FAILED_CONNECT", "DISCONNECT"])
def test_a_connection_has_no_object(operation: str) -> None:
    found = columns(_row(f"{START},0,{operation},,,1045"))
    assert (found["operation"], found["queryId"], found["retCode"]) == (operation, 0, 1045)
    assert not {"database", "object"} & found.keys()


def test_a_table_has_no_return_code() -> None:
    found = columns(_row(f"{START},7,WRITE,shop,order_items,"))
    assert (found["operation"], found["object"]) == ("WRITE", "order_items")
    assert "retCode" not in found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a\\nb\\tc", "a\nb\tc"),
        ("a\\\\nb", "a\\nb"),
        ("like \\'50\\%\\'", "like '50\\%'"),
        ("", None),
        ("cut off \\", "cut off \\"),
        ("x',0,y',", "x',0,y',"),
    ],
)
def test_a_statement_is_what_was_sent(written: str, said: str | None) -> None:
    assert columns(_row(f"{START},7,QUERY,shop,'{written}',0")).get("object") == said


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t\b\f")))
def test_any_statement_is_read_back(statement: str) -> None:
    written = statement.replace("\\", "\\\\").replace("'", "\\'")
    found = columns(_row(f"{START},7,QUERY,shop,'{written}',0"))
    assert (found.get("object", ""), found["retCode"]) == (statement, 0)


@pytest.mark.parametrize("name", ["a,b", "x,10.0.0.1,5,0,CONNECT,,,0", "o'hara", "x,10.0.0.1,5,7,QUERY,d,'drop',0"])
def test_the_name_of_who_fails_to_sign_in_cannot_forge_a_line(name: str) -> None:
    found = columns(_row(f"1710408413975302,prod-1,{name},203.0.113.9,77,0,FAILED_CONNECT,,,1045"))
    assert (found["username"], found["host"], found["operation"]) == (name, "203.0.113.9", "FAILED_CONNECT")


def test_fields_that_may_be_appended_cost_nothing() -> None:
    found = columns(_row(f"{QUERY},new"))
    assert (found["operation"], found["retCode"]) == ("QUERY", 1146)


def test_a_host_may_be_a_name() -> None:
    assert indicators(_row(QUERY.replace("203.0.113.9", "App.example.com")))["domain_names"] == ["app.example.com"]
    assert set(indicators(_row(QUERY.replace("203.0.113.9", "localhost")))) == {"usernames"}


def test_lines_are_known_by_their_beginning() -> None:
    assert all(SOURCE.accepts(line.encode()) for line in (QUERY, f"{START},0,CONNECT,,,0", f"{START},7,READ,d,t,"))
    others = ["20240314 09:26:53,prod-1,app,203.0.113.9,5,0,CONNECT,,,0", "1710408413975302 5 CONNECT", "{}", ""]
    assert not any(SOURCE.accepts(line.encode()) for line in others)
    assert SOURCE.expects("exports/audit/audit.log.0.2024-03-14-09-30.0")


def test_a_number_that_is_too_large_costs_only_itself() -> None:
    found = columns(_row(QUERY.replace("168876953", "9" * 30)))
    assert "queryId" not in found
    assert found["connectionId"] == 1688069


def test_a_line_that_is_cut_off_is_refused() -> None:
    assert SOURCE.read_many([QUERY[:60].encode()]).rejected[0].reason == "malformed"


@given(st.lists(st.text() | st.integers(0, len(QUERY)).map(lambda cut: QUERY[:cut] + QUERY[cut + 3 :]), max_size=3))
def test_no_line_breaks_the_reading(lines: list[str]) -> None:
    read_safely(SOURCE, [line.encode(errors="replace") for line in [QUERY, *lines]])
