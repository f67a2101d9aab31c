"""`iota rules queries`: the scheduled queries, when they run, and what they find."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.own_store import own_store
from iota_dagster.cli.text import printable
from iota_dagster.cli.times import moment

if TYPE_CHECKING:
    from iota_dagster.core.detection.rule import RulePack
    from iota_dagster.core.detection.scheduled_query import ScheduledQuery
    from iota_dagster.core.scheduled_queries.rows import JudgedRows
    from iota_dagster.core.scheduled_queries.runner import Answer
    from iota_dagster.core.store.scheduled_queries import QueryState
    from iota_dagster.settings import Settings

_SHOWN = 20
"""Rows and matches that are printed; the JSON has them all."""


@click.command("queries")
@click.option("--run", "name", metavar="NAME", help="Run this query and judge its rows; nothing is stored.")
@click.option(
    "--at", "due_at", type=moment, metavar="TIME", help="With --run: as if it was due then. [default: when it last was]"
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(name: str | None, due_at: datetime | None, as_json: bool) -> None:
    """List the scheduled queries: their schedules, the rules that judge their rows, and what their last run did.

    With --run, see a query's rows and what the rules say of them, as its runs do; nobody is told. The SQL's $due_at is
    the time of --at, and $previous_due_at what the schedule names before it.
    """
    from iota_dagster.core.store.scheduled_queries import states
    from iota_dagster.log_types import own_log_types
    from iota_dagster.process_workers import rule_pack
    from iota_dagster.settings import load_settings

    settings = load_settings()
    own_log_types(settings)
    pack = rule_pack(settings)
    for error in pack.errors:
        click.echo(f"CANNOT LOAD {error}", err=True)
    if name is not None:
        _run(settings, _of_name(pack, name), due_at, as_json)
        return
    if due_at is not None:
        raise click.UsageError("--at says when a query is run: name one with --run")
    with own_store(settings) as database, database.read() as connection:
        known = states(connection)
    click.echo(json.dumps(_listed(pack, known)) if as_json else "\n".join(_as_text(pack, known)))


def _of_name(pack: RulePack, name: str) -> ScheduledQuery:
    for item in pack.queries:
        if item.name == name:
            return item
    for skipped in pack.skipped:
        if skipped.id == name:
            raise click.UsageError(f"{name} cannot run here: {skipped.reason} ({skipped.file})")
    names = ", ".join(item.name for item in pack.queries) or "none"
    raise click.UsageError(f"there is no scheduled query {name}; there are: {names}")


def _run(settings: Settings, item: ScheduledQuery, due_at: datetime | None, as_json: bool) -> None:
    """Ask and judge; exit with 1 when the query fails."""
    from iota_dagster.core.scheduled_queries.runner import Querying
    from iota_dagster.platform import open_platform
    from iota_dagster.process_workers import close_workers

    platform = open_platform(settings)
    try:
        querying = Querying(platform.road)
        due_at = due_at or item.schedule.last_before(platform.road.clock())
        previous_due_at = item.schedule.last_before(due_at)
        answer = querying.ask(item, due_at, previous_due_at)
        found = querying.judge(item, answer, due_at)
    finally:
        close_workers()
        platform.database.dispose()
    occasion = {"due_at": _moment(due_at), "previous_due_at": _moment(previous_due_at)}
    told = {"query": item.name} | occasion | _found(answer, found)
    click.echo(json.dumps(told) if as_json else "\n".join(_found_text(told)))
    if answer.error:
        raise click.exceptions.Exit(1)


def _found(answer: Answer, found: JudgedRows) -> dict[str, Any]:
    from iota_dagster.core.scheduled_queries.rows import plain

    return {
        "seconds": round(answer.seconds, 3),
        "error": answer.error,
        "rows": [plain(row) for row in answer.rows.to_pylist()],
        "matches": [
            {"rule": match.rule_id, "severity": match.severity, "title": match.title} for match in found.matches
        ],
    }


def _found_text(told: Mapping[str, Any]) -> Iterator[str]:
    rows, matches = told["rows"], told["matches"]
    yield from (printable(json.dumps(row, ensure_ascii=False)) for row in rows[:_SHOWN])
    yield f"{len(rows)} rows in {told['seconds']:.2f} s, {len(matches)} matches, as of {told['due_at']}"
    yield from (printable(f"  {item['severity']:<8} {item['rule']}: {item['title']}") for item in matches[:_SHOWN])
    if told["error"]:
        yield printable(f"FAILED {told['error']}")


def _listed(pack: RulePack, known: Mapping[str, QueryState]) -> dict[str, Any]:
    return {
        "queries": [_described(item, _readers(pack, item), known.get(item.name)) for item in pack.queries],
        "not_runnable": [{"query": item.id, "file": str(item.file), "reason": item.reason} for item in pack.skipped],
    }


def _described(item: ScheduledQuery, rules: Sequence[str], state: QueryState | None) -> dict[str, Any]:
    return {
        "query": item.name,
        "enabled": item.enabled,
        "schedule": str(item.schedule),
        "timeout_minutes": item.schedule.timeout_minutes,
        "rules": list(rules),
        "due": _moment(state.due_at if state else None),
        "last_run": _moment(state.last_run_at if state else None),
        "last_rows": state.last_rows if state else 0,
        "last_matches": state.last_matches if state else 0,
        "last_seconds": state.last_seconds if state else None,
        "error": state.error if state else None,
        "file": item.file,
    }


def _moment(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None


def _readers(pack: RulePack, item: ScheduledQuery) -> list[str]:
    """The enabled rules that judge a query's rows."""
    return [rule.id for rule in pack.rules if rule.enabled and item.log_type in rule.log_types]


def _as_text(pack: RulePack, known: Mapping[str, QueryState]) -> Iterator[str]:
    if not pack.queries:
        yield "there are no scheduled queries"
    for item in pack.queries:
        yield from _lines(_described(item, _readers(pack, item), known.get(item.name)))
    for skipped in pack.skipped:
        yield f"cannot run {skipped.id}: {skipped.reason} ({skipped.file})"


def _lines(told: Mapping[str, Any]) -> Iterator[str]:
    yield told["query"] + ("" if told["enabled"] else " (disabled)")
    yield f"  schedule  {told['schedule']} (UTC)" + (f", due {told['due']}" if told["due"] else "")
    yield f"  rules     {', '.join(told['rules']) or 'none: it does not run'}"
    if told["last_run"]:
        count = f"{told['last_rows']} rows, {told['last_matches']} matches in {told['last_seconds']:.1f} s"
        yield f"  last run  {told['last_run']}: {count}"
    if told["error"]:
        yield printable(f"  FAILED    {told['error']}")
