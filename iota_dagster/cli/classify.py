"""`iota classify`: what iota would make of the records of some files, without reading them in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from iota_dagster.cli.tables import console
from iota_dagster.core.ingest.classify import Place, Verdict, classify


def _as_header(context: click.Context, parameter: click.Parameter, fields: str | None) -> bytes | None:
    from iota_dagster.core.sources.vpcflow_fields import header_of

    try:
        return header_of(fields).encode() if fields is not None else None
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


@click.command("classify")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE…"
)
@click.option("--log-type", "log_types", multiple=True, help="Only these log types, as an integration declares them.")
@click.option(
    "--fields",
    "header",
    callback=_as_header,
    help="The fields of VPC flow logs that come without a header line, in their order; ${…} is allowed.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per record and line.")
def command(files: tuple[Path, ...], log_types: tuple[str, ...], header: bytes | None, as_json: bool) -> None:
    """Say of each record which log type it is, its id and its time; or why it would go to quarantine."""
    if not as_json:
        _show({file: outcomes(_verdicts(file, log_types, header)) for file in files})
        return
    for file in files:
        for verdict in _verdicts(file, log_types, header):
            click.echo(json.dumps({"file": str(file)} | _plain(verdict)))


def _verdicts(file: Path, log_types: tuple[str, ...], header: bytes | None) -> Iterator[Verdict]:
    from iota_dagster.log_types import own_log_types
    from iota_dagster.platform import decode_limits
    from iota_dagster.settings import load_settings

    settings = load_settings()
    own_log_types(settings)
    place = Place(bucket=f"file://{file.absolute().parent}", key=file.name, log_types=log_types or None, header=header)
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


@dataclass(slots=True)
class Outcome:
    """What became of some records of a file: they are of one log type, or in quarantine for one reason."""

    what: str
    first: Verdict
    records: int = 0

    @property
    def example(self) -> str | None:
        """Of a reason the first record with all that there is to say of it, on one line."""
        from iota_dagster.core.text import one_line

        told = self.first.quarantined
        return None if told is None else one_line(f"record {self.first.ordinal}: {told}")


def outcomes(verdicts: Iterable[Verdict]) -> list[Outcome]:
    """The verdicts on a file's records, counted by log type and by the reason's word."""
    found: dict[str, Outcome] = {}
    for verdict in verdicts:
        what = verdict.log_type or f"quarantine, {(verdict.quarantined or '').partition(':')[0]}"
        outcome = found.get(what) or found.setdefault(what, Outcome(what, verdict))
        outcome.records += 1
    return list(found.values())


def _show(found: dict[Path, list[Outcome]]) -> None:
    from rich.table import Table
    from rich.text import Text

    from iota_dagster.core.text import one_line

    table = Table("records", "log type", "file")
    for file, outcomes_of_file in found.items():
        for outcome in outcomes_of_file:
            table.add_row(f"{outcome.records:,}", Text(one_line(outcome.what)), Text(one_line(str(file))))
    console().print(table)
    for file, outcomes_of_file in found.items():
        for outcome in outcomes_of_file:
            if outcome.example:
                click.echo(f"{one_line(str(file))}: {outcome.example}")
