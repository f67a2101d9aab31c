"""Rows on a screen: a table where it fits, else each row by itself; piped, a line per row whatever its length."""

from __future__ import annotations

import sys
from collections.abc import Container, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from iota_dagster.cli.text import cell, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PIPED = 100_000
_FOLDED = 2
"""A table more than so many times as wide as the terminal is no easier to read than its rows one by one."""


def console() -> Console:
    """What prints tables to standard output: as wide as the terminal, without one as wide as they are."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else _PIPED)


def show_rows(rows: Sequence[Mapping[str, object]]) -> None:
    """Print rows of the same columns, numbers to the right."""
    numbers = {name for name, value in rows[0].items() if isinstance(value, int)}
    show_texts(list(rows[0]), numbers, [[_text(value) for value in row.values()] for row in rows])


def show_texts(names: Sequence[str], numbers: Container[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows of text under their names: as a table, or row by row where that would be far too wide."""
    out, table = console(), _table(names, numbers, rows)
    needed = out.measure(table, options=out.options.update(width=_PIPED))
    if needed.minimum <= out.width and needed.maximum <= _FOLDED * out.width:
        out.print(table)
    else:
        click.echo("\n\n".join(_block(names, row) for row in rows))


def _table(names: Sequence[str], numbers: Container[str], rows: Sequence[Sequence[str]]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for name in names:
        is_number = name in numbers
        table.add_column(cell(name), justify="right" if is_number else "left", overflow="fold", no_wrap=is_number)
    for row in rows:
        table.add_row(*(cell(text) for text in row))
    return table


def _block(names: Sequence[str], row: Sequence[str]) -> str:
    """`name  value` lines; an empty value has none."""
    width = max(len(name) for name in names)
    return "\n".join(printable(f"{name:>{width}}  {text}") for name, text in zip(names, row, strict=True) if text)


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case int():
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    return str(value)
