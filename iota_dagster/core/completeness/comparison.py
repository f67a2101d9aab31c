"""The digests against the ledger: findings, from what both say in the store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

import sqlalchemy as sa

from iota_dagster.core.completeness.digest import log_folder
from iota_dagster.core.completeness.findings import Finding, Kind
from iota_dagster.core.hours import Hour, hour_of, hour_start
from iota_dagster.core.model import ObjectStatus
from iota_dagster.core.store import completeness as store
from iota_dagster.core.store.completeness import DigestRow, Unmet

MOST_FINDINGS = 1_000
"""Of each question: what is wrong with more objects than that has one cause, and the first tell it; all are counted."""
_HOUR = timedelta(hours=1)

Place = tuple[str, str]
"""A bucket and a folder of logs in it: one trail's account and region."""
Window = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is wrong, by kind and time; so many `more` were counted and are not among the findings."""

    findings: tuple[Finding, ...]
    more: int = field(default=0, kw_only=True)

    @property
    def is_whole(self) -> bool:
        """Whether all that is wrong is named."""
        return self.more == 0


def compare(connection: sa.Connection, since: datetime, until: datetime) -> Comparison:
    """What the digests that end in [since, until) and the ledger disagree on."""
    unmet, all_unmet = store.unmet(connection, since, until, MOST_FINDINGS)
    gone, all_gone = store.digests_gone(connection, since, until, MOST_FINDINGS)
    doubtful, all_doubtful = store.digests_in_doubt(connection, since, until, MOST_FINDINGS)
    strangers = _unlisted(connection, range(hour_of(since), hour_of(until)))
    named = [*map(_unmet, unmet), *map(_gone, gone), *map(_untrusted, doubtful), *islice(strangers, MOST_FINDINGS)]
    found = sorted(named, key=lambda item: (item.kind, item.moment, item.bucket, item.key))
    more = all_unmet - len(unmet) + all_gone - len(gone) + all_doubtful - len(doubtful) + sum(1 for _ in strangers)
    return Comparison(tuple(found), more=more)


def _unmet(item: Unmet) -> Finding:
    if item.altered:
        kind, detail = Kind.ALTERED, "its content has another hash than the digest says"
    elif item.status is None:
        kind, detail = Kind.MISSING, "a digest lists it, and nothing has told of it"
    elif item.status == ObjectStatus.MISSING:
        kind, detail = Kind.MISSING, "a digest lists it, and it is gone from its bucket"
    else:
        kind, detail = Kind.NOT_DONE, f"it is {item.status}"
    return Finding(kind, item.integration, item.bucket, item.key, item.end_at, detail)


def _gone(row: DigestRow) -> Finding:
    detail = "it is gone from its bucket, and nobody knows what it lists"
    return Finding(Kind.MISSING, row.integration, row.bucket, row.key, row.end_at, detail)


def _untrusted(row: DigestRow) -> Finding:
    return Finding(Kind.UNTRUSTED, row.integration, row.bucket, row.key, row.end_at, row.why)


def _unlisted(connection: sa.Connection, hours: range) -> Iterator[Finding]:
    if not hours:
        return
    span = hour_start(hours[0]) - _HOUR, hour_start(hours[-1] + 1) + _HOUR
    known = merged(store.windows(connection, *span))
    for hour in hours:
        covered = {place for place, spans in known.items() if is_covered(spans, hour)}
        buckets = sorted({bucket for bucket, _ in covered})
        for item in store.unlisted(connection, hour, buckets) if buckets else ():
            if (item.bucket, log_folder(item.key)) in covered:
                detail = "no digest of its hour lists it"
                yield Finding(Kind.UNLISTED, item.integration, item.bucket, item.key, hour_start(hour), detail)


def merged(rows: Iterator[tuple[str, str, datetime, datetime]]) -> Mapping[Place, Sequence[Window]]:
    """The spans of time without a gap that digests cover, by place; the rows come in order of place and start."""
    found: dict[Place, list[Window]] = defaultdict(list)
    for bucket, folder, start, end in rows:
        spans = found[bucket, folder]
        if spans and start <= spans[-1][1]:
            spans[-1] = spans[-1][0], max(end, spans[-1][1])
        else:
            spans.append((start, end))
    return found


def is_covered(spans: Sequence[Window], hour: Hour) -> bool:
    """Whether digests are known for a delivery hour and for half an hour around it.

    A file named after the last minute of an hour is listed by the digest of the next, one of the first minute perhaps
    by that of the hour before.
    """
    first, last = hour_start(hour) - _HOUR / 2, hour_start(hour + 1) + _HOUR / 2
    return any(start <= first and end >= last for start, end in spans)
