"""Which rules have judged what: the packs that were used, and the hours in which the present one may find more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

import sqlalchemy as sa

from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.hours import Hour
from iota_dagster.core.store.database import insert_ignore
from iota_dagster.core.store.schema import admissions, batches, rule_packs

_Version = str | None
"""A pack's version; None where nobody noted which it was."""
_Changes = tuple[frozenset[str], frozenset[str]]
"""The ids of new and of changed rules."""


@dataclass(frozen=True, slots=True)
class StaleHour:
    """A delivery hour in whose events the present rules may find something else than is known.

    `batches` of it were judged by other packs, the oldest at `judged_at`, with `oldest_version` (None: not noted).
    """

    hour: Hour
    oldest_version: _Version
    judged_at: datetime
    batches: int
    new_rules: tuple[str, ...]
    changed_rules: tuple[str, ...]


def note_use(connection: sa.Connection, batch_id: str, pack: RulePack, now: datetime) -> None:
    """Note that a pack has judged a batch, and what is in the pack when it is the first time."""
    version = pack.version
    connection.execute(sa.update(batches).where(batches.c.id == batch_id).values(rules_version=version))
    if not connection.scalar(sa.select(sa.exists().where(rule_packs.c.version == version))):
        rules = {rule.id: [rule.version, list(rule.log_types)] for rule in pack.rules if rule.enabled}
        connection.execute(
            insert_ignore(connection, rule_packs), {"version": version, "first_used_at": now, "rules": rules}
        )


def oldest_version(connection: sa.Connection, hour: Hour) -> _Version:
    """The version of the pack that has judged the batch of an hour whose judgement is the oldest, if it is known."""
    return connection.scalar(
        sa.select(batches.c.rules_version)
        .where(batches.c.delivery_hour == hour, batches.c.alerts_at.is_not(None))
        .order_by(batches.c.alerts_at, batches.c.id)
        .limit(1)
    )


def stale_hours(connection: sa.Connection, pack: RulePack, hours: Collection[Hour] | None = None) -> list[StaleHour]:
    """The delivery hours (among `hours`, if given) with rules that are new or changed since they were judged, in order.

    Only rules count that are enabled and read a log type of which the batch has events. A rule that is gone makes
    nothing stale: what it found, it found.
    """
    changes = _Comparison(connection, pack)
    found = []
    for hour, items in groupby(_judged_by_others(connection, pack.version, hours), key=lambda item: item.hour):
        stale = [(item, change) for item in items if any(change := changes.since(item.version, item.log_types))]
        if stale:
            oldest = min((item for item, _ in stale), key=lambda item: item.judged_at)
            new = frozenset[str]().union(*(change[0] for _, change in stale))
            changed = frozenset[str]().union(*(change[1] for _, change in stale)) - new
            found.append(
                StaleHour(
                    hour, oldest.version, oldest.judged_at, len(stale), tuple(sorted(new)), tuple(sorted(changed))
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class _Judged:
    """A batch as some pack has judged it."""

    hour: Hour
    version: _Version
    judged_at: datetime
    log_types: frozenset[str]


def _judged_by_others(connection: sa.Connection, version: str, hours: Collection[Hour] | None) -> Iterator[_Judged]:
    """The judged batches with admitted events that another pack has judged, by hour."""
    b = batches.c
    query = (
        sa.select(b.delivery_hour, b.id, b.rules_version, b.alerts_at, admissions.c.log_type)
        .join(admissions, admissions.c.batch_id == b.id)
        .where(b.alerts_at.is_not(None), b.rules_version.is_distinct_from(version))
        .order_by(b.delivery_hour, b.id)
        .distinct()
    )
    if hours is not None:
        query = query.where(b.delivery_hour.in_(hours))
    for _, rows in groupby(connection.execute(query), key=lambda row: row.id):
        members = list(rows)
        first = members[0]
        log_types = frozenset(row.log_type for row in members)
        yield _Judged(first.delivery_hour, first.rules_version, first.alerts_at, log_types)


class _Comparison:
    """The present pack beside those of before, each pair of (version, log types) compared once."""

    def __init__(self, connection: sa.Connection, pack: RulePack) -> None:
        self._connection = connection
        self._rules = [rule for rule in pack.rules if rule.enabled]
        self._packs: dict[_Version, Mapping[str, Sequence[object]]] = {}
        self._known: dict[tuple[_Version, frozenset[str]], _Changes] = {}

    def since(self, version: _Version, log_types: frozenset[str]) -> _Changes:
        """The rules for some log types that are new, and those that are changed, since a pack of before."""
        key = version, log_types
        if key not in self._known:
            before = self._pack(version)
            mine = [rule for rule in self._rules if not log_types.isdisjoint(rule.log_types)]
            new = frozenset(rule.id for rule in mine if rule.id not in before)
            changed = frozenset(rule.id for rule in mine if rule.id in before and before[rule.id][0] != rule.version)
            self._known[key] = new, changed
        return self._known[key]

    def _pack(self, version: _Version) -> Mapping[str, Sequence[object]]:
        """What was in a pack; nothing where that is not known."""
        if version not in self._packs:
            query = sa.select(rule_packs.c.rules).where(rule_packs.c.version == version)
            self._packs[version] = self._connection.scalar(query) or {}
        return self._packs[version]
