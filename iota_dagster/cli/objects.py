"""`iota objects`: the ledger of log objects."""

from __future__ import annotations

import json

import click

from iota_dagster.cli.own_store import own_store
from iota_dagster.cli.tables import show_rows
from iota_dagster.core.model import ObjectStatus


@click.command("objects")
@click.option(
    "--status", type=click.Choice([item.value for item in ObjectStatus]), help="List the objects of one status."
)
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="Objects at most; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(status: str | None, limit: int, as_json: bool) -> None:
    """The ledger by integration and status; with --status its newest objects one by one."""
    from iota_dagster.core.hours import hour_key
    from iota_dagster.core.store import ledger
    from iota_dagster.settings import load_settings

    with own_store(load_settings()) as database, database.read() as connection:
        if status is None:
            rows = [dict(row) for row in ledger.status_counts(connection)]
        else:
            listed = ledger.list_objects(connection, ObjectStatus(status), limit or None)
            names = ("bucket", "key", "etag", "size", "records", "rows", "duplicates", "quarantined", "error")
            rows = [
                {"delivery_hour": hour_key(row["delivery_hour"])} | {name: row[name] for name in names}
                for row in listed
            ]
    if as_json:
        click.echo(json.dumps(rows, default=str))
    else:
        _show(rows)


def _show(rows: list[dict[str, object]]) -> None:
    if rows:
        show_rows(rows)
    else:
        click.echo("no log objects")
