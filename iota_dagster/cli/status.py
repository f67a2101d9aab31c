"""`iota status`: one screen of what is late, what waits, what failed and what was found."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click
import sqlalchemy as sa

from iota_dagster.cli.own_store import own_store
from iota_dagster.cli.text import SEVERITY_STYLES, plain, printable
from iota_dagster.core.errors import Outage
from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from iota_dagster.core.model import Alert
    from iota_dagster.core.observability.status import Lag, Status, StatusReader
    from iota_dagster.settings import Settings

SECONDS = 2.0
"""Between two looks of --watch."""
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
Line = tuple[str, str, bool]
"""A heading, what it says, and whether somebody should look at it."""


@click.command("status")
@click.option("--watch", is_flag=True, help="Renew the screen every two seconds, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the same facts as JSON.")
def command(watch: bool, as_json: bool) -> None:
    """Show how the installation stands: lag, backlog, failures, sources, alerts, outbox.

    Everything comes from the store: it costs little and works while Dagster is down. `iota doctor` looks at the rest.
    """
    from iota_dagster.core.observability.status import StatusReader
    from iota_dagster.settings import load_settings

    if watch and as_json:
        raise click.UsageError("--watch is for people: leave out --watch or --json")
    settings = load_settings()
    with own_store(settings) as database:
        destinations = {item.name for item in settings.destinations}
        reader = StatusReader(database, [item.name for item in settings.integrations], destinations=destinations)
        if as_json:
            click.echo(json.dumps(as_values(reader.look(), settings), default=plain))
        else:
            _show(reader, settings, watch)


def as_values(status: Status, settings: Settings) -> dict[str, Any]:
    """A status as JSON has it: times as they are, durations in seconds."""
    values = asdict(status) | {"places": dict(places(settings))}
    for shown, item in zip(values["last_batches"], status.last_batches, strict=True):
        lag = item.event_to_committed
        shown["event_to_committed_seconds"] = lag.total_seconds() if lag is not None else None
    return values


def places(settings: Settings) -> Iterator[tuple[str, str]]:
    """Where store and lake are; a password is left out."""
    url = sa.make_url(settings.store_url).difference_update_query(["password"])
    yield "store", url.render_as_string(hide_password=True)
    yield "lake", settings.lake_url


def _show(reader: StatusReader, settings: Settings, watch: bool) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    if not watch:
        console.print(page(reader.look(), settings))
        return
    with Live(console=console, auto_refresh=False, screen=console.is_terminal) as live, suppress(KeyboardInterrupt):
        while True:
            live.update(_page_or_outage(reader, settings), refresh=True)
            time.sleep(SECONDS)


def _page_or_outage(reader: StatusReader, settings: Settings) -> RenderableType:
    """A watch outlives an outage of the store: the next look may answer."""
    from rich.text import Text

    try:
        return page(reader.look(), settings)
    except Outage as error:
        return Text(printable(str(error)), "red")


def page(status: Status, settings: Settings) -> RenderableType:
    """A status on one screen."""
    from rich.console import Group
    from rich.text import Text

    where = "   ".join(f"{name} {place}" for name, place in places(settings))
    head = Text.assemble(("iota status", "bold"), f"  {status.at:%Y-%m-%d %H:%M:%S} UTC\n", (printable(where), "dim"))
    parts: list[RenderableType] = [head, Text(), _facts(status)]
    if status.sources:
        parts += [Text(), _sources(status)]
    if status.alerts:
        parts += [Text(), _alerts(status)]
    return Group(*parts)


def _facts(status: Status) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    for name, text, is_bad in _lines(status):
        grid.add_row(Text(name, "bold"), Text(one_line(text), "yellow" if is_bad else ""))
    return grid


def _lines(status: Status) -> Iterator[Line]:
    yield "lag", f"{_lag(status.event_to_committed)} from event to commit", False
    yield "", f"{_lag(status.delivered_to_committed)} from delivery to commit", False
    done = status.last_hour
    text = f"{done.rows:,} events of {done.records:,} records, {done.objects:,} objects, {done.bytes / 2**20:,.1f} MiB"
    yield "last hour", text, False
    yield "", f"{done.batches:,} batches, {done.duplicates:,} duplicates", False
    yield from _backlog(status)
    yield from _failures(status)
    yield from _outbox(status)
    for alert in status.rule_errors:
        yield "rule error", f"{_clock(alert.created_at)} {alert.title}", True
    signs = status.signs
    seen = f"sensor {_ago(signs.requested_at, status.at)}, claim {_ago(signs.claimed_at, status.at)}"
    beat = f", heartbeat {_ago(signs.heartbeat_at, status.at)}" if signs.heartbeat_at else ""
    failing = f"; {signs.failing_hours:,} hours whose runs fail again and again" if signs.failing_hours else ""
    yield "last seen", f"{seen}{beat}{failing}", bool(signs.failing_hours)


def _backlog(status: Status) -> Iterator[Line]:
    waits = status.backlog
    text = f"{waits.pending:,} objects pending, {waits.claimed:,} claimed"
    if waits.oldest:
        text += f", the oldest {_ago(waits.oldest, status.at)}"
    yield "backlog", text, False
    unfinished = f"{waits.open_batches:,} batches open, {waits.committed_batches:,} committed but not published"
    if waits.open_batches or waits.committed_batches or waits.to_do_again:
        yield "", f"{unfinished}, {waits.to_do_again:,} to be done again", False
    if waits.after_outage:
        yield "", f"{waits.after_outage:,} objects wait for an outage to pass", True


def _failures(status: Status) -> Iterator[Line]:
    found = status.failures
    text = f"{found.missing:,} objects missing, {found.refused:,} refused, {found.quarantined:,} quarantined"
    yield "failures", text, bool(found.missing or found.refused or found.quarantined)
    if found.dead_attempts or found.blocked:
        yield (
            "",
            f"{found.dead_attempts:,} runs died over a batch; {found.blocked:,} batches cannot be done again",
            True,
        )
    for item in found.recent:
        yield "", f"24 h: {item.reason}, {item.records:,} records and {item.objects:,} whole objects", True


def _outbox(status: Status) -> Iterator[Line]:
    if not status.outbox:
        yield "outbox", "nothing waits", False
    for item in status.outbox:
        if not (item.is_configured or item.waiting):
            text = f"{item.destination} is no destination any more, {item.failed:,} alerts not sent there"
            yield "outbox", text, False
            continue
        error = f": {item.error}" if item.error else ""
        since = f" (since {_clock(item.oldest)})" if item.oldest else ""
        text = f"{item.destination}, {item.waiting:,} waiting{since}, {item.failed:,} given up{error}"
        yield "outbox", text, bool(item.error or item.failed)


def _sources(status: Status) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("source", "last log", "last event", "silent", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for item in status.sources:
        if item.is_silent:
            news = Text("yes, longer than it ever is", "bold yellow")
        else:
            news = Text("-" if item.silent_from is None else f"news from {_clock(item.silent_from)} on")
        ages = (_ago(moment, status.at) for moment in (item.last_object, item.last_event))
        table.add_row(Text(one_line(item.integration)), *ages, news)
    return table


def _alerts(status: Status) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table("alert", "severity", "delivered to", "title", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for item in status.alerts:
        title = Text(one_line(item.alert.title), no_wrap=True, overflow="ellipsis")
        sent = Text(one_line(", ".join(item.sent_to) or "-"))
        table.add_row(_clock(item.alert.created_at), _severity(item.alert), sent, title)
    return table


def _severity(alert: Alert) -> Any:
    from rich.text import Text

    withdrawn = ", withdrawn" if alert.status == "withdrawn" else ""
    return Text(f"{alert.severity}{withdrawn}", SEVERITY_STYLES.get(alert.severity, ""))


def _lag(lag: Lag) -> str:
    if lag.median_seconds is None or lag.worst_seconds is None:
        return "unknown"
    return f"{_duration(lag.median_seconds)} (median), {_duration(lag.worst_seconds)} (worst)"


def _duration(seconds: float) -> str:
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.1f} s"


def _ago(moment: datetime | None, now: datetime) -> str:
    return "never" if moment is None else f"{_duration(max((now - moment).total_seconds(), 0))} ago"


def _clock(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%m-%d %H:%M:%S}"
