"""`iota query`: SQL over the lake, as a table for people or as JSON or CSV for programs."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import click
import pyarrow as pa

from iota_dagster.cli.own_store import own_store
from iota_dagster.cli.tables import show_texts
from iota_dagster.cli.text import plain
from iota_dagster.core.lake.query import QueryLimits, query
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.storage import open_storage
from iota_dagster.log_types import own_log_types
from iota_dagster.own_clients import own_clients
from iota_dagster.settings import load_settings


@click.command("query")
@click.argument("sql")
@click.option("--format", "style", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True)
@click.option("--limit", type=click.IntRange(min=0), default=1000, show_default=True, help="Rows at most; 0: all.")
def command(sql: str, style: str, limit: int) -> None:
    """Run SQL over the lake.

    Each log type is a table, e.g. cloudtrail_events; all_logs is all of them with the columns that they share, such as
    p_any_ip_addresses; alert_matches and alerts hold what the rules found. SHOW TABLES and DESCRIBE <table> list what
    there is. Conditions on year, month, day and hour (text, UTC) make it fast:

    \b
    iota query "SELECT eventName, COUNT(*) FROM cloudtrail_events
                WHERE year='2025' AND month='03' AND day='01' GROUP BY eventName ORDER BY 2 DESC"
    """
    answer = _answer(sql, limit + 1 if limit else None)
    shown = answer.slice(0, limit) if limit else answer
    if style == "table":
        _print_table(shown)
    else:
        click.echo(as_json(shown) if style == "json" else as_csv(shown), nl=False)
    if len(answer) > len(shown):
        click.echo(f"There are more than {limit} rows: raise --limit to see them.", err=True)


def as_json(table: pa.Table) -> str:
    """A JSON list with an object per row and line; times in ISO 8601."""
    rows = [json.dumps(plain(row), ensure_ascii=False) for row in table.to_pylist()]
    return "[" + ",\n ".join(rows) + "]\n"


def as_csv(table: pa.Table) -> str:
    """CSV by RFC 4180 with a header; lists and structures as JSON, null as nothing."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.column_names)
    writer.writerows([_text(value) for value in row.values()] for row in table.to_pylist())
    return text.getvalue()


def _text(value: Any) -> str:
    known = plain(value)
    if known is None:
        return ""
    return known if isinstance(known, str) else json.dumps(known, ensure_ascii=False)


def _print_table(table: pa.Table) -> None:
    is_number = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
    numbers = {field.name for field in table.schema if any(is_one(field.type) for is_one in is_number)}
    show_texts(table.column_names, numbers, [[_text(value) for value in row.values()] for row in table.to_pylist()])
    click.echo(f"{len(table):,} row{'' if len(table) == 1 else 's'}")


def _answer(sql: str, rows: int | None) -> pa.Table:
    settings = load_settings()
    own_log_types(settings)
    lake = open_storage(settings.lake_url, own_clients(settings))
    with own_store(settings) as database:
        return query(database, lake, sql, schemas=lake_tables(), limits=QueryLimits(rows=rows))
