"""`iota ingest`: log files and folders through the real assets, recorded in the Dagster instance of the home."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from iota_dagster.core.text import printable


@click.command("ingest")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(paths: tuple[Path, ...], as_json: bool) -> None:
    """Read log files or folders into the lake and judge them; what was read before adds nothing.

    A folder is an integration and the paths in it are its keys, so that a copy of an AWS bucket keeps its own.
    The figures are those of this command's own runs; only what correlation rules found meanwhile is told whole, as they
    look at all batches at once.
    """
    from iota_dagster.ingesting import ingest_paths

    started = time.monotonic()
    with progress_bar(not as_json) as progress:
        summary = ingest_paths(paths, progress)
    figures = summary.as_dict() | {"seconds": round(time.monotonic() - started, 3)}
    if as_json:
        click.echo(json.dumps(figures))
    else:
        show(figures)
    tell_problems(summary.problems)


def tell_problems(problems: Sequence[str]) -> None:
    """Print what went wrong; the exit code is 1 when anything did."""
    for problem in problems:
        click.echo(printable(problem), err=True)
    if problems:
        raise SystemExit(1)


def show(figures: dict[str, object]) -> None:
    """Print a summary for people."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in figures.items():
        shown = ", ".join(f"{table}: {count:,}" for table, count in value.items()) if isinstance(value, dict) else value
        table.add_row(name, f"{shown:,}" if isinstance(shown, int) else str(shown))
    Console().print(table)


@contextmanager
def progress_bar(shown: bool) -> Iterator[Callable[[int, int], object] | None]:
    """What shows (done, total) log objects as a bar; None where nobody looks, so that nobody has to count."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("log objects"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("objects", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
