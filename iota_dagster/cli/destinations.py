"""`iota destinations`: where alerts go, whether they arrive, and sending again what was given up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from iota_dagster.cli.own_store import own_store
from iota_dagster.core.text import one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iota_dagster.core.alerting.destination import Destination
    from iota_dagster.settings import Settings


@click.command("destinations")
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--test", "is_test", is_flag=True, help="Send a test alert to each, and say whether it arrived.")
@click.option("--retry", "is_retry", is_flag=True, help="Let alerts that were given up be sent again, however old.")
@click.option("--give-up", "is_giving_up", is_flag=True, help="Stop trying to send to NAME, which was removed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line and destination.")
def command(names: tuple[str, ...], is_test: bool, is_retry: bool, is_giving_up: bool, as_json: bool) -> None:
    """List the destinations of alerts (all, or those named) and the severities that are routed to each.

    With --test each gets an alert that says that it is a test; it is in neither store nor lake. Exit with 1 when one
    does not arrive.

    With --retry each gets what was given up after a day of attempts, from the next run that sends: people are paged for
    old alerts too. `iota status` shows how many there are beforehand.

    With --give-up no further attempt is made at what waits for names that the settings do not have any more: it would
    be tried for a day. Should there be a destination of that name again, --retry sends it.
    """
    from iota_dagster.own_clients import own_clients
    from iota_dagster.platform import open_destinations
    from iota_dagster.settings import load_settings

    if is_test and is_retry:
        raise click.UsageError("--test and --retry do not go together: test first")
    if is_giving_up and (is_test or is_retry):
        raise click.UsageError("--give-up goes with neither --test nor --retry")
    settings = load_settings()
    if is_giving_up:
        _give_up(settings, names, as_json)
        return
    _require_known(names, [item.name for item in settings.destinations])
    opened = {item.name: item for item in open_destinations(settings, own_clients(settings))}
    failed = False
    for facts in _facts(settings, names):
        if is_test:
            facts["error"] = _tested(opened[facts["name"]])
            failed |= facts["error"] is not None
        if is_retry:
            facts |= _retried(settings, facts["name"])
        click.echo(json.dumps(facts) if as_json else _line(facts))
    if failed:
        raise click.exceptions.Exit(1)


def _require_known(names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise click.UsageError(f"{name} is no destination, there are: {', '.join(known) or 'none'}")


def _give_up(settings: Settings, names: Sequence[str], as_json: bool) -> None:
    """End the attempts at names that were removed, and say how many alerts that was."""
    from iota_dagster.core.alerting import outbox

    if not names:
        raise click.UsageError("--give-up needs the names that were removed: iota status shows what waits for them")
    if known := [item.name for item in settings.destinations if item.name in names]:
        raise click.UsageError(f"{', '.join(known)}: the settings still have it, so what waits for it is sent")
    with own_store(settings) as database, database.begin() as connection:
        counts = {name: outbox.give_up(connection, name) for name in names}
    for name, count in counts.items():
        facts = {"name": name, "given_up": count}
        click.echo(json.dumps(facts) if as_json else f"{one_line(name):<24} → alerts given up: {count:,}")


def _facts(settings: Settings, names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "name": item.name,
            "type": item.type,
            "severities": [severity for severity, routed in settings.routing.items() if item.name in routed],
        }
        for item in settings.destinations
        if not names or item.name in names
    ]


def _tested(destination: Destination) -> str | None:
    """Send a test alert; what was wrong, None when it arrived."""
    from iota_dagster.core.alerting.trial import trial_delivery
    from iota_dagster.core.errors import DeliveryFailed

    try:
        destination.send(trial_delivery(destination.name))
    except DeliveryFailed as error:
        return str(error)
    return None


def _retried(settings: Settings, name: str) -> dict[str, Any]:
    """Make due again what a destination was given up on; how many alerts that is, and when the oldest came to be."""
    from iota_dagster.core.alerting import outbox

    with own_store(settings) as database, database.begin() as connection:
        count, oldest = outbox.retry_given_up(connection, name, datetime.now(UTC))
    return {"retried": count, "oldest": f"{oldest:%Y-%m-%dT%H:%M:%SZ}" if oldest else None}


def _line(facts: dict[str, Any]) -> str:
    severities = ", ".join(facts["severities"]) or "no severity: only rules that name it"
    text = f"{facts['name']:<24} {facts['type']:<11} {severities}"
    if "error" in facts:
        text += f" → {one_line(facts['error']) if facts['error'] else 'arrived'}"
    if "retried" in facts:
        since = f", the oldest of {facts['oldest']}" if facts["oldest"] else ""
        text += f" → alerts to be sent again: {facts['retried']:,}{since}"
    return text
