"""The demo on a terminal: a page that renews itself, or lines where nobody can see one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pyarrow as pa
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from iota_dagster.cli.text import SEVERITY_STYLES, printable
from iota_dagster.core.model import Alert
from iota_dagster.demo.live import Show
from iota_dagster.demo.question import QUESTION
from iota_dagster.demo.watch import Found, View

_LINE_SECONDS = 10
_OTHER_LINES = 19  # of the page, beside alerts and answer


@contextmanager
def showing(console: Console) -> Iterator[Show]:
    """What shows a view: in place on a terminal, else as lines."""
    if not console.is_terminal:
        yield _Lines(console)
        return
    with Live(console=console, auto_refresh=False, screen=True) as live:
        yield lambda view: live.update(page(view, console.height), refresh=True)


def page(view: View, height: int) -> RenderableType:
    """A view as one page, cut to so many lines."""
    room = max(height - _OTHER_LINES, 5)
    answers = 0 if view.answer is None else min(len(view.answer), room // 3)
    parts: list[RenderableType] = [_head(view), figures_grid(view), _alerts(view, room - answers)]
    if view.answer is not None and answers:
        last = view.answer.slice(len(view.answer) - answers)
        parts += [Text(QUESTION, style="bold"), answer_table(last)]
    return Group(*parts, _hints(view))


def summary(view: View) -> str:
    """What a demo came to, in a line or two."""
    first = view.first_alert_seconds
    text = "no alert yet" if first is None else f"the first alert came {first:.1f} s after the start"
    figures = ", ".join(f"{name} {value:,}" for name, value in view.figures.items())
    latency = f"\n{view.latency}" if view.latency else ""
    return f"{text}{latency}\n{figures}, Glue partitions {view.glue_partitions:,}"


def figures_grid(view: View) -> Table:
    """The figures, one beside the other."""
    figures = view.figures
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    cells = {f"objects of {view.put:,}": figures.get("objects", 0)}
    cells |= {name: figures.get(name, 0) for name in ("records", "events", "duplicates", "quarantined", "alerts")}
    for name in cells:
        grid.add_column(name, justify="right")
    grid.add_column("Glue partitions", justify="right")
    grid.add_row(*(f"{value:,}" for value in (*cells.values(), view.glue_partitions)))
    return grid


def answer_table(answer: pa.Table) -> Table:
    """The lake's answer, fit for a terminal."""
    table = Table(*answer.column_names, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in answer.to_pylist():
        table.add_row(*(Text("" if value is None else printable(str(value))) for value in row.values()))
    return table


def severity(alert: Alert) -> Text:
    """An alert's severity in its colour."""
    return Text(alert.severity, SEVERITY_STYLES.get(alert.severity, ""))


def _head(view: View) -> Text:
    text = Text.assemble(("iota demo", "bold"), f"  {view.seconds:.0f} s   ")
    if view.first_alert_seconds is not None:
        text.append(f"first alert after {view.first_alert_seconds:.1f} s   ", "green")
    text.append(view.latency)
    return text.append(f"\n{view.ui}", "bold blue").append(_state(view))


def _state(view: View) -> str:
    return "  Dagster: lineage, hours, runs" if view.ui_answers else "  Dagster is starting"


def _alerts(view: View, most: int) -> Table:
    table = Table("severity", "event (UTC)", "after", "alert", box=box.SIMPLE_HEAD, pad_edge=False)
    for item in view.found[:most]:
        when = f"{item.alert.last_event_time:%H:%M:%S}"
        title = Text(printable(item.alert.title), no_wrap=True, overflow="ellipsis")
        table.add_row(severity(item.alert), when, _after(item), title)
    return table


def _after(item: Found) -> str:
    return "" if item.seconds is None else f"{item.seconds:.1f} s"


def _hints(view: View) -> Text:
    command = f'. {view.folder}/env; iota query "SELECT title, matches FROM alerts"'
    return Text.assemble(("in another terminal: ", "dim"), command, ("\nCtrl-C ends it and removes everything", "dim"))


@dataclass(slots=True)
class _Lines:
    """Prints the figures now and then, and every alert once."""

    console: Console
    _known: set[str] = field(default_factory=set)
    _next: float = 0
    _answered: bool = False

    def __call__(self, view: View) -> None:
        if not self._known and not self._next:
            self._print(view, f"Dagster: {view.ui}")
        for item in reversed(view.found):
            if item.alert.id not in self._known:
                self._known.add(item.alert.id)
                after = f" ({_after(item)} after its event)" if item.seconds is not None else ""
                self._print(view, f"{item.alert.severity}: {item.alert.title}{after}")
        if view.seconds >= self._next:
            self._next = view.seconds + _LINE_SECONDS
            figures = ", ".join(f"{name} {value:,}" for name, value in view.figures.items())
            self._print(view, f"{figures}, Glue partitions {view.glue_partitions:,}")
        if view.answer is not None and len(view.answer) and not self._answered:
            self._answered = True
            self.console.print(QUESTION)
            self.console.print(answer_table(view.answer))

    def _print(self, view: View, text: str) -> None:
        self.console.print(f"{view.seconds:6.1f} s  {printable(text)}", markup=False, highlight=False, soft_wrap=True)
