"""What commands that do much work tell: how far they are, what they did, and what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

from iota_dagster.core.text import printable


@contextmanager
def progress_bar(shown: bool, noun: str = "log objects") -> Iterator[Callable[[int, int], object] | None]:
    """What shows (done, total) of something as a bar; None where nobody looks, so that nobody has to count."""
    if not (shown and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn(noun), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(noun, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def show_figures(figures: Mapping[str, object]) -> None:
    """Print a summary for people; its problems are left to `tell_problems`."""
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in figures.items():
        if name == "problems":
            continue
        shown = ", ".join(f"{table}: {count:,}" for table, count in value.items()) if isinstance(value, dict) else value
        table.add_row(name, f"{shown:,}" if isinstance(shown, int) else str(shown))
    Console().print(table)


def tell_problems(problems: Sequence[str]) -> None:
    """Print what went wrong; the exit code is 1 when anything did."""
    for problem in problems:
        click.echo(printable(problem), err=True)
    if problems:
        raise SystemExit(1)
