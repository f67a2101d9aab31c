"""`iota rules stale`: the hours in which the present rules may find what those of then did not."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from datetime import datetime

    from iota_dagster.core.detection.rule import RulePack
    from iota_dagster.core.store.rule_packs import StaleHour

_SHOWN = 8
"""Rules that a line names; the JSON has them all."""


@dataclass(frozen=True, slots=True)
class _Range:
    """Consecutive hours to which the same happened; `until` is not included."""

    since: datetime
    until: datetime
    hours: tuple[StaleHour, ...]

    @property
    def oldest(self) -> StaleHour:
        return min(self.hours, key=lambda item: item.judged_at)

    @property
    def batches(self) -> int:
        return sum(item.batches for item in self.hours)

    @property
    def command(self) -> str:
        return f"iota backfill --from {self.since:%Y-%m-%dT%H} --to {self.until:%Y-%m-%dT%H}"


@click.command("stale")
@click.option("--rule", "rule_id", metavar="ID", help="Only the hours that this rule has not judged.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of text.")
def command(rule_id: str | None, as_json: bool) -> None:
    """Show the delivery hours that were judged before a rule was new or changed, and how to judge them again.

    It compares what the store noted with the rules and overlays of the settings. An hour counts only if it has events
    of a log type that the rule reads. Nothing is changed.
    """
    from iota_dagster.core.store.database import Database
    from iota_dagster.core.store.rule_packs import stale_hours
    from iota_dagster.process_workers import rule_pack
    from iota_dagster.settings import load_settings

    settings = load_settings()
    pack = rule_pack(settings)
    if rule_id is not None:
        pack = _only(pack, rule_id)
    database = Database(settings.store_url)
    database.migrate()
    try:
        with database.read() as connection:
            ranges = list(_ranges(stale_hours(connection, pack)))
    finally:
        database.dispose()
    for error in pack.errors:
        click.echo(f"CANNOT LOAD {error}", err=True)
    click.echo(json.dumps(_as_json(pack, ranges)) if as_json else "\n".join(_as_text(ranges, rule_id)))


def _only(pack: RulePack, rule_id: str) -> RulePack:
    """A pack of one rule, which must be there and enabled."""
    from iota_dagster.core.detection.authoring.explain import find_rule

    rule = find_rule(pack, rule_id)
    if not rule.enabled:
        raise click.UsageError(f"{rule_id} is disabled: it judges nothing")
    return dataclasses.replace(pack, rules=(rule,), correlations=())


def _ranges(hours: Sequence[StaleHour]) -> Iterator[_Range]:
    """Hours in order, those joined that follow each other and lack the same."""
    from iota_dagster.core.hours import hour_start

    held: list[StaleHour] = []
    for item in [*hours, None]:
        if held and (item is None or not _follows(item, held[-1])):
            start = hour_start(held[0].hour)
            yield _Range(start, start + timedelta(hours=len(held)), tuple(held))
            held = []
        if item is not None:
            held.append(item)


def _follows(item: StaleHour, other: StaleHour) -> bool:
    same = (item.new_rules, item.changed_rules) == (other.new_rules, other.changed_rules)
    return same and item.hour == other.hour + 1


def _as_json(pack: RulePack, ranges: Sequence[_Range]) -> dict[str, Any]:
    return {
        "hours": sum(len(item.hours) for item in ranges),
        "batches": sum(item.batches for item in ranges),
        "ranges": [
            {
                "from": item.since.isoformat(),
                "to": item.until.isoformat(),
                "hours": len(item.hours),
                "batches": item.batches,
                "oldest_version": item.oldest.oldest_version,
                "judged_at": item.oldest.judged_at.isoformat(),
                "new": list(item.oldest.new_rules),
                "changed": list(item.oldest.changed_rules),
                "command": item.command,
            }
            for item in ranges
        ],
        "errors": [str(error) for error in pack.errors],
    }


def _as_text(ranges: Sequence[_Range], rule_id: str | None) -> Iterator[str]:
    if not ranges:
        yield f"nothing is stale: {rule_id or 'the present rules'} judged every hour"
    for item in ranges:
        oldest = item.oldest
        version = f"by rules {oldest.oldest_version}" if oldest.oldest_version else "by rules that nobody noted"
        yield f"{item.since:%Y-%m-%d %H:%M} to {item.until:%Y-%m-%d %H:%M} UTC: {_count(item)}"
        yield f"  judged   {oldest.judged_at:%Y-%m-%d %H:%M} UTC or later, {version}"
        for word, rules in (("new", oldest.new_rules), ("changed", oldest.changed_rules)):
            if rules:
                yield f"  {word:<8} {_listed(rules)}"
        yield f"  again    {item.command}"


def _count(item: _Range) -> str:
    hours, batches = len(item.hours), item.batches
    return f"{hours} hour{'s' * (hours > 1)}, {batches} batch{'es' * (batches > 1)}"


def _listed(rules: Sequence[str]) -> str:
    more = len(rules) - _SHOWN
    return ", ".join(rules[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
