"""Fetching a batch's objects: an outage of one role keeps nobody else from being read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import Origin, register_object
from iota_dagster.core.batch import fetching
from iota_dagster.core.batch.fetching import Spool
from iota_dagster.core.errors import ObjectMissing, Outage
from iota_dagster.core.hours import hour_of
from iota_dagster.core.model import BatchStatus, LogObject, ObjectRef
from iota_dagster.core.store import claims
from iota_dagster.core.store.batches import RunIdentity
from iota_dagster.core.store.claims import Assignment, ClaimLimits
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import batches, log_objects

NOW = datetime(2026, 11, 22, 10, 30, tzinfo=UTC)
TEN = hour_of(NOW)
RUN = RunIdentity("root", "owner")


class Buckets:
    """Objects by integration: those of `dark` ones fail by an outage, those named `gone…` are missing."""

    def __init__(self, *dark: str) -> None:
        self.dark = set(dark)
        self.calls: list[str] = []

    def fetch(self, object: LogObject, target: Path) -> None:
        self.calls.append(object.integration)
        if object.integration in self.dark:
            raise Outage(f"the role of {object.integration} cannot be assumed")
        if "gone" in object.key:
            raise ObjectMissing(object.bucket, object.key, "it is not in its bucket")
        target.write_bytes(b"{}")

    def head(self, bucket: str, key: str) -> ObjectRef:
        raise AssertionError("no object of these tests was overwritten")

    def list(self, bucket: str, prefix: str) -> Iterator[ObjectRef]:
        raise AssertionError("a spool fetches what it is told and lists nothing")


def claimed(store: Database, *names: tuple[str, str]) -> Assignment:
    """A batch of objects, by (integration, key)."""
    with store.begin() as connection:
        for integration, key in names:
            ref = ObjectRef(f"bucket-{integration}", key, key, 2, last_modified=NOW)
            register_object(connection, ref, Origin(integration), NOW)
        limits = ClaimLimits(2000, 1 << 30)
        claims.claim(connection, TEN, RUN, limits=limits, now=NOW, is_alive=lambda *_: True)
    with store.read() as connection:
        (assignment,) = claims.assignments(connection, RUN.root, [TEN])
    return assignment


def spool(store: Database, buckets: Buckets, scratch: Path) -> Spool:
    return Spool(store, buckets, scratch, 1, lambda: NOW)


def statuses(store: Database) -> dict[str, tuple[str, bool]]:
    """By key: the status, and whether it waits for a moment to come."""
    c = log_objects.c
    with store.read() as connection:
        return {
            row.key: (row.status, row.retry_at is not None)
            for row in connection.execute(sa.select(c.key, c.status, c.retry_at))
        }


def test_objects_of_a_role_that_does_not_answer_wait_and_the_others_go_on(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("dark", "a"), ("dark", "b"), ("light", "c"))
    fetched = spool(store, Buckets("dark"), tmp_path).fetch(assignment)
    assert [item.key for item in fetched.batch.objects] == ["c"]
    assert len(fetched.spooled) == 1
    assert statuses(store) == {"a": ("pending", True), "b": ("pending", True), "c": ("claimed", False)}
    with store.read() as connection:
        assert connection.execute(sa.select(batches.c.attempts)).scalar_one() == 0


def test_a_role_that_does_not_answer_is_not_asked_for_each_of_a_thousand_objects(
    store: Database, tmp_path: Path
) -> None:
    names = [("dark", f"a{number:03}") for number in range(50)] + [("light", f"b{number:03}") for number in range(50)]
    buckets = Buckets("dark")
    spool(store, buckets, tmp_path).fetch(claimed(store, *names))
    assert buckets.calls.count("dark") == 3
    assert buckets.calls.count("light") == 50


def test_a_missing_object_is_no_outage_and_does_not_wait(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("light", "gone"), ("light", "there"))
    fetched = spool(store, Buckets(), tmp_path).fetch(assignment)
    assert [item.key for item, _ in fetched.failed] == ["gone"]
    assert statuses(store) == {"gone": ("missing", False), "there": ("claimed", False)}


def test_a_batch_that_is_done_again_is_kept_whole_by_an_outage(store: Database, tmp_path: Path) -> None:
    claimed(store, ("dark", "a"), ("light", "b"))
    with store.begin() as connection:
        connection.execute(sa.update(batches).values(status=BatchStatus.DONE))
    with store.read() as connection:
        (assignment,) = claims.assignments(connection, RUN.root, [TEN])
    with pytest.raises(Outage, match="dark"):
        spool(store, Buckets("dark"), tmp_path).fetch(assignment)
    assert set(statuses(store)) == {"a", "b"}
    assert not any(waits for _, waits in statuses(store).values())


def test_what_a_twin_has_committed_is_not_taken_out_of_its_batch(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("dark", "a"), ("light", "b"))
    with store.begin() as connection:
        connection.execute(sa.update(batches).values(status=BatchStatus.COMMITTED))
    fetched = spool(store, Buckets("dark"), tmp_path).fetch(assignment)
    assert fetched.batch.status is BatchStatus.COMMITTED
    assert statuses(store) == {"a": ("claimed", False), "b": ("claimed", False)}


def test_what_a_twin_has_let_go_is_not_taken_out_of_the_batch_that_has_it_now(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("dark", "a"), ("light", "b"))
    spool(store, Buckets("dark"), tmp_path / "one").fetch(assignment)
    with store.begin() as connection:
        limits, later = ClaimLimits(2000, 1 << 30), NOW + timedelta(hours=1)
        other = RunIdentity("another", "another owner")
        claims.claim(connection, TEN, other, limits=limits, now=later, is_alive=lambda *_: True)
    before = batches_of(store)
    assert before["a"] not in (None, before["b"])
    fetched = spool(store, Buckets("dark"), tmp_path / "two").fetch(assignment)
    assert [item.key for item in fetched.batch.objects] == ["b"]
    assert batches_of(store) == before
    assert statuses(store)["a"][0] == "claimed"


def batches_of(store: Database) -> dict[str, str | None]:
    with store.read() as connection:
        rows = connection.execute(sa.select(log_objects.c.key, log_objects.c.batch_id))
        return {row.key: row.batch_id for row in rows}


def test_a_file_that_is_there_whole_is_not_fetched_again(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("light", "a"), ("light", "b"))
    buckets = Buckets()
    first = spool(store, buckets, tmp_path).fetch(assignment)
    again = spool(store, buckets, tmp_path).fetch(assignment)
    assert (again.spooled, again.bytes) == (first.spooled, first.bytes)
    assert len(buckets.calls) == 2


def test_a_file_of_another_size_than_its_object_is_fetched_again(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("light", "a"))
    for path in spool(store, Buckets(), tmp_path).fetch(assignment).spooled.values():
        path.write_bytes(b"")
    (path,) = spool(store, Buckets(), tmp_path).fetch(assignment).spooled.values()
    assert path.read_bytes() == b"{}"


def test_a_file_of_before_a_reboot_is_fetched_again_whatever_its_size(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut may leave a file that was never synced with its size, and nothing in it."""
    assignment = claimed(store, ("light", "a"))
    for path in spool(store, Buckets(), tmp_path).fetch(assignment).spooled.values():
        path.write_bytes(b"\0\0")
    monkeypatch.setattr(fetching, "this_boot", lambda: "host:another")
    (path,) = spool(store, Buckets(), tmp_path).fetch(assignment).spooled.values()
    assert path.read_bytes() == b"{}"
    spool(store, Buckets(), tmp_path).forget(assignment.batch)
    assert list((tmp_path / "spool").iterdir()) == []


def test_how_much_was_fetched_is_known_when_a_twin_has_removed_it(store: Database, tmp_path: Path) -> None:
    assignment = claimed(store, ("light", "a"), ("light", "b"))
    one = spool(store, Buckets(), tmp_path)
    fetched = one.fetch(assignment)
    one.forget(assignment.batch)
    assert fetched.bytes == 4
