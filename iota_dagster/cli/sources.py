"""`iota sources`: the log types that iota knows, and a user's own, from a sample of records to a checked schema."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from iota_dagster.core.ingest.classify import Verdict
    from iota_dagster.core.sources.base import Source

_MOST_RECORDS = 100_000
"""Records of a sample that are looked at."""
_FILES = click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)


@click.group("sources")
def command() -> None:
    """Look at log types, and make one of your own."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line and log type.")
def list_command(as_json: bool) -> None:
    """List the log types: those that iota brings along, and those of the setting `log_types`."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from iota_dagster.core.text import one_line

    known = [_facts(source) for source in _known()]
    if as_json:
        click.echo("\n".join(map(json.dumps, known)))
        return
    table = Table("log type", "lake table", "records", "what it tells", box=box.SIMPLE_HEAD, pad_edge=False)
    for item in known:
        own = "" if item["built_in"] else " (own)"
        cells = (item["log_type"] + own, item["table"], item["records"], item["description"])
        table.add_row(*(Text(one_line(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else 100_000).print(table)


@command.command("show")
@click.argument("log_type", metavar="TYPE")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def show_command(log_type: str, as_json: bool) -> None:
    """Show how a log type is told from others, and the columns of its table."""
    from iota_dagster.core.sources import source_of
    from iota_dagster.core.text import printable

    _known()
    source = source_of(log_type)
    facts = _facts(source) | {"marks": source.marks, "columns": list(_columns(source))}
    click.echo(json.dumps(facts) if as_json else printable(_as_text(facts)))


@command.command("check")
@_FILES
@click.option(
    "--sample",
    "samples",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of records: say which log type each is, with these schemas added.",
)
def check_command(files: tuple[Path, ...], samples: tuple[Path, ...]) -> None:
    """Check schemas of log types; exit with 1 when one has a mistake.

    They are looked at beside those of the setting `log_types`: no name may be there twice, and a record of a sample may
    be another type's.
    """
    from iota_dagster.cli.classify import outcomes
    from iota_dagster.core.sources.registry import SOURCES, use_log_types
    from iota_dagster.core.sources.user_files import read_schemas
    from iota_dagster.core.text import one_line

    schemas = read_schemas(files, SOURCES.built_in)
    use_log_types(read_schemas([*_configured(files), *files], SOURCES.built_in))
    for schema in schemas:
        click.echo(f"{schema.log_type}: {len(schema.fields)} columns, table {schema.table_name}")
    for sample in samples:
        for outcome in outcomes(_verdicts(sample)):
            example = f"; {outcome.example}" if outcome.example else ""
            click.echo(f"{one_line(str(sample))}: {outcome.records:,} records: {one_line(outcome.what)}{example}")


@command.command("infer")
@_FILES
@click.option("--log-type", metavar="NAME", help="What to call it. [default: Custom. and the first file's name]")
def infer_command(files: tuple[Path, ...], log_type: str | None) -> None:
    """Propose a schema from a sample of records, as YAML on standard output.

    It accepts every record of the sample. Read it before use: what identifies an event, what a field means and which
    fields are always there, a sample can only suggest.
    """
    from iota_dagster.core.sources.infer import infer
    from iota_dagster.core.sources.registry import SOURCES
    from iota_dagster.core.sources.user_files import as_yaml

    records = list(islice((record for file in files for record in _records(file)), _MOST_RECORDS + 1))
    whole = len(records) <= _MOST_RECORDS
    records = records[:_MOST_RECORDS]
    known = sorted({source.log_type for source in SOURCES.values() if any(map(source.accepts, records))})
    schema = infer(log_type or _name_of(files[0]), records, SOURCES.built_in)
    size = f"{len(records):,} records" + ("" if whole else ", the first ones of the sample")
    click.echo(f"# Proposed from {size}: iota sources check FILE --sample SAMPLE")
    if known:
        click.echo(f"# Some of them are a log type already: {', '.join(known)}", err=True)
    click.echo(as_yaml(schema), nl=False)


def _known() -> list[Source]:
    from iota_dagster.core.sources import SOURCES
    from iota_dagster.log_types import own_log_types
    from iota_dagster.settings import load_settings

    own_log_types(load_settings())
    return sorted(SOURCES.values(), key=lambda source: source.log_type)


def _facts(source: Source) -> dict[str, Any]:
    from iota_dagster.core.sources.registry import SOURCES

    return {
        "log_type": source.log_type,
        "table": source.table,
        "records": source.shape.value,
        "description": source.description,
        "built_in": source.log_type in SOURCES.built_in.log_types,
    }


def _columns(source: Source) -> Iterator[dict[str, str]]:
    for field in source.columns:
        meaning = (field.metadata or {}).get(b"description", b"").decode()
        yield {"name": field.name, "type": str(field.type), "description": meaning}


def _as_text(facts: dict[str, Any]) -> str:
    lines = [f"{facts['log_type']}: {facts['description']}", f"table {facts['table']}, each record {facts['records']}"]
    lines += [f"recognised by {facts['marks']}", ""]
    width = max(len(column["name"]) for column in facts["columns"])
    lines += [f"{item['name']:<{width}}  {item['type']:<22} {item['description']}" for item in facts["columns"]]
    return "\n".join(lines)


def _configured(files: Sequence[Path]) -> list[Path]:
    """The schema files of the settings, without `files`."""
    from iota_dagster.core.errors import SettingsError
    from iota_dagster.core.sources.user_files import schema_files
    from iota_dagster.settings import load_settings

    given = {file.resolve() for file in files}
    try:
        known = [file for path in load_settings().log_types for file in schema_files(path)]
    except OSError as error:
        raise SettingsError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return [file for file in known if file.resolve() not in given]


def _verdicts(sample: Path) -> Iterator[Verdict]:
    from iota_dagster.core.ingest.classify import Place, classify
    from iota_dagster.platform import decode_limits
    from iota_dagster.settings import load_settings

    place = Place(bucket=f"file://{sample.absolute().parent}", key=sample.name)
    with sample.open("rb") as stream:
        yield from classify(stream, place, decode_limits(load_settings()))


def _records(file: Path) -> Iterator[bytes]:
    from iota_dagster.cli.text import printable
    from iota_dagster.core.reading.records import open_records
    from iota_dagster.platform import decode_limits
    from iota_dagster.settings import load_settings

    with file.open("rb") as stream:
        for chunk in open_records(stream, decode_limits(load_settings())):
            for damage in chunk.damages:
                what = f"{file}: record {damage.ordinal}: {damage.reason}: {damage.detail}"
                click.echo(f"# {printable(what)}", err=True)
            yield from chunk.records


def _name_of(file: Path) -> str:
    words = re.findall(r"[A-Za-z0-9]+", file.name.split(".")[0])
    name = "".join(word.capitalize() for word in words)
    return f"Custom.{name if name[:1].isalpha() else f'Log{name}'}"
