"""Rows that are written from the lake, because the store that had them is lost.

A rebuilt batch holds what it admitted and nothing else: the content of its objects is not known, so that doing it again
finds every one of them missing and changes nothing. An object that is named once more, by a message or a scan, is a new
one: it is read, and its events are duplicates of what the rebuilt batches hold.

A batch that the store has as open, and the lake has rows of, was committed after the backup. It is rebuilt with the
log objects that the store knows of it, so that it is to be done again: as an open one it could let an object go that
is no longer to be read, whose rows would go, too.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from iota_dagster.core.arrival.notification import QUEUE
from iota_dagster.core.dedup.seen import Admission
from iota_dagster.core.hours import Hour
from iota_dagster.core.model import BatchStatus, LogObject, ObjectStatus
from iota_dagster.core.store.batches import ask_again
from iota_dagster.core.store.commit import EventHour
from iota_dagster.core.store.database import chunked, insert_ignore, upsert
from iota_dagster.core.store.schema import admissions, batches, duplicates, event_hours, log_objects, retired_files

OWNER = "repair"
"""Who has made every rebuilt batch, until somebody does it again."""
UNKNOWN = "unknown"
"""In the place of a content's SHA-256: no content has it."""
ObjectKey = tuple[str, str, str]
"""(batch, bucket, key): a log object as rows of the lake name it."""
_ETAG = "rebuilt-"
"""How the etag begins of an object that the lake alone tells of; the batch's id follows."""
_WORK = "/rebuilt"
"""How a rebuilt batch's work folder ends: there is no such folder."""
_CHANGED = "the lake had been changed since the backup from which the store was restored"


@dataclass(frozen=True, slots=True)
class RebuiltObject:
    """A log object as rows of the lake name it, and how many rows of one event hour are its own."""

    batch_id: str
    bucket: str
    key: str
    integration: str
    account: str | None
    region: str | None
    delivery_hour: Hour
    parsed_at: datetime
    rows: int


@dataclass(frozen=True, slots=True)
class Entered:
    """How many batches the store had never heard of, and how many it had as open."""

    batches: int
    opened: int


def enter_objects(connection: sa.Connection, found: Sequence[RebuiltObject], counted: Collection[str] = ()) -> Entered:
    """Enter objects and their batches as done; of those rebuilt before, add the rows, but for those of `counted`.

    Open batches become rebuilt ones. Others that the store knows are left as they are, with their objects.
    """
    first: dict[str, RebuiltObject] = {}
    for item in found:
        first.setdefault(item.batch_id, item)
    made = 0
    for part in chunked(first.values(), 1_000):
        made += connection.execute(insert_ignore(connection, batches), [_batch(item) for item in part]).rowcount
    opened = _take_up_open(connection, first)
    ours = _rebuilt(connection, first) - set(counted)
    etags = _etags(connection, ours)
    rows = [_object(item, etags.get((item.batch_id, item.bucket, item.key))) for item in found if item.batch_id in ours]
    new = {
        name: log_objects.c[name] + sa.literal_column(f"excluded.{name}", sa.BigInteger) for name in ("records", "rows")
    }
    statement = upsert(
        connection, log_objects, on=("bucket", "key", "etag"), update=("status", "content_sha256"), assign=new
    )
    for chunk in chunked(rows, 500):
        connection.execute(statement, chunk)
    return Entered(made, opened)


def _take_up_open(connection: sa.Connection, first: Mapping[str, RebuiltObject]) -> int:
    """Let open batches be rebuilt ones that wait to be done again; the number.

    Their objects are pending until rows of them are found: one may have left its batch before that was committed.
    """
    c, o, opened = batches.c, log_objects.c, list[str]()
    for part in chunked(first):
        opened += connection.execute(sa.select(c.id).where(c.id.in_(part), c.status == BatchStatus.OPEN)).scalars()
    for batch_id in opened:
        values = _batch(first[batch_id]) | {"redo_reason": _CHANGED, "attempts": 0}
        for name in ("id", "delivery_hour", "created_at"):
            del values[name]
        connection.execute(sa.update(batches).where(c.id == batch_id).values(values))
        mine = (o.batch_id == batch_id, o.status == ObjectStatus.CLAIMED)
        connection.execute(sa.update(log_objects).where(*mine).values(status=ObjectStatus.PENDING))
    return len(opened)


def release_pending(connection: sa.Connection) -> None:
    """Let go the objects of batches that were open of which no row was found: whoever claims next may read them."""
    c = log_objects.c
    left = (c.status == ObjectStatus.PENDING, c.batch_id.is_not(None))
    connection.execute(sa.update(log_objects).where(*left).values(batch_id=None))


def note_judged(connection: sa.Connection, found: Collection[ObjectKey], now: datetime) -> None:
    """Log objects of which the lake has matches have paged: what is judged again for this store's sake pages nobody.

    Those of batches that the store knows as judged have been noted already.
    """
    c, o, unjudged = batches.c, log_objects.c, set[str]()
    for part in chunked({batch_id for batch_id, _, _ in found}):
        missing = sa.or_(c.alerts_at.is_(None), _IS_REBUILT)
        unjudged |= set(connection.execute(sa.select(c.id).where(c.id.in_(part), missing)).scalars())
    here = [o[name] == sa.bindparam(f"b_{name}") for name in ("batch_id", "bucket", "key")]
    first = sa.update(log_objects).where(*here, o.done_at.is_(None)).values(done_at=now)
    rows = [{"b_batch_id": item[0], "b_bucket": item[1], "b_key": item[2]} for item in found if item[0] in unjudged]
    for chunk in chunked(rows, 1_000):
        connection.execute(first, chunk)


_IS_REBUILT = batches.c.work.endswith(_WORK)


def _rebuilt(connection: sa.Connection, ids: Collection[str]) -> set[str]:
    c, found = batches.c, set[str]()
    for part in chunked(ids):
        found |= set(connection.execute(sa.select(c.id).where(c.id.in_(part), _IS_REBUILT)).scalars())
    return found


def _etags(connection: sa.Connection, batch_ids: Collection[str]) -> dict[ObjectKey, str]:
    """The etags of some batches' objects; not where a batch has several of a key, whose rows nobody can tell apart."""
    c, found = log_objects.c, dict[ObjectKey, str]()
    place = (c.batch_id, c.bucket, c.key)
    query = sa.select(*place, sa.func.min(c.etag)).group_by(*place).having(sa.func.count() == 1)
    for part in chunked(batch_ids):
        for batch_id, bucket, key, etag in connection.execute(query.where(c.batch_id.in_(part))):
            found[batch_id, bucket, key] = etag
    return found


def _batch(item: RebuiltObject) -> dict[str, object]:
    moment = item.parsed_at
    return {
        "id": item.batch_id,
        "delivery_hour": item.delivery_hour,
        "status": BatchStatus.DONE,
        "owner": OWNER,
        "work": f"{item.batch_id}{_WORK}",
        **dict.fromkeys(("heartbeat_at", "created_at", "committed_at", "lake_at", "alerts_at"), moment),
    }


def _object(item: RebuiltObject, etag: str | None) -> dict[str, object]:
    return {
        "bucket": item.bucket,
        "key": item.key,
        "etag": etag or f"{_ETAG}{item.batch_id}",
        "integration": item.integration,
        "account": item.account,
        "region": item.region,
        "delivery_hour": item.delivery_hour,
        "status": ObjectStatus.DONE,
        "batch_id": item.batch_id,
        "content_sha256": UNKNOWN,
        "records": item.rows,
        "rows": item.rows,
        "registered_at": item.parsed_at,
        "done_at": item.parsed_at,
    }


def is_as_it_was(item: LogObject, content_sha256: str | None) -> bool:
    """Whether an object that was done has been read with the same content; `content_sha256` is None if it was not.

    Of a rebuilt one that the store knew before, the etag alone says so: only an object that has it is read.
    """
    if item.content_sha256 == UNKNOWN:
        return content_sha256 is not None and not item.etag.startswith(_ETAG)
    return item.content_sha256 == content_sha256


def known_until(connection: sa.Connection) -> datetime | None:
    """When the store had last registered a log object before it was repaired; None when it knew of none.

    Neither what is rebuilt from the lake counts, nor the spool's objects, which a repair registers itself.
    """
    c = log_objects.c
    mine = (~c.etag.startswith(_ETAG), c.integration != QUEUE)
    query = sa.select(sa.func.max(c.registered_at, type_=c.registered_at.type)).where(*mine)
    found: datetime | None = connection.scalar(query)
    return found


def admitted(connection: sa.Connection, key: EventHour) -> dict[str, str]:
    """The SHA-256 of the ids that each batch has admitted to an event hour, as far as the store knows."""
    c = admissions.c
    query = sa.select(c.batch_id, c.sha256).where(c.log_type == key[0], c.hour == key[1])
    return {row.batch_id: row.sha256 for row in connection.execute(query)}


def unpublished(connection: sa.Connection) -> set[str]:
    """The batches that are committed and not in the lake yet: their rows will be those of their admissions."""
    c = batches.c
    query = sa.select(c.id).where(c.status == BatchStatus.COMMITTED, c.lake_at.is_(None))
    return set(connection.execute(query).scalars())


def replace_admissions(
    connection: sa.Connection, key: EventHour, found: Sequence[Admission], gone: Collection[str], now: datetime
) -> int:
    """Enter admissions to an event hour in the place of those of the same batches, and delete those that are `gone`.

    Where the store knew other ids, it is older than the rows, and so are its counts and matches: such batches are to
    be done again. So are those that counted a duplicate against an id that may be gone. The number of both.
    """
    log_type, hour = key
    first = {"log_type": log_type, "hour": hour, "version": 1}
    c = event_hours.c
    connection.execute(upsert(connection, event_hours, update=(), assign={"version": c.version + 1}), first)
    rows = [
        {
            "batch_id": item.batch_id,
            "log_type": log_type,
            "hour": hour,
            "file": item.file,
            "sha256": item.sha256,
            "count": item.count,
            "committed_at": now,
        }
        for item in found
    ]
    for part in chunked(rows, 1_000):
        connection.execute(upsert(connection, admissions), part)
    here = (admissions.c.log_type == log_type, admissions.c.hour == hour)
    for ids in chunked(gone):
        connection.execute(sa.delete(admissions).where(*here, admissions.c.batch_id.in_(ids)))
    return _do_again(connection, key, {*gone, *(item.batch_id for item in found)})


def _do_again(connection: sa.Connection, key: EventHour, changed: Collection[str]) -> int:
    """Ask for batches and who counts duplicates against them; what was rebuilt cannot be done again."""
    d, c, who = duplicates.c, batches.c, set(changed)
    again: list[str] = []
    for part in chunked(changed):
        counted = (d.against.in_(part), d.log_type == key[0], d.hour == key[1])
        who |= set(connection.execute(sa.select(d.batch_id).where(*counted)).scalars())
    for part in chunked(who):
        known = (~_IS_REBUILT, c.status.in_((BatchStatus.COMMITTED, BatchStatus.DONE)))
        unasked = sa.or_(c.redo_reason.is_(None), c.redo_blocked.is_not(None))
        again += connection.execute(sa.select(c.id).where(c.id.in_(part), *known, unasked)).scalars().all()
    ask_again(connection, again, _CHANGED)
    return len(again)


def retired_among(connection: sa.Connection, paths: Collection[str]) -> set[str]:
    """Which of some files the store has taken out of the lake."""
    c, found = retired_files.c, set[str]()
    for part in chunked(paths):
        found |= set(connection.execute(sa.select(c.path).where(c.path.in_(part))).scalars())
    return found
