"""Backup and restore of the store, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from iota_dagster.core.errors import IotaError
from iota_dagster.core.store import backup as backups
from iota_dagster.core.store import identity, migrations
from iota_dagster.core.store.backup import backup, restore
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import event_hours, spooled_events
from iota_dagster.core.store.upkeep import look_after

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def store(store_url: str) -> Database:
    database = Database(store_url)
    database.migrate()
    add(database, 1)
    with database.begin() as connection:
        identity.make_store_id(connection)
    database.dispose()
    return database


def add(database: Database, *hours: int) -> None:
    with database.begin() as connection:
        connection.execute(sa.insert(event_hours), [{"log_type": "AWS.CloudTrail", "hour": hour} for hour in hours])


def hours(database: Database) -> list[int]:
    with database.read() as connection:
        found = list(connection.execute(sa.select(event_hours.c.hour).order_by(event_hours.c.hour)).scalars())
    database.dispose()
    return found


def store_id(database: Database) -> str | None:
    with database.read() as connection:
        return identity.store_id(connection)


def test_a_backup_holds_the_store_and_a_restored_one_is_another(
    store: Database, store_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "backups" / "iota.backup"
    before = store_id(store)
    assert backup(store_url, file) == file.stat().st_size > 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    add(store, 2)
    store.dispose()
    restore(store_url, file, replace=True)
    assert hours(store) == [1]
    assert store_id(store) not in (before, None)
    store.dispose()
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_neither_a_file_nor_a_store_is_overwritten_unasked(store: Database, store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "iota.backup"
    backup(store_url, file)
    with pytest.raises(IotaError, match="--replace"):
        backup(store_url, file)
    backup(store_url, file, replace=True)
    with pytest.raises(IotaError, match="--replace"):
        restore(store_url, file)
    assert hours(store) == [1]


def test_what_is_no_backup_is_refused_and_the_store_stays(store: Database, store_url: str, tmp_path: Path) -> None:
    file = tmp_path / "text"
    file.write_text("no backup")
    with pytest.raises(IotaError, match="no backup"):
        restore(store_url, file, replace=True)
    with pytest.raises(IotaError, match="no such file"):
        restore(store_url, tmp_path / "nothing", replace=True)
    assert hours(store) == [1]


def test_a_lost_sqlite_store_is_restored_where_none_is(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/home/iota.db"
    database = Database(url)
    database.migrate()
    add(database, 7)
    database.dispose()
    backup(url, tmp_path / "copy")
    for path in (tmp_path / "home").iterdir():
        path.unlink()
    restore(url, tmp_path / "copy")
    assert hours(database) == [7]


def test_other_sqlite_files_and_damaged_ones_are_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/iota.db"
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(IotaError, match="no store of iota"):
        restore(url, foreign)
    database = Database(url)
    database.migrate()
    database.dispose()
    backup(url, tmp_path / "copy")
    content = bytearray((tmp_path / "copy").read_bytes())
    content[4096:40960] = bytes(36864)
    (tmp_path / "copy").write_bytes(content)
    with pytest.raises(IotaError, match="damaged"):
        restore(url, tmp_path / "copy", replace=True)
    with pytest.raises(IotaError, match="no store to back up"):
        backup(f"sqlite:///{tmp_path}/nothing.db", tmp_path / "none")
    assert not (tmp_path / "nothing.db").exists()


def test_a_backup_beside_a_writer_is_of_one_moment(tmp_path: Path) -> None:
    """Each transaction writes two rows: no backup has one of them alone."""
    url = f"sqlite:///{tmp_path}/iota.db"
    database = Database(url)
    database.migrate()
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            add(database, number, number + 1)
            number += 2

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            backup(url, tmp_path / f"copy-{number}")
    finally:
        stop.set()
        writer.join()
    database.dispose()
    for number in range(5):
        copy = Database(f"sqlite:///{tmp_path}/copy-{number}")
        assert len(hours(copy)) % 2 == 0


def test_without_its_tools_postgresql_says_what_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(backups, "_DEBIAN", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    url = "postgresql://iota:secret:word@db.example.com/iota"
    with pytest.raises(
        IotaError, match=r"pg_dump is not on this machine.*pg_dump --dbname='postgresql://iota@db"
    ) as told:
        backup(url, tmp_path / "copy")
    assert "secret" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_a_password_reaches_the_tools_by_a_file_alone() -> None:
    url = sa.make_url("postgresql+psycopg://iota@db.example.com/iota").set(password="a:b\\c")
    with backups._connection(url) as text:
        name = sa.make_url(text).query["passfile"]
        assert isinstance(name, str)
        assert "a:b" not in text
        assert Path(name).read_text() == "*:*:*:*:a\\:b\\\\c\n"
        assert stat.S_IMODE(Path(name).stat().st_mode) == 0o600
    assert not Path(name).exists()


def test_free_pages_are_given_back_once_they_are_many(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/iota.db"
    database = Database(url)
    database.migrate()
    with database.begin() as connection:
        rows = [{"event_id": number.to_bytes(400, "big"), "spooled_at": NOW} for number in range(5_000)]
        connection.execute(sa.insert(spooled_events), rows)
    full = look_after(url)
    assert full is not None
    assert not full.vacuum
    with database.begin() as connection:
        connection.execute(sa.delete(spooled_events))
    database.dispose()
    dry = look_after(url, dry_run=True)
    assert dry is not None
    assert dry.vacuum
    assert look_after(url) == dry
    assert (tmp_path / "iota.db").stat().st_size < full.bytes / 4
    assert look_after("postgresql://db.example.com/iota") is None


def test_a_backup_of_a_newer_iota_is_refused_and_the_store_stays(
    store: Database, store_url: str, tmp_path: Path
) -> None:
    before = store_id(store)
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    store.dispose()
    backup(store_url, tmp_path / "newer")
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :now"), {"now": migrations.head()})
    add(store, 2)
    store.dispose()
    with pytest.raises(IotaError, match="newer iota"):
        restore(store_url, tmp_path / "newer", replace=True)
    assert hours(store) == [1, 2]
    assert store_id(store) == before
    store.dispose()


def test_a_backup_of_an_older_revision_takes_the_place_of_a_newer_store(empty_store_url: str, tmp_path: Path) -> None:
    """What the newer revision has, the view of the second one, goes first and is made anew."""
    database = Database(empty_store_url)
    with database.begin() as connection:
        migrations.upgrade(connection, "0001")
    add(database, 7)
    database.dispose()
    backup(empty_store_url, tmp_path / "older")
    database.migrate()
    add(database, 8)
    database.dispose()
    restore(empty_store_url, tmp_path / "older", replace=True)
    assert hours(database) == [7]
    with database.read() as connection:
        assert migrations.revision(connection) == migrations.head()
        assert connection.execute(sa.text("SELECT count(*) FROM last_objects")).scalar_one() == 0
    database.dispose()


@pytest.mark.parametrize("damage", [b"no database at all " * 100, bytes(8192), b"SQLite format 3\0" + bytes(100)])
def test_a_damaged_sqlite_store_is_replaced(tmp_path: Path, damage: bytes) -> None:
    url = f"sqlite:///{tmp_path}/iota.db"
    database = Database(url)
    database.migrate()
    add(database, 7)
    database.dispose()
    backup(url, tmp_path / "copy")
    (tmp_path / "iota.db").write_bytes(damage)
    with pytest.raises(IotaError, match="--replace"):
        restore(url, tmp_path / "copy")
    restore(url, tmp_path / "copy", replace=True)
    assert hours(database) == [7]
    assert {path.name for path in tmp_path.iterdir()} <= {"iota.db", "iota.db-wal", "iota.db-shm", "copy"}


def test_a_restore_that_is_cut_off_leaves_no_store_with_its_old_id(
    store: Database, store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup(store_url, tmp_path / "copy")
    add(store, 2)
    before = store_id(store)
    store.dispose()

    def cut(_: Database) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(backups, "_make_another", cut)
    with pytest.raises(KeyboardInterrupt):
        restore(store_url, tmp_path / "copy", replace=True)
    assert (hours(store), store_id(store)) in [([1, 2], before), ([1], None)]
    store.dispose()


def test_a_place_that_cannot_be_written_is_named(store: Database, store_url: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(IotaError, match=r"file/copy cannot be written"):
        backup(store_url, tmp_path / "file" / "copy")
