"""Events into objects of our own: written, then registered, each in one object only, whoever dies or races."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from iota_dagster.core.arrival.notification import CarriedEvent, read_message
from iota_dagster.core.arrival.object_key import parse_object_key
from iota_dagster.core.arrival.spooling import EventSpool, event_id, spooled_prefix
from iota_dagster.core.errors import ObjectMissing, ObjectRefused, Outage
from iota_dagster.core.hours import hour_of
from iota_dagster.core.local_objects import LocalObjects
from iota_dagster.core.local_storage import LocalStorage
from iota_dagster.core.model import LogObject, ObjectRef
from iota_dagster.core.store import spooled_events
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import log_objects
from iota_dagster.core.store.schema import spooled_events as spooled_events_table
from iota_dagster.platform import open_platform
from iota_dagster.settings import Settings
from tests.aws import Aws, s3_error
from tests.road.world import World, drive

NOW = datetime(2026, 11, 22, 10, 17, 5, tzinfo=UTC)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def spool(store: Database, tmp_path: Path) -> EventSpool:
    return EventSpool(store, LocalStorage(tmp_path / "spool"), LocalObjects(1 << 20))


def envelope(name: str, **more: Any) -> bytes:
    return json.dumps({"id": name, "source": "aws.iam", "detail-type": "x", "detail": {"name": name}} | more).encode()


def events(*names: str) -> dict[bytes, bytes]:
    return {event_id(read_message(envelope(name)).events[0], ""): envelope(name) for name in names}


def nothing(connection: sa.Connection) -> None:
    """Nothing is written beside the events."""


def rows(store: Database) -> list[dict[str, Any]]:
    with store.read() as connection:
        return [dict(row) for row in connection.execute(sa.select(log_objects).order_by(log_objects.c.id)).mappings()]


def lines(row: dict[str, Any]) -> list[bytes]:
    path = Path(row["bucket"].removeprefix("file://")) / row["key"]
    return gzip.decompress(path.read_bytes()).splitlines()


def spooled(store: Database) -> list[str]:
    """The events in all objects that the ledger knows."""
    return sorted(json.loads(line)["id"] for row in rows(store) for line in lines(row))


def files(spool: EventSpool) -> list[str]:
    folder = Path(spool.bucket.removeprefix("file://"))
    return [str(path.relative_to(folder)) for path in folder.rglob("*.gz")]


def test_an_object_holds_the_envelopes_as_they_came_one_a_line(spool: EventSpool, store: Database) -> None:
    pretty = b'{\n "detail-type": "x",\r\n "detail": {"n": 1.50, "t": "\\u00e9"}\n}'
    assert spool.keep({b"1": pretty, b"2": b'{"n":2}'}, NOW, nothing) == 2
    (row,) = rows(store)
    assert lines(row) == [b'{  "detail-type": "x",   "detail": {"n": 1.50, "t": "\\u00e9"} }', b'{"n":2}']


def test_the_key_gives_the_hour_of_delivery_and_the_row_waits_for_a_run(spool: EventSpool, store: Database) -> None:
    spool.keep(events("a"), NOW, nothing)
    (row,) = rows(store)
    assert row["key"].startswith("events/2026/11/22/10/20261122T1017Z_")
    assert parse_object_key(row["key"]).delivery_hour == row["delivery_hour"] == hour_of(NOW)
    assert (row["integration"], row["status"], row["kind"]) == ("queue", "pending", "log")
    assert spool.owns(row["bucket"], row["key"])


def test_what_is_known_is_left_out_and_nothing_is_written_when_all_is_known(spool: EventSpool, store: Database) -> None:
    assert spool.keep(events("a", "b"), NOW, nothing) == 2
    assert spool.keep(events("b", "c"), NOW, nothing) == 1
    assert spool.keep(events("a", "b", "c"), NOW, nothing) == 0
    assert spooled(store) == ["a", "b", "c"]
    assert len(files(spool)) == 2


def test_what_is_written_beside_is_written_with_the_events_or_not_at_all(spool: EventSpool, store: Database) -> None:
    def fails(connection: sa.Connection) -> None:
        raise Outage("the disk is full")

    with pytest.raises(Outage, match="full"):
        spool.keep(events("a"), NOW, fails)
    assert rows(store) == []
    assert spool.keep(events("a"), NOW, nothing) == 1


class Dying(LocalStorage):
    """Its process ends before or after a file is written."""

    def __init__(self, root: Path, written: bool) -> None:
        super().__init__(root)
        self.written = written

    def write(self, path: str, data: bytes) -> None:
        if self.written:
            super().write(path, data)
        raise Killed


def dies_beside(connection: sa.Connection) -> None:
    raise Killed


@pytest.mark.parametrize("written", [False, True])
def test_whoever_dies_while_writing_leaves_nothing_that_counts(
    spool: EventSpool, store: Database, tmp_path: Path, written: bool
) -> None:
    dying = EventSpool(store, Dying(tmp_path / "spool", written), LocalObjects(1 << 20))
    with pytest.raises(Killed):
        dying.keep(events("a", "b"), NOW, nothing)
    assert rows(store) == []
    spool.keep(events("b"), NOW, nothing)  # they come again in other company
    spool.keep(events("a", "c"), NOW, nothing)
    assert spooled(store) == ["a", "b", "c"]


def test_whoever_dies_in_the_transaction_leaves_nothing_that_counts(spool: EventSpool, store: Database) -> None:
    with pytest.raises(Killed):
        spool.keep(events("a", "b"), NOW, dies_beside)
    spool.keep(events("b", "c"), NOW, nothing)
    spool.keep(events("a", "b"), NOW, nothing)
    assert spooled(store) == ["a", "b", "c"]


class Meanwhile(LocalObjects):
    """Does something between the writing of an object and its registration, as another process may."""

    def __init__(self, act: Callable[[], object]) -> None:
        super().__init__(1 << 20)
        self.act = act

    def head(self, bucket: str, key: str) -> ObjectRef:
        self.act()
        return super().head(bucket, key)


def test_two_that_spool_the_same_event_at_once_end_with_it_in_one_object(
    spool: EventSpool, store: Database, tmp_path: Path
) -> None:
    faster = Meanwhile(lambda: spool.keep(events("b"), NOW, nothing))
    slower = EventSpool(store, LocalStorage(tmp_path / "spool"), faster)
    assert slower.keep(events("a", "b"), NOW, nothing) == 1
    assert spooled(store) == ["a", "b"]
    assert sorted(files(spool)) == sorted(row["key"] for row in rows(store))  # the loser's first object is gone


def test_one_that_loses_all_its_events_to_others_registers_nothing(
    spool: EventSpool, store: Database, tmp_path: Path
) -> None:
    faster = Meanwhile(lambda: spool.keep(events("a"), NOW, nothing))
    slower = EventSpool(store, LocalStorage(tmp_path / "spool"), faster)
    assert slower.keep(events("a"), NOW, nothing) == 0
    assert spooled(store) == ["a"]
    assert len(files(spool)) == 1


def test_events_whose_object_cannot_be_read_are_not_taken(store: Database, tmp_path: Path) -> None:
    class Denied(LocalObjects):
        def head(self, bucket: str, key: str) -> ObjectRef:
            raise ObjectRefused(bucket, key, "S3 refuses it")

    spool = EventSpool(store, LocalStorage(tmp_path / "spool"), Denied(1 << 20))
    with pytest.raises(Outage, match=r"just spooled cannot be read: .*S3 refuses it"):
        spool.keep(events("a"), NOW, nothing)
    assert rows(store) == []


def test_ids_are_forgotten_by_age_a_part_at_a_time(store: Database) -> None:
    with store.begin() as connection:
        spooled_events.add(connection, [b"a", b"b", b"c"], NOW)
        spooled_events.add(connection, [b"d"], NOW + timedelta(days=1))
    before = NOW + timedelta(hours=1)
    with store.begin() as connection:
        assert [spooled_events.purge(connection, before, most=2) for _ in range(3)] == [2, 1, 0]
    with store.read() as connection:
        assert spooled_events.known(connection, [b"a", b"b", b"c", b"d"]) == {b"d"}


def test_of_ids_added_twice_the_second_adding_says_so(store: Database) -> None:
    with store.begin() as connection:
        assert spooled_events.add(connection, [], NOW)
        assert spooled_events.add(connection, [b"b", b"a"], NOW)
        assert not spooled_events.add(connection, [b"c", b"a"], NOW)
        assert connection.execute(sa.select(sa.func.count()).select_from(spooled_events_table)).scalar_one() == 3


def test_what_is_spooled_takes_the_road_and_every_event_is_accounted_for(tmp_path: Path) -> None:
    with World.at(tmp_path, f"sqlite:///{tmp_path}/iota.db").opened() as platform:
        platform.intake.read_again([envelope(name).decode() for name in ("a", "b", "c")])
        drive(platform, "run")
        (row,) = rows(platform.database)
        assert (row["status"], row["error"], row["records"]) == ("done", None, 3)
        assert row["rows"] + row["duplicates"] + row["quarantined"] == 3


# Who an event is.

details = st.dictionaries(st.text(max_size=5), st.none() | st.integers(-9, 9) | st.text(max_size=5), max_size=4)


def identity(name: str | None, detail: dict[str, Any], indent: int | None = None, message: str = "m1") -> bytes:
    written = json.dumps(detail, indent=indent).encode()
    return event_id(CarriedEvent(b'{"detail":' + written + b"}", written, name), message)


@given(st.text(max_size=5).filter(bool), details, st.integers(0, 3))
def test_an_event_is_the_same_in_whatever_message_and_spacing_it_comes(
    name: str, detail: dict[str, Any], indent: int
) -> None:
    assert identity(name, detail) == identity(name, detail, indent, message="m2")


@given(st.tuples(st.text(max_size=3), details), st.tuples(st.text(max_size=3), details))
def test_events_that_differ_in_id_or_content_are_two(
    one: tuple[str, dict[str, Any]], other: tuple[str, dict[str, Any]]
) -> None:
    assert (identity(*one) == identity(*other)) == (json.dumps(one) == json.dumps(other))


def test_an_event_without_an_id_is_its_messages() -> None:
    assert identity(None, {"a": 1}) == identity(None, {"a": 1})
    assert identity(None, {"a": 1}) != identity(None, {"a": 1}, message="m2")


# Where the spool lies.


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("file:///var/iota/spool", ("file:///var/iota/spool", "events/")),
        ("s3://example-lake", ("example-lake", "events/")),
        ("s3://example-lake/iota/spool", ("example-lake", "iota/spool/events/")),
    ],
)
def test_a_spool_lies_where_its_url_says(url: str, place: tuple[str, str]) -> None:
    assert spooled_prefix(url) == place


def test_no_integration_may_take_the_name_of_what_is_spooled() -> None:
    with pytest.raises(ValueError, match="the name queue is iota's own"):
        Settings.model_validate({"integrations": [{"name": "queue", "bucket": "logs"}]})


def pending(row: dict[str, Any]) -> LogObject:
    return LogObject(**{name: row[name] for name in LogObject.__dataclass_fields__ if name in row})


def test_a_spool_in_s3_is_written_and_read_with_our_own_credentials_and_nothing_else_of_its_bucket_is(
    aws: Aws, tmp_path: Path
) -> None:
    bucket = aws.bucket("lake")
    aws.clients.s3().put_object(Bucket=bucket, Key="iota/lake/secret", Body=b"x")
    sqs = aws.clients.sqs()
    url = sqs.create_queue(QueueName=aws.name("queue"))["QueueUrl"]
    settings = Settings(home=tmp_path, spool_url=f"s3://{bucket}/iota/spool", queue_url=url, endpoint_url=aws.endpoint)
    platform = open_platform(settings)
    sqs.send_message(QueueUrl=url, MessageBody=envelope("a").decode())
    assert platform.queue is not None
    with aws.disturbed_by(lambda asked: s3_error(403, "AccessDenied") if asked.method == "PUT" else None):
        assert platform.intake.drain(platform.queue, 0, 10).by_outcome() == {"held": 1}
    sqs.send_message(QueueUrl=url, MessageBody=envelope("a").decode())
    assert platform.intake.drain(platform.queue, 0, 10).by_outcome() == {"spooled": 1}
    (row,) = rows(platform.database)
    assert row["key"].startswith("iota/spool/events/")
    platform.objects.fetch(pending(row), tmp_path / "fetched")
    assert gzip.decompress((tmp_path / "fetched").read_bytes()) == envelope("a") + b"\n"
    for key in ("iota/lake/secret", "iota/spool/other"):
        with pytest.raises(ObjectRefused, match="no integration is configured"):
            platform.objects.head(bucket, key)
    with pytest.raises(ObjectMissing):
        platform.objects.head(bucket, "iota/spool/events/x")
    platform.database.dispose()
