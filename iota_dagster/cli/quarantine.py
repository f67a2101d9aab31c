"""`iota quarantine`: look at what could not be processed, take it away, and process it again."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.outcome import tell_problems
from iota_dagster.cli.own_store import own_store
from iota_dagster.cli.tables import show_rows
from iota_dagster.cli.text import printable
from iota_dagster.core.hours import hour_key
from iota_dagster.core.store import quarantine

if TYPE_CHECKING:
    from iota_dagster.platform import Platform


@click.group("quarantine")
def command() -> None:
    """Show and replay what could not be processed."""


@command.command("list")
@click.option("--reason", help="Only items with this reason, one by one.")
@click.option("--limit", type=click.IntRange(min=0), default=100, show_default=True, help="Items at most; 0: all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_items(reason: str | None, limit: int, as_json: bool) -> None:
    """Items by reason; with --reason each item of it."""
    from iota_dagster.settings import load_settings

    with own_store(load_settings()) as database, database.read() as connection:
        counts = quarantine.counts(connection)
        rows = quarantine.items(connection, reason, limit or None) if reason else counts
    if as_json:
        click.echo(json.dumps([_plain(row) for row in rows], default=str))
        return
    _show(rows, reason, [row["reason"] for row in counts])


@command.command("show")
@click.argument("item", type=int)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show_item(item: int, as_json: bool) -> None:
    """One item: where it comes from, why it is here, and what it says."""
    from iota_dagster.log_types import explained
    from iota_dagster.settings import load_settings

    settings = load_settings()
    with own_store(settings) as database, database.read() as connection:
        row = quarantine.item(connection, item)
    sample = bytes(row["sample"])
    plain = _plain(row) | {"sample": sample.decode("utf-8", "backslashreplace")}
    if row["reason"] == "unclassified":  # the store has no room for each log type's word on each record
        plain["detail"] = explained(settings, sample, row["key"], row["integration"])
    if as_json:
        click.echo(json.dumps(plain, default=str))
        return
    for name, value in plain.items():
        first, *more = _reasons(value) if name == "detail" else [value]
        click.echo(printable(f"{name:>14}  {'' if first is None else first}"))
        for line in more:
            click.echo(printable(f"{'':>14}  {line}"))


def _reasons(detail: str | None) -> list[str]:
    """A line for each log type that does not take a record, and the last one for what the record has."""
    return re.split("; (?=[^ ]+ looks for |its keys: |the line begins )", detail or "")


@command.command("retry")
@click.argument("items", nargs=-1, type=int)
@click.option("--reason", help="All items with this reason.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def retry_items(items: tuple[int, ...], reason: str | None, as_json: bool) -> None:
    """Process the objects of some items again, by number or all of one reason; nobody is paged for what was done."""
    _require_one_choice(items, reason)
    from iota_dagster.home import prepare_home
    from iota_dagster.platform import open_platform
    from iota_dagster.settings import load_settings

    settings = load_settings()
    prepare_home(settings)
    platform = open_platform(settings)
    try:
        figures = _retried(platform, items, reason)
    finally:
        platform.database.dispose()
    if as_json:
        click.echo(json.dumps(figures))
    else:
        remaining = ", ".join(f"{name}: {count}" for name, count in figures["left"].items()) or "nothing"
        click.echo(
            f"{figures['retried']} items asked for again, {figures['events']} events added; "
            f"in quarantine now: {remaining}"
        )
    tell_problems(figures["problems"])


def _require_one_choice(items: tuple[int, ...], reason: str | None) -> None:
    if bool(items) == bool(reason):
        raise click.UsageError("name items by their numbers, or give one --reason")


def _retried(platform: Platform, items: tuple[int, ...], reason: str | None) -> dict[str, Any]:
    from iota_dagster.ingesting import ingest_pending

    with platform.database.begin() as connection:
        quarantine.require(connection, items)
        asked = quarantine.retry(connection, item_ids=items, reason=reason)
        bodies = quarantine.messages(connection, item_ids=items, reason=reason)
    platform.intake.read_again(bodies)
    summary = ingest_pending(platform)
    with platform.database.read() as connection:
        left = {row["reason"]: row["items"] for row in quarantine.counts(connection)}
        blocked = quarantine.blocked(connection, asked.batches)
    # Those of another process's runs: what our own runs left is among the summary's problems.
    others = [why for why in blocked if not any(why in told for told in summary.problems)]
    return {
        "retried": asked.items + len(bodies),
        "batches": len(asked.batches),
        "events": summary.events,
        "left": left,
        "problems": [*summary.problems, *(f"left as it is, {why}" for why in others)],
    }


@command.command("export")
@click.argument("items", nargs=-1, type=int)
@click.option("--reason", help="All items with this reason.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file. [default: standard output]")
def export_items(items: tuple[int, ...], reason: str | None, output: Path | None) -> None:
    """Write items with what they say, whole, one JSON object a line; all of them unless some are named.

    A sample that is no UTF-8 text is under sample_base64 instead of sample.
    """
    from iota_dagster.settings import load_settings

    written = 0
    with own_store(load_settings()) as database, database.read() as connection:
        quarantine.require(connection, items)
        with click.open_file(str(output or "-"), "w", encoding="utf-8", atomic=output is not None) as file:
            for row in quarantine.every(connection, item_ids=items, reason=reason):
                file.write(json.dumps(_plain(row) | _sample(bytes(row["sample"])), default=str) + "\n")
                written += 1
    if output is not None:
        click.echo(f"{written} item{'' if written == 1 else 's'} written to {output}")


def _sample(data: bytes) -> dict[str, str]:
    try:
        return {"sample": data.decode()}
    except UnicodeDecodeError:
        return {"sample_base64": base64.b64encode(data).decode()}


@command.command("drop")
@click.argument("items", nargs=-1, type=int)
@click.option("--reason", help="All items with this reason.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def drop_items(items: tuple[int, ...], reason: str | None, yes: bool, as_json: bool) -> None:
    """Give items up, by number or all of one reason: what they say is deleted, that they were here stays counted."""
    _require_one_choice(items, reason)
    from iota_dagster.settings import load_settings

    with own_store(load_settings()) as database:
        with database.read() as connection:
            quarantine.require(connection, items)
        if not yes:
            what = f"all items with the reason {reason}" if reason else f"{len(items)} item(s)"
            kept = "`iota quarantine export` keeps a copy."
            click.confirm(f"Delete what {what} say, for good? {kept}", abort=True, err=True)
        with database.begin() as connection:
            dropped = quarantine.drop(connection, datetime.now(UTC), item_ids=items, reason=reason)
    click.echo(json.dumps({"dropped": dropped}) if as_json else f"{dropped} item{'' if dropped == 1 else 's'} dropped")


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    plain = {name: value for name, value in row.items() if name not in ("sample", "dropped_at")}
    hour = row.get("delivery_hour")
    return plain if hour is None else plain | {"delivery_hour": hour_key(hour)}


_NOT_LISTED = ("sample", "message", "batch_id", "object_id", "delivery_hour", "dropped_at")


_NAMES = ("id", "ordinal", "byte_offset")
"""Numbers that are given to other commands and tools, which take no commas in them."""


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: value for name, value in row.items() if name not in _NOT_LISTED}
    return shown | {name: str(shown[name]) for name in _NAMES if shown.get(name) is not None}


def _show(rows: list[Mapping[str, Any]], reason: str | None, known: list[str]) -> None:
    if rows:
        show_rows([_listed(row) for row in rows])
    elif not known:
        click.echo("the quarantine is empty")
    else:
        click.echo(f"nothing is in quarantine for the reason {reason}; there are: {', '.join(known)}")
