"""What CloudTrail's digests say was delivered, beside what the ledger has; and when each integration delivered.

Of a digest whose signature is invalid only the fact is kept, in the hour of its name: what it says counts for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from iota_dagster.core.completeness.digest import ListedFile
from iota_dagster.core.hours import Hour, hour_start
from iota_dagster.core.model import LogObject, ObjectStatus
from iota_dagster.core.store.database import chunked, insert_ignore
from iota_dagster.core.store.ledger import as_log_object
from iota_dagster.core.store.rebuilt import UNKNOWN
from iota_dagster.core.store.schema import digest_files, digests, log_objects

_O, _D, _F = log_objects.c, digests.c, digest_files.c
_GONE = (ObjectStatus.MISSING, ObjectStatus.REFUSED, ObjectStatus.SUPERSEDED)
_TOTAL = sa.func.count().over().label("total")
_STEP = 5_000
TRUSTED = ("valid", "unchecked")
"""States of digests whose lists count."""
GONE = "gone"
"""The state of a digest that is in its bucket no more."""
UNAVAILABLE = "unavailable"
"""The state of a digest that cannot be had for another reason: refused, overwritten, an outage."""
_NOT_HAD = (GONE, UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class DigestRow:
    """A digest as the store keeps it, without the files that it lists; see `schema.digests`."""

    object_id: int
    integration: str
    bucket: str
    key: str
    folder: str
    backfill: bool
    start_at: datetime
    end_at: datetime
    files: int
    state: str
    why: str
    read_at: datetime


@dataclass(frozen=True, slots=True)
class Unmet:
    """A file that a digest lists and the ledger has not as listed.

    `status` is None where the ledger has no such object; `altered` where one was read that had another content.
    """

    integration: str
    bucket: str
    key: str
    end_at: datetime
    status: str | None
    altered: bool


def unread_digests(connection: sa.Connection, hours: range, limit: int) -> dict[str, list[LogObject]]:
    """By integration the digests of some delivery hours that are done and were not tried yet, oldest first.

    Of each integration `limit` at most: one whose digests cannot be had does not keep the others from theirs.
    """
    known = sa.exists().where(_D.object_id == _O.id)
    return _first_of_each(connection, sa.select(log_objects).where(*_done_in(hours), ~known), limit, _O.delivery_hour)


def digests_to_try_again(connection: sa.Connection, hours: range, limit: int) -> dict[str, list[LogObject]]:
    """By integration, `limit` at most, those that could not be had, the one first whose last try was longest ago."""
    query = sa.select(log_objects).join(digests, _D.object_id == _O.id)
    return _first_of_each(connection, query.where(*_done_in(hours), _D.state.in_(_NOT_HAD)), limit, _D.read_at)


def digests_not_had(connection: sa.Connection, hours: range, limit: int) -> tuple[list[str], int]:
    """Why digests of some delivery hours could not be had, oldest first: `limit` at most, and how many there are."""
    query = sa.select(_D.why, _TOTAL).join_from(digests, log_objects, _D.object_id == _O.id)
    mine = query.where(*_done_in(hours), _D.state.in_(_NOT_HAD))
    rows, total = _counted(connection, mine.order_by(_O.delivery_hour, _O.id).limit(limit))
    return [row["why"] for row in rows], total


def _done_in(hours: range) -> tuple[sa.ColumnElement[bool], ...]:
    return _O.kind == "digest", _O.status == ObjectStatus.DONE, _O.delivery_hour.between(hours[0], hours[-1])


def _first_of_each(
    connection: sa.Connection, query: sa.Select[Any], limit: int, order: sa.Column[Any]
) -> dict[str, list[LogObject]]:
    """The first objects of each integration."""
    place = sa.func.row_number().over(partition_by=_O.integration, order_by=(order, _O.id)).label("place")
    placed = query.add_columns(place).subquery()
    first = sa.select(placed).where(placed.c.place <= limit).order_by(placed.c.integration, placed.c.place)
    found: dict[str, list[LogObject]] = {}
    for row in connection.execute(first).mappings():
        found.setdefault(row["integration"], []).append(as_log_object(row))
    return found


def add_digest(connection: sa.Connection, row: DigestRow, files: Iterable[ListedFile]) -> None:
    """Keep what a digest says; once, whoever reads it, and in place of the note that it could not be had."""
    connection.execute(sa.delete(digests).where(_D.object_id == row.object_id, _D.state.in_(_NOT_HAD)))
    if connection.execute(insert_ignore(connection, digests), _values(row)).rowcount == 0:
        return
    listed = (
        {"digest_id": row.object_id, "bucket": item.bucket, "key": item.key, "sha256": item.sha256} for item in files
    )
    for part in chunked(listed):
        connection.execute(insert_ignore(connection, digest_files), part)


def note_not_had(connection: sa.Connection, row: DigestRow) -> None:
    """Note that a digest could not be had, when and why; one that somebody else has read meanwhile stays read."""
    if connection.execute(insert_ignore(connection, digests), _values(row)).rowcount == 0:
        tried = {"state": row.state, "why": row.why, "read_at": row.read_at}
        mine = _D.object_id == row.object_id, _D.state.in_(_NOT_HAD)
        connection.execute(sa.update(digests).where(*mine).values(**tried))


def _values(row: DigestRow) -> dict[str, Any]:
    return {column.name: getattr(row, column.name) for column in digests.columns}


def has_earlier(connection: sa.Connection, row: DigestRow) -> bool:
    """Whether a digest of the same trail and kind is known that ended earlier: a chain begins only once."""
    same = (_D.bucket == row.bucket, _D.folder == row.folder, _D.backfill == row.backfill)
    return bool(connection.scalar(sa.select(sa.exists().where(*same, _D.end_at < row.end_at))))


def digests_in_doubt(
    connection: sa.Connection, since: datetime, until: datetime, limit: int
) -> tuple[list[DigestRow], int]:
    """The digests that end in [since, until) whose signature is invalid, or that cannot be read, oldest first.

    `limit` of them at most, and how many there are.
    """
    return _digests(connection, since, until, limit, _D.state.not_in((*TRUSTED, *_NOT_HAD)))


def digests_gone(
    connection: sa.Connection, since: datetime, until: datetime, limit: int
) -> tuple[list[DigestRow], int]:
    """The digests with names of [since, until) that are gone from their bucket, as `digests_in_doubt` gives its own."""
    return _digests(connection, since, until, limit, _D.state == GONE)


def _digests(
    connection: sa.Connection, since: datetime, until: datetime, limit: int, wanted: sa.ColumnElement[bool]
) -> tuple[list[DigestRow], int]:
    query = sa.select(digests, _TOTAL).where(_D.end_at >= since, _D.end_at < until, wanted)
    rows, total = _counted(connection, query.order_by(_D.end_at, _D.object_id).limit(limit))
    return [DigestRow(**row) for row in rows], total


def digest_states(connection: sa.Connection, since: datetime, until: datetime) -> dict[tuple[str, str], int]:
    """How many digests that could be had end in [since, until), by state and by why."""
    query = sa.select(_D.state, _D.why, sa.func.count()).where(_D.end_at >= since, _D.end_at < until)
    had = query.where(_D.state.not_in(_NOT_HAD)).group_by(_D.state, _D.why)
    return {(state, why): count for state, why, count in connection.execute(had)}


def unmet(connection: sa.Connection, since: datetime, until: datetime, limit: int) -> tuple[list[Unmet], int]:
    """What digests that end in [since, until) list and the ledger has not done with the same content, oldest first.

    `limit` of the files at most, and how many there are. A file counts once, with the first digest that lists it. A key
    that was overwritten after it was read is altered, even though its first content was the right one.
    """
    same = (_O.bucket == _F.bucket, _O.key == _F.key)
    done = (*same, _O.status == ObjectStatus.DONE)
    alike = sa.or_(_O.content_sha256 == _F.sha256, _O.content_sha256 == UNKNOWN)  # of what `iota repair` has rebuilt
    kept, altered = sa.exists().where(*done, alike), sa.exists().where(*done, ~alike)
    order = (_D.end_at, _D.object_id)
    place = sa.func.row_number().over(partition_by=(_F.bucket, _F.key), order_by=order).label("place")
    listed = (
        sa.select(_D.integration, _F.bucket, _F.key, _D.end_at, altered.label("altered"), place)
        .join_from(digests, digest_files, _D.object_id == _F.digest_id)
        .where(_D.end_at >= since, _D.end_at < until, sa.or_(~kept, altered))
        .subquery()
    )
    c = listed.c
    status = sa.select(sa.func.max(_O.status)).where(_O.bucket == c.bucket, _O.key == c.key).scalar_subquery()
    query = sa.select(c.integration, c.bucket, c.key, c.end_at, status.label("status"), c.altered, _TOTAL)
    first = query.where(c.place == 1).order_by(c.end_at, c.bucket, c.key).limit(limit)
    rows, total = _counted(connection, first)
    return [Unmet(**row | {"altered": bool(row["altered"])}) for row in rows], total


def _counted(connection: sa.Connection, query: sa.Select[Any]) -> tuple[list[dict[str, Any]], int]:
    """The rows of a query that is limited, and how many there were without its limit: `_TOTAL` is a column of it."""
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return rows, max((row.pop(_TOTAL.name) for row in rows), default=0)


def windows(
    connection: sa.Connection, since: datetime, until: datetime
) -> Iterator[tuple[str, str, datetime, datetime]]:
    """Bucket, folder, start and end of the trusted regular digests that touch [since, until), in this order."""
    query = sa.select(_D.bucket, _D.folder, _D.start_at, _D.end_at).where(
        _D.end_at >= since, _D.start_at < until, _D.state.in_(TRUSTED), ~_D.backfill
    )
    for row in connection.execute(query.order_by(_D.bucket, _D.folder, _D.start_at)):
        yield row.bucket, row.folder, row.start_at, row.end_at


def unlisted(connection: sa.Connection, hour: Hour, buckets: Sequence[str]) -> Iterator[LogObject]:
    """CloudTrail's log objects of a delivery hour in some buckets that no digest lists, or not yet.

    All of them, read step by step: an hour may have any number.
    """
    listed = sa.exists().where(_F.bucket == _O.bucket, _F.key == _O.key)
    query = sa.select(log_objects).where(
        _O.delivery_hour == hour,
        _O.kind == "log",
        _O.status.not_in(_GONE),
        _O.bucket.in_(buckets),
        _O.key.contains("/CloudTrail/", autoescape=True),
        ~listed,
    )
    last = 0
    while rows := connection.execute(query.where(_O.id > last).order_by(_O.id).limit(_STEP)).mappings().all():
        yield from map(as_log_object, rows)
        last = rows[-1]["id"]


def states_of(connection: sa.Connection, bucket: str, keys: Sequence[str]) -> dict[tuple[str, str], str]:
    """The status of the ledger's objects at some keys of a bucket, by key and etag."""
    query = sa.select(_O.key, _O.etag, _O.status).where(_O.bucket == bucket, _O.key.in_(keys))
    return {(row.key, row.etag): row.status for row in connection.execute(query)}


def arrival_minutes(connection: sa.Connection, integration: str, hours: range) -> list[datetime]:
    """The minutes in which an integration delivered logs (digests are none), in order.

    What arrived in one minute is one arrival: a burst of files says nothing of the gaps between bursts.
    """
    moment = sa.func.coalesce(_O.last_modified, _O.registered_at)
    if connection.dialect.name == "postgresql":
        minute = sa.cast(sa.extract("epoch", sa.func.date_trunc("minute", moment)), sa.BigInteger)
    else:
        minute = sa.cast(sa.func.strftime("%s", sa.func.substr(moment, 1, 16)), sa.BigInteger)
    mine = (_O.integration == integration, _O.kind == "log", _O.delivery_hour.between(hours[0], hours[-1]))
    query = sa.select(minute.label("minute")).where(*mine).distinct().order_by("minute")
    return [datetime.fromtimestamp(value, UTC) for value in connection.execute(query).scalars()]


def last_hour(connection: sa.Connection, integration: str, until: Hour) -> Hour | None:
    """The newest delivery hour, not after `until`, in which an integration delivered logs."""
    mine = (_O.integration == integration, _O.kind == "log", _O.delivery_hour <= until)
    query = sa.select(_O.delivery_hour).where(*mine).order_by(_O.delivery_hour.desc()).limit(1)
    return connection.scalar(query)


def forget_before(connection: sa.Connection, hour: Hour) -> int:
    """Throw away digests that were read before an hour, with what they list; how many there were.

    One of long ago that was read a moment ago, for `iota verify`, stays as long as any other.
    """
    moment = hour_start(hour)
    old = (_D.end_at < moment) & (_D.read_at < moment)  # none is read before its end, and that is what has an index
    connection.execute(sa.delete(digest_files).where(_F.digest_id.in_(sa.select(_D.object_id).where(old))))
    return connection.execute(sa.delete(digests).where(old)).rowcount
