"""`iota trace`: where an event came from and what became of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.text import plain
from iota_dagster.cli.times import moment
from iota_dagster.core.hours import hour_key, hour_of
from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from iota_dagster.core.store.lineage import BatchRecord, LedgerObject
    from iota_dagster.core.tracing.trace import Scope, Trace
    from iota_dagster.core.tracing.tracing import Tracer
    from iota_dagster.settings import Settings

COLUMNS = 12
"""Of a row so many columns are shown; `--json` has all."""
LONGEST = 300
"""Characters of a value that are shown."""
Line = tuple[str, str]
"""A heading and what it says."""


def _hours(_: click.Context, __: click.Parameter, text: str | None) -> range | None:
    """An hour, or all of a day where no time is given."""
    if text is None:
        return None
    first = hour_of(moment(text))
    return range(first, first + (1 if "T" in text or ":" in text else 24))


@click.command("trace")
@click.argument("id", required=False)
@click.option("--object", "place", metavar="KEY", help="A log object; with ID: the copy of the event in it.")
@click.option("--hour", "hours", callback=_hours, metavar="TIME", help="Search this event hour only, or this day; UTC.")
@click.option("--log-type", "log_types", multiple=True, help="Search this log type only; may be given several times.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
def command(id: str | None, place: str | None, hours: range | None, log_types: tuple[str, ...], as_json: bool) -> None:
    """Show the way of an event: its log object, batch and run, lake file and row, matches, alerts and deliveries.

    ID is a p_event_id, a vendor's own id, a match or an alert. An event is searched in all event hours whose id files
    are kept, the newest first; an older one is found with --hour. The exit code is 1 when nothing is found.
    """
    from iota_dagster.core.tracing.trace import Fate
    from iota_dagster.settings import load_settings

    if id is None and place is None:
        raise click.UsageError("give the id of an event, a match or an alert, or --object with a log object's key")
    id = id.strip("\r\n") if id else id  # the last cell of a CSV line that a shell has cut out
    settings = load_settings()
    tracer = _tracer(settings)
    try:
        trace = _trace(tracer, id, place, _scope(settings, hours, log_types))
    finally:
        tracer.search.database.dispose()
    if as_json:
        click.echo(json.dumps(asdict(trace), default=plain))
    else:
        _show(trace)
    if trace.fate is Fate.UNKNOWN:
        raise click.exceptions.Exit(1)


def _tracer(settings: Settings) -> Tracer:
    from iota_dagster.core.storage import open_storage
    from iota_dagster.core.store.database import Database
    from iota_dagster.core.tracing.id_search import IdSearch
    from iota_dagster.core.tracing.tracing import Tracer
    from iota_dagster.own_clients import own_clients

    clients = own_clients(settings)
    database = Database(settings.store_url)
    database.migrate()
    search = IdSearch(database, open_storage(settings.lake_url, clients), open_storage(settings.state_url, clients))
    return Tracer(search)


def _scope(settings: Settings, hours: range | None, log_types: tuple[str, ...]) -> Scope:
    from iota_dagster.core.tracing.trace import Scope

    return Scope(datetime.now(UTC) - timedelta(days=settings.id_files_days), hours, log_types)


def _trace(tracer: Tracer, id: str | None, place: str | None, scope: Scope) -> Trace:
    if place is None:
        assert id is not None
        return tracer.trace(id, scope)
    return tracer.object(place) if id is None else tracer.in_object(id, place)


# ── for people ──


def _show(trace: Trace, indent: str = "") -> None:
    click.echo(f"{indent}{click.style(one_line(trace.told), bold=True)}")
    lines = list(_lines(trace))
    width = max((len(name) for name, _ in lines), default=0)
    for name, text in lines:
        click.echo(f"{indent}  {name:<{width}}  {one_line(text)}")
    for event in trace.events:
        click.echo()
        _show(event, indent + "  ")


def _lines(trace: Trace) -> Iterator[Line]:
    if trace.event:
        yield "event", f"{trace.event.event_id}, {trace.event.log_type}, event hour {hour_key(trace.event.hour)}"
    for item in trace.objects:
        yield from _object(item)
    for batch in trace.batches:
        yield from _batch(batch)
    for file in trace.files:
        shown = f"{file.table} {hour_key(file.hour)}, generation {file.generation}, {file.rows:,} rows: {file.path}"
        yield "lake file", shown
    yield from _row(trace)
    for counted in trace.duplicates:
        where = f"{counted.log_type} {hour_key(counted.hour)}"
        yield "duplicates", f"batch {counted.batch_id} dropped {counted.count:,} for batch {counted.against}, {where}"
    for held in trace.quarantine:
        record = "whole" if held.ordinal is None else f"record {held.ordinal}"
        yield "quarantine", f"item {held.id}, {held.reason}, {record}, {_time(held.created_at)}: {held.detail}"
    yield from _found(trace)


def _object(item: LedgerObject) -> Iterator[Line]:
    yield "object", f"{item.place} (etag {item.etag or '-'}, {item.size:,} bytes)"
    times = f"delivered {_time(item.last_modified)}, registered {_time(item.registered_at)}, done {_time(item.done_at)}"
    error = f": {item.error}" if item.error else ""
    yield "", f"{item.status}{error}; integration {item.integration}, delivery hour {hour_key(item.delivery_hour)}"
    counts = f"{item.rows:,} rows, {item.duplicates:,} duplicates, {item.quarantined:,} quarantined"
    yield "", f"{item.records:,} records: {counts}; {times}"
    if item.content_sha256:
        yield "", f"sha256 {item.content_sha256}"


def _batch(batch: BatchRecord) -> Iterator[Line]:
    begun = f", {_attempts(batch.attempts)} since its last commit" if batch.attempts else ""
    shown = f"{batch.id}, {batch.status}, revision {batch.revision}{begun}"
    yield "batch", f"{shown}, delivery hour {hour_key(batch.delivery_hour)}"
    committed = f"created {_time(batch.created_at)}, committed {_time(batch.committed_at)}"
    yield "", f"{committed}, in the lake {_time(batch.lake_at)}, judged {_time(batch.alerts_at)}"
    for reason in filter(None, (batch.redo_reason, batch.redo_blocked)):
        yield "", f"to be done again: {reason}"
    for run in batch.runs:
        outcome = f"; {run.outcome}" if run.outcome else ""
        yield "run", f"{run.root_run}, claimed {_time(run.claimed_at)}, revision {run.revision} ({run.mode}){outcome}"


def _row(trace: Trace) -> Iterator[Line]:
    if trace.row is None:
        return
    yield "row", f"p_source_line {trace.row['p_source_line']}, p_event_time {_value(trace.row['p_event_time'])}"
    own = [name for name, value in trace.row.items() if not name.startswith("p_") and value is not None]
    for name in own[:COLUMNS]:
        yield "", f"{name}: {_value(trace.row[name])}"


def _found(trace: Trace) -> Iterator[Line]:
    for match in trace.matches:
        kind = "" if match.create_alert else ", a signal"
        yield "match", f"{match.id} of {match.rule_id} at {_time(match.event_time)}{kind}: {match.title}"
    for alert in trace.alerts:
        yield "alert", f"{alert.id} {alert.severity}, {alert.status}, {alert.matches:,} matches: {alert.title}"
        yield "", f"made {_time(alert.created_at)}, dedup {alert.dedup!r}"
        for item in (item for item in trace.deliveries if item.alert_id == alert.id):
            error = f": {item.error}" if item.error else ""
            when = _time(item.sent_at or item.next_attempt_at)
            yield "delivery", f"{item.destination}, {item.status}, {_attempts(item.attempts)}, {when}{error}"


def _attempts(count: int) -> str:
    return f"{count} attempt{'' if count == 1 else 's'}"


def _time(moment: datetime | None) -> str:
    return "-" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _value(value: Any) -> str:
    known = plain(value)
    text = known if isinstance(known, str) else json.dumps(known, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
