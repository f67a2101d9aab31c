"""`iota classify`: what iota would make of the records of some files, without reading them in."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click

from iota_dagster.core.classify import Place, Verdict, classify


@click.command("classify")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE…"
)
@click.option("--log-type", "log_types", multiple=True, help="Only these log types, as an integration declares them.")
@click.option("--fields", help="The fields of VPC flow logs that come without a header line, in their order.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per record and line.")
def command(files: tuple[Path, ...], log_types: tuple[str, ...], fields: str | None, as_json: bool) -> None:
    """Say of each record which log type it is, its id and its time; or why it would go to quarantine."""
    found: Counter[tuple[str, str]] = Counter()
    for file in files:
        for verdict in _verdicts(file, log_types, fields):
            if as_json:
                click.echo(json.dumps({"file": str(file)} | _plain(verdict)))
            else:
                found[str(file), verdict.log_type or f"quarantine, {verdict.quarantined}"] += 1
    if not as_json:
        _show(found)


def _verdicts(file: Path, log_types: tuple[str, ...], fields: str | None) -> Iterator[Verdict]:
    from iota_dagster.log_types import own_log_types
    from iota_dagster.platform import decode_limits
    from iota_dagster.settings import load_settings

    settings = load_settings()
    own_log_types(settings)
    place = Place(
        bucket=f"file://{file.absolute().parent}",
        key=file.name,
        log_types=log_types or None,
        header=fields.encode() if fields else None,
    )
    with file.open("rb") as stream:
        yield from classify(stream, place, decode_limits(settings))


def _plain(verdict: Verdict) -> dict[str, str | int | None]:
    if verdict.quarantined is not None:
        return {"ordinal": verdict.ordinal, "quarantined": verdict.quarantined}
    return {
        "ordinal": verdict.ordinal,
        "log_type": verdict.log_type,
        "event_id": verdict.event_id,
        "event_time": verdict.event_time,
    }


def _show(found: Counter[tuple[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from iota_dagster.cli.text import printable

    table = Table("records", "log type", "file")
    for (file, what), records in found.items():
        table.add_row(f"{records:,}", printable(what), printable(file))
    Console().print(table)
