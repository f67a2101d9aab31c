"""What commands that do much work tell: how far they are, what they did, and what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import click

from iota_dagster.cli.tables import console
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


@contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """Ctrl-C inside the block ends the command with one line that says how to go on, and with exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"Interrupted. Nothing is lost: {advice}", err=True)
        raise SystemExit(130) from None


def show_figures(figures: Mapping[str, object]) -> None:
    """Print a summary for people; its problems are left to `tell`."""
    from rich.table import Table

    table = Table(show_header=False, box=None, padding=(0, 2))
    for name, value in figures.items():
        if name == "problems":
            continue
        shown = ", ".join(f"{table}: {count:,}" for table, count in value.items()) if isinstance(value, dict) else value
        table.add_row(name, f"{shown:,}" if isinstance(shown, int) else str(shown))
    console().print(table)


def tell(notes: Sequence[str], problems: Sequence[str]) -> None:
    """Print what may surprise, then what went wrong; only the latter makes the exit code 1."""
    for note in notes:
        click.echo(printable(note), err=True)
    tell_problems(problems)


def tell_problems(problems: Sequence[str]) -> None:
    """Print what went wrong; the exit code is 1 when anything did."""
    for problem in problems:
        click.echo(printable(problem), err=True)
    if problems:
        raise SystemExit(1)
