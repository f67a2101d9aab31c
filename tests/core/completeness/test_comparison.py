"""Digests against the ledger, on both kinds of database; and what is wrong as alerts that come and go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.arrival.register import Origin, register_object
from iota_dagster.core.completeness import comparison
from iota_dagster.core.completeness import reading as reading_module
from iota_dagster.core.completeness.alarms import Alarms
from iota_dagster.core.completeness.comparison import Comparison, compare, is_covered
from iota_dagster.core.completeness.findings import Finding, Kind, Silence
from iota_dagster.core.completeness.reading import DigestReader, Reading
from iota_dagster.core.completeness.signature import CannotCheck
from iota_dagster.core.errors import ObjectError, ObjectMissing, ObjectRefused, Outage
from iota_dagster.core.hours import hour_of, hour_start
from iota_dagster.core.local_objects import LocalObjects
from iota_dagster.core.model import LogObject, ObjectRef
from iota_dagster.core.store import completeness as store
from iota_dagster.core.store import figures
from iota_dagster.core.store.alerts import list_alerts
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.rebuilt import UNKNOWN
from iota_dagster.core.store.schema import deliveries, digest_files, digests, log_objects
from tests.core.completeness.digests import (
    FINGERPRINT,
    TEN,
    Trail,
    Written,
    contents,
    digest_key,
    log_key,
    public_key,
    stamp,
)

HOUR = timedelta(hours=1)
NOW = TEN + 6 * HOUR
SPAN = TEN - 24 * HOUR, TEN + 24 * HOUR


class World:
    """A folder that a trail writes into, and a ledger: files are entered as done with what they really hold."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self.bucket = f"file://{folder}"
        self.trail = Trail(self.bucket)
        self.signed: dict[str, str] = {}

    def enter(self, key: str, text: bytes, status: str = "done", etag: str = "e") -> None:
        """Enter one object into the ledger."""
        with self.database.begin() as connection:
            ref = ObjectRef(self.bucket, key, etag, len(text))
            assert register_object(connection, ref, Origin("trail"), NOW)
            done = {"status": status, "content_sha256": hashlib.sha256(text).hexdigest()}
            where = (log_objects.c.key == key, log_objects.c.etag == etag)
            connection.execute(sa.update(log_objects).where(*where).values(**done))

    def deliver(self, digest: Written) -> None:
        """Write a digest and enter it as it lies there."""
        path = self.folder / digest.key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(digest.packed)
        self.signed[digest.key] = digest.signature
        self.enter(digest.key, digest.text, etag=LocalObjects(1 << 20).head(self.bucket, digest.key).etag or "")

    def hours(self, count: int, known: Callable[[int, str], bool] = lambda hour, key: True) -> None:
        """So many hours with two files each, their digests, and in the ledger the files that are `known`."""
        for hour in range(count):
            files = contents([f"{hour}a", f"{hour}b"], TEN + hour * HOUR + timedelta(minutes=20))
            for key, text in files:
                if known(hour, key):
                    self.enter(key, text)
            self.deliver(self.trail.digest(TEN + (hour + 1) * HOUR, files))

    def read(self) -> int:
        """Read what is new; how many digests that were."""
        reader = DigestReader(self.database, LocalObjects(1 << 20), self, self.folder / "scratch", lambda: NOW)
        return reader.read_new(range(hour_of(TEN) - 24, hour_of(TEN) + 24)).digests

    def found(self) -> list[tuple[Kind, str]]:
        """What is wrong, by kind and the key's last part."""
        self.read()
        with self.database.read() as connection:
            whole = compare(connection, *SPAN)
        return [(item.kind, item.key.rpartition("Z_")[2].removesuffix(".json.gz")) for item in whole.findings]

    # ── a source of signatures ──

    def signature(self, item: LogObject) -> str | None:
        return self.signed.get(item.key)

    def public_key(self, item: LogObject, fingerprint: str, moment: datetime) -> bytes | None:
        if not self.signed:
            raise CannotCheck("no keys in this test")
        return {FINGERPRINT: public_key()}.get(fingerprint)


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[World]:
    database = Database(store_url)
    database.migrate()
    yield World(tmp_path, database)
    database.dispose()


def test_where_all_is_there_nothing_is_found(world: World) -> None:
    world.hours(4)
    assert world.found() == []
    assert world.read() == 0
    with world.database.read() as connection:
        assert store.digest_states(connection, TEN, NOW) == {("valid", ""): 4}


def test_a_file_that_nobody_told_of_is_missing_until_it_is_done(world: World) -> None:
    world.hours(3, known=lambda hour, key: "1b" not in key)
    assert world.found() == [(Kind.MISSING, "1b")]
    (key, text) = contents(["1a", "1b"], TEN + HOUR + timedelta(minutes=20))[1]
    world.enter(key, text, status="pending")
    assert world.found() == [(Kind.NOT_DONE, "1b")]
    with world.database.begin() as connection:
        connection.execute(sa.update(log_objects).where(log_objects.c.key == key).values(status="done"))
    assert world.found() == []


def test_a_file_that_is_gone_from_its_bucket_is_missing(world: World) -> None:
    world.hours(3, known=lambda hour, key: "1b" not in key)
    (key, text) = contents(["1a", "1b"], TEN + HOUR + timedelta(minutes=20))[1]
    world.enter(key, text, status="missing")
    assert world.found() == [(Kind.MISSING, "1b")]


def test_another_content_than_the_listed_is_altered_even_beside_the_right_one(world: World) -> None:
    world.hours(2, known=lambda hour, key: "0a" not in key)
    ((first, text), (second, _)) = contents(["0a", "0b"], TEN + timedelta(minutes=20))
    world.enter(first, text + b" ")
    world.enter(second, b"overwritten later", etag="e2")
    assert world.found() == [(Kind.ALTERED, "0a"), (Kind.ALTERED, "0b")]


def test_an_object_that_a_repair_has_rebuilt_is_not_altered_beside_its_own_reading_or_without(world: World) -> None:
    world.hours(2)
    ((first, text), (second, _)) = contents(["0a", "0b"], TEN + timedelta(minutes=20))
    with world.database.begin() as connection:
        unknown = {"content_sha256": UNKNOWN, "etag": f"rebuilt-{UNKNOWN}"}
        connection.execute(sa.update(log_objects).where(log_objects.c.key.in_([first, second])).values(**unknown))
    world.enter(first, text)
    assert world.found() == []


def test_a_stranger_among_the_logs_is_told_once_its_hour_is_over_and_the_next_digest_there(world: World) -> None:
    world.hours(2)
    world.enter(log_key(TEN + HOUR + timedelta(minutes=5), "stranger"), b"x")
    assert world.found() == []  # the digest of 11 is there, that of 12 may still list it
    files = contents(["2a"], TEN + 2 * HOUR)
    for key, text in files:
        world.enter(key, text)
    world.deliver(world.trail.digest(TEN + 3 * HOUR, files))
    assert world.found() == [(Kind.UNLISTED, "stranger")]


def test_what_a_backfill_digest_adds_is_listed_and_does_not_break_the_chain(world: World) -> None:
    world.hours(4)
    late, text = log_key(TEN + HOUR + timedelta(minutes=5), "late"), b"late"
    world.enter(late, text)
    assert world.found() == [(Kind.UNLISTED, "late")]
    world.deliver(world.trail.digest(TEN + 4 * HOUR + timedelta(minutes=3), [(late, text)], suffix="_backfill"))
    assert world.found() == []


def test_logs_beside_no_digest_and_of_other_trails_are_nobodys_business(world: World) -> None:
    world.hours(4)
    world.enter("other/" + log_key(TEN + HOUR, "other-trail"), b"x")
    world.enter("AWSLogs/111122223333/elasticloadbalancing/us-east-1/2026/11/22/x_20261122T1105Z.log.gz", b"x")
    assert world.found() == []


def test_a_limit_counts_files_and_not_how_often_they_are_listed_and_the_rest_is_counted(world: World) -> None:
    files = contents(["0a", "0b", "0c"], TEN + timedelta(minutes=20))
    world.deliver(world.trail.digest(TEN + HOUR, files))
    for minute in (3, 4):
        world.deliver(world.trail.digest(TEN + HOUR + timedelta(minutes=minute), files, suffix="_backfill"))
    world.read()
    with world.database.read() as connection:
        cut = [store.unmet(connection, *SPAN, limit) for limit in (2, 3, 9)]
    assert [([item.key for item in found], total) for found, total in cut] == [
        ([key for key, _ in files[:limit]], 3) for limit in (2, 3, 3)
    ]
    assert {item.end_at for found, _ in cut for item in found} == {TEN + HOUR}


def test_what_is_not_named_is_counted_of_each_question(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MOST_FINDINGS", 2)
    monkeypatch.setattr(store, "_STEP", 2)
    world.hours(4, known=lambda hour, key: False)  # 8 are missing
    for number in range(7):
        world.enter(log_key(TEN + HOUR + timedelta(minutes=number), f"stranger{number}"), b"x")
    for number in range(3):
        world.deliver(Written(digest_key(TEN + (6 + number) * HOUR), b"{}", ""))
    world.read()
    with world.database.read() as connection:
        found = compare(connection, *SPAN)
    kinds = [item.kind for item in found.findings]
    assert (sorted(kinds), found.more) == (sorted(2 * [Kind.MISSING, Kind.UNLISTED, Kind.UNTRUSTED]), 6 + 5 + 1)
    assert not found.is_whole
    monkeypatch.setattr(comparison, "MOST_FINDINGS", 8)
    with world.database.read() as connection:
        found = compare(connection, *SPAN)
    assert (len(found.findings), found.more, found.is_whole) == (18, 0, True)


def test_a_gap_in_the_chain_is_a_missing_digest_and_its_beginning_is_none(world: World) -> None:
    world.trail.digest(TEN, [])  # before our time
    world.hours(1)
    lost = world.trail.digest(TEN + 2 * HOUR, [])
    world.deliver(world.trail.digest(TEN + 3 * HOUR, []))
    with world.database.read() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(digests)) == 0
    assert world.found() == [(Kind.MISSING, lost.key.rpartition("Z_")[2].removesuffix(".json.gz"))]
    world.deliver(lost)
    assert world.found() == []


def test_a_digest_that_was_rewritten_is_not_trusted_and_its_successor_tells(world: World) -> None:
    world.hours(1)
    files = contents(["1a"], TEN + HOUR + timedelta(minutes=20))
    honest = world.trail.digest(TEN + 2 * HOUR, files)
    forged = Trail(world.bucket, world.trail.written[0]).digest(TEN + 2 * HOUR, [])
    world.deliver(Written(honest.key, forged.text, honest.signature))
    world.deliver(world.trail.digest(TEN + 3 * HOUR, []))
    found = world.found()
    assert [kind for kind, _ in found] == [Kind.ALTERED, Kind.UNTRUSTED]
    with world.database.read() as connection:
        ((row,), _) = store.digests_in_doubt(connection, TEN, NOW, 10)
        listed = connection.scalars(sa.select(digest_files.c.key)).all()
    assert (row.key, row.state) == (honest.key, "invalid")
    assert files[0][0] not in listed


def test_an_old_digest_under_a_new_name_and_one_that_is_none_are_not_trusted(world: World) -> None:
    world.hours(1)
    copy = world.trail.written[0]
    world.deliver(Written(digest_key(TEN + 5 * HOUR), copy.text, copy.signature))
    world.deliver(Written(digest_key(TEN + 6 * HOUR), b"{}", ""))
    assert [kind for kind, _ in world.found()] == [Kind.UNTRUSTED, Kind.UNTRUSTED]


@pytest.mark.parametrize("can_check", [True, False])
@pytest.mark.parametrize(
    "says",
    [
        {"digestEndTime": "0001-01-01T00:00:00+14:00"},
        {"digestEndTime": "9999-12-31T23:59:59-12:00"},
        {"digestEndTime": "0001-01-01T00:00:00Z"},
        {"digestEndTime": "2099-01-01T00:00:00Z"},
        {"digestStartTime": "0001-01-01T00:00:00Z"},
    ],
)
def test_a_forged_digest_is_told_in_the_hour_of_its_name_and_keeps_no_other_from_being_read(
    world: World, says: dict[str, str], can_check: bool
) -> None:
    forged = Trail(world.bucket).digest(TEN, [], **says)
    world.deliver(forged)
    world.hours(2, known=lambda hour, key: "0a" not in key)
    if not can_check:
        world.signed.clear()
    assert world.found() == [(Kind.MISSING, "0a"), (Kind.UNTRUSTED, forged.key.removesuffix(".json.gz"))]
    with world.database.read() as connection:
        ((row,), _) = store.digests_in_doubt(connection, *SPAN, 10)
    assert (row.start_at, row.end_at) == (TEN, TEN)


def test_a_digest_whose_signature_is_invalid_is_told_in_the_hour_of_its_name(world: World) -> None:
    digest = world.trail.digest(TEN + HOUR, [], digestEndTime=stamp(TEN - 5 * HOUR))
    world.deliver(digest)
    world.read()
    with world.database.read() as connection:
        ((row,), _) = store.digests_in_doubt(connection, *SPAN, 10)
    assert (row.state, row.end_at, row.files) == ("invalid", TEN + HOUR, 0)


def test_a_name_longer_than_any_of_s3_makes_a_digest_unreadable(world: World) -> None:
    noise = hashlib.shake_256(b"a name").hexdigest(4_000)
    world.deliver(world.trail.digest(TEN + HOUR, [(noise, b"x")]))
    assert [kind for kind, _ in world.found()] == [Kind.UNTRUSTED]


def test_a_digest_that_cannot_be_had_now_is_read_by_a_later_look(world: World) -> None:
    class Down(LocalObjects):
        def fetch(self, object: LogObject, target: Path) -> None:
            raise Outage("not now") if "T12" in object.key else ObjectMissing(object.bucket, object.key, "gone")

    world.hours(2)
    reader = DigestReader(world.database, Down(1 << 20), world, world.folder / "scratch", lambda: NOW)
    reading = reader.read_new(range(hour_of(TEN), hour_of(TEN) + 4))
    assert reading.digests == 0
    assert len(reading.waiting) == 2
    assert world.read() == 2


class Asked(LocalObjects):
    """Keeps count of what is fetched; what `refuse` has an answer for cannot be had."""

    def __init__(self, refuse: Callable[[LogObject], ObjectError | Outage | None]) -> None:
        super().__init__(1 << 20)
        self.refuse, self.asked = refuse, list[str]()

    def fetch(self, object: LogObject, target: Path) -> None:
        self.asked.append(object.key)
        if (error := self.refuse(object)) is not None:
            raise error
        super().fetch(object, target)

    def look(self, world: World, minute: int = 0) -> Reading:
        """One look at the digests of nine hours, so many minutes after the first."""
        now = NOW + timedelta(minutes=minute)
        reader = DigestReader(world.database, self, world, world.folder / "scratch", lambda: now)
        return reader.read_new(range(hour_of(TEN), hour_of(TEN) + 9))


def gone(item: LogObject) -> ObjectMissing:
    return ObjectMissing(item.bucket, item.key, "gone")


def denied(item: LogObject) -> ObjectRefused:
    return ObjectRefused(item.bucket, item.key, "denied")


def test_an_integration_that_does_not_answer_is_not_asked_for_each_of_its_digests(world: World) -> None:
    world.hours(5)
    down = Asked(lambda item: Outage(f"{item.key}: not now"))
    assert len(down.look(world).waiting) == len(down.asked) == 3


@pytest.mark.parametrize("refusal", [gone, denied])
def test_digests_that_cannot_be_had_stop_none_after_them_and_are_told_by_each_look(
    world: World, refusal: Callable[[LogObject], ObjectError]
) -> None:
    world.hours(6, known=lambda hour, key: "5a" not in key)
    first = sorted(item.key for item in world.trail.written)[:4]
    objects = Asked(lambda item: refusal(item) if item.key in first else None)
    reading = objects.look(world)
    assert (reading.digests, len(reading.waiting)) == (2, 4)
    reading = objects.look(world, 60)
    assert (reading.digests, len(reading.waiting)) == (0, 4)
    with world.database.read() as connection:
        missing = [item.key for item in compare(connection, *SPAN).findings if item.kind is Kind.MISSING]
    lost = contents(["5a"], TEN + 5 * HOUR + timedelta(minutes=20))[0][0]
    assert missing == ([*first, lost] if refusal is gone else [lost])
    assert (world.read(), world.found()) == (4, [(Kind.MISSING, "5a")])


def test_three_outages_in_a_row_at_the_oldest_digests_do_not_keep_the_next_look_from_the_others(world: World) -> None:
    world.hours(5)
    first = sorted(item.key for item in world.trail.written)[:3]
    objects = Asked(lambda item: Outage(f"{item.key}: a bad sector") if item.key in first else None)
    assert [objects.look(world, minute).digests for minute in (0, 60)] == [0, 2]
    assert world.read() == 3


def test_of_digests_that_could_not_be_had_a_bounded_number_is_tried_again_each_in_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "MOST_IN_VAIN", 2)
    monkeypatch.setattr(reading_module, "MOST_NAMED", 3)
    world.hours(5)
    objects = Asked(denied)
    assert objects.look(world).waiting[3:] == ("and 2 more digests",)
    first = objects.asked.copy()
    for minute in (60, 120, 180):
        objects.look(world, minute)
    assert objects.asked == [*first, *first, first[0]]
    assert world.read() == 5


def test_a_digest_that_was_read_by_another_stays_read_when_it_cannot_be_had_any_more(world: World) -> None:
    world.hours(1)

    def meanwhile(item: LogObject) -> ObjectMissing:
        assert world.read() == 1
        return gone(item)

    assert Asked(meanwhile).look(world).waiting == ()
    assert world.found() == []


def test_a_digest_that_is_gone_is_one_alert_however_often_it_is_looked_for(world: World) -> None:
    world.hours(5)
    lost = min(item.key for item in world.trail.written)
    objects, told = Asked(lambda item: gone(item) if item.key == lost else None), list[int]()
    alarms = Alarms(world.database, lambda alert, named: ("chat",), timedelta(days=7))
    for minute in (0, 60, 120):
        objects.look(world, minute)
        with world.database.read() as connection:
            found = compare(connection, *SPAN)
        told.append(sum(item.deliveries for item in alarms.of_findings(found, SPAN[0], NOW)))
    assert told == [1, 0, 0]


def test_verify_goes_on_beyond_what_cannot_be_had_to_the_last_digest(world: World) -> None:
    world.hours(5)
    first = sorted(item.key for item in world.trail.written)[:3]
    objects = Asked(lambda item: denied(item) if item.key in first else None)
    reader = DigestReader(world.database, objects, world, world.folder / "scratch", lambda: NOW)
    looks = [reader.read_new(range(hour_of(TEN), hour_of(TEN) + 9), limit=3) for _ in range(2)]
    assert [(item.digests, item.is_complete) for item in looks] == [(0, False), (2, True)]


def test_a_look_is_bounded_and_says_so(world: World) -> None:
    world.hours(3)
    reader = DigestReader(world.database, LocalObjects(1 << 20), world, world.folder / "scratch", lambda: NOW)
    readings = [reader.read_new(range(hour_of(TEN), hour_of(TEN) + 4), limit=2) for _ in range(2)]
    assert [(item.digests, item.is_complete) for item in readings] == [(2, False), (1, True)]


def test_old_digests_are_forgotten_with_what_they_list(world: World) -> None:
    world.hours(3)
    world.read()
    with world.database.begin() as connection:
        assert store.forget_before(connection, hour_of(TEN + 3 * HOUR)) == 0  # they were read later
        connection.execute(sa.update(digests).values(read_at=digests.c.end_at))
        assert store.forget_before(connection, hour_of(TEN + 3 * HOUR)) == 2
        assert len(connection.scalars(sa.select(digests.c.object_id)).all()) == 1
        assert len(connection.scalars(sa.select(digest_files.c.key)).all()) == 3  # two logs and the digest before


def test_a_delivery_hour_is_covered_with_half_an_hour_around_it() -> None:
    ten = hour_of(TEN)
    half = HOUR / 2
    assert is_covered([(TEN - half, TEN + HOUR + half)], ten)
    assert not is_covered([(TEN - half, TEN + HOUR)], ten)
    assert not is_covered([(TEN, TEN + 3 * HOUR)], ten)
    assert not is_covered([], ten)


# ── arrivals ──


def test_arrivals_are_minutes_and_digests_are_none(world: World) -> None:
    world.hours(2)
    with world.database.begin() as connection:
        order = (log_objects.c.kind.desc(), log_objects.c.id)  # logs first, then digests
        keys = connection.scalars(sa.select(log_objects.c.key).order_by(*order)).all()
        seconds = {key: second for second, key in enumerate(keys)}
        for key, second in seconds.items():
            moment = TEN + timedelta(seconds=59 + second)
            connection.execute(sa.update(log_objects).where(log_objects.c.key == key).values(last_modified=moment))
        span = range(hour_of(TEN), hour_of(TEN) + 2)
        assert store.arrival_minutes(connection, "trail", span) == [TEN, TEN + timedelta(minutes=1)]
        assert store.arrival_minutes(connection, "other", span) == []
        assert store.last_hour(connection, "trail", hour_of(NOW)) == hour_of(TEN) + 1
        assert store.last_hour(connection, "other", hour_of(NOW)) is None


# ── alerts ──


def a_finding(key: str, hour: int = 0, kind: Kind = Kind.MISSING) -> Finding:
    return Finding(kind, "trail", "b", key, TEN + hour * HOUR, "why")


def alarms(world: World) -> Alarms:
    return Alarms(world.database, lambda alert, named: ("file",), 24 * HOUR)


def told(world: World) -> dict[str, tuple[str, int]]:
    with world.database.read() as connection:
        return {alert.rule_id: (alert.status, alert.matches) for alert in list_alerts(connection)}


def sent(world: World) -> int:
    with world.database.begin() as connection:
        connection.execute(sa.update(deliveries).values(status="sent"))
        return len(connection.scalars(sa.select(deliveries.c.id)).all())


def test_findings_are_one_alert_which_is_withdrawn_when_they_are_repaired(world: World) -> None:
    both = Comparison((a_finding("a"), a_finding("b"), a_finding("c", 1), a_finding("d", 1, Kind.NOT_DONE)))
    assert len(alarms(world).of_findings(both, TEN, NOW)) == 2
    assert told(world) == {"iota.LogsMissing": ("open", 2)}
    assert alarms(world).of_findings(both, TEN, NOW + HOUR) == []  # the same again
    assert sent(world) == 1
    half = Comparison((a_finding("a"),))
    alarms(world).of_findings(half, TEN, NOW + HOUR)
    assert told(world) == {"iota.LogsMissing": ("open", 1)}
    alarms(world).of_findings(Comparison(()), TEN, NOW + HOUR)
    assert told(world)["iota.LogsMissing"][0] == "withdrawn"
    assert sent(world) == 1
    with world.database.read() as connection:
        counted = [total.value for total in figures.totals(connection) if total.labels[1:] == ("iota.LogsMissing",)]
    assert counted == [1]  # an alert is counted when it comes to be


def test_where_more_is_wrong_than_was_looked_at_nothing_is_taken_back(world: World) -> None:
    alarms(world).of_findings(Comparison((a_finding("a"), a_finding("b", 1))), TEN, NOW)
    alarms(world).of_findings(Comparison((a_finding("a"),), more=1), TEN, NOW)
    assert told(world) == {"iota.LogsMissing": ("open", 2)}


def test_each_kind_is_an_alert_of_its_own(world: World) -> None:
    found = tuple(a_finding("a", kind=kind) for kind in Kind)
    alarms(world).of_findings(Comparison(found), TEN, NOW)
    assert set(told(world)) == {"iota.LogsMissing", "iota.LogsAltered", "iota.LogsUnlisted", "iota.DigestUntrusted"}


def test_a_silence_is_told_once_however_old_and_withdrawn_when_it_ends(world: World) -> None:
    silence = Silence("trail", hour_start(hour_of(TEN) - 24 * 30), HOUR)
    for later in range(3):
        alarms(world).of_silences([silence], NOW + later * 24 * HOUR)
    assert (told(world), sent(world)) == ({"iota.SourceSilent": ("open", 1)}, 1)
    alarms(world).of_silences([], NOW)
    assert told(world)["iota.SourceSilent"][0] == "withdrawn"
