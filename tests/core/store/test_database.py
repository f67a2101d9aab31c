"""The store's connections: transactions, locks, failures, forks and secrets, on both databases."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from iota_dagster.core.errors import IotaError, Outage, SettingsError
from iota_dagster.core.store import database as module
from iota_dagster.core.store.database import Database, chunked, insert_ignore, upsert
from iota_dagster.core.store.schema import Id, event_hours, metadata


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch, store: Database) -> Iterator[Database]:
    """The same store, for somebody who waits a second for a lock."""
    monkeypatch.setattr(module, "LOCK_SECONDS", 1)
    database = pickle.loads(pickle.dumps(store))
    yield database
    database.dispose()


def add(connection: sa.Connection, hour: int, version: int = 0) -> None:
    connection.execute(event_hours.insert(), {"log_type": "a", "hour": hour, "version": version})


def versions(database: Database) -> dict[int, int]:
    with database.read() as connection:
        rows = connection.execute(sa.select(event_hours.c.hour, event_hours.c.version)).all()
        return {row.hour: row.version for row in rows}


def test_a_block_that_ends_is_committed_and_one_that_raises_is_not(store: Database) -> None:
    with store.begin() as connection:
        add(connection, 1)
    with pytest.raises(ValueError, match="stop"), store.begin() as connection:
        add_and_stop(connection, 2)
    assert versions(store) == {1: 0}


def add_and_stop(connection: sa.Connection, hour: int) -> None:
    add(connection, hour)
    raise ValueError("stop")


def test_a_reader_cannot_write(store: Database) -> None:
    with pytest.raises(exc.DBAPIError, match=r"read.?only"), store.read() as connection:
        add(connection, 1)
    with store.begin() as connection:  # the same pooled connection may write again
        add(connection, 1)
    assert versions(store) == {1: 0}


def test_a_reader_sees_one_moment_however_long_it_reads(store: Database) -> None:
    with store.read() as reader:
        count = sa.select(sa.func.count()).select_from(event_hours)
        assert reader.scalar(count) == 0
        with store.begin() as writer:
            add(writer, 1)
        assert reader.scalar(count) == 0
    assert versions(store) == {1: 0}


def test_two_writers_of_one_row_lose_no_update(store: Database) -> None:
    with store.begin() as connection:
        add(connection, 1)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(count_up, [store] * 2)) == [None, None]
    assert versions(store) == {1: 40}


def count_up(database: Database) -> None:
    for _ in range(20):
        with database.begin() as connection:
            row = sa.select(event_hours.c.version).with_for_update()
            version = connection.scalar(row) or 0
            connection.execute(event_hours.update().values(version=version + 1))
    database.dispose()


def test_a_lock_that_is_not_given_in_time_is_an_outage(store: Database, impatient: Database) -> None:
    with store.begin() as connection:
        add(connection, 1)
        with pytest.raises(Outage, match=r"did not answer: .*lock"), impatient.begin() as second:
            add(second, 1)
    with impatient.begin() as second:
        add(second, 2)
    assert versions(store) == {1: 0, 2: 0}


def test_a_deadlock_is_an_outage_for_one_and_the_other_goes_on(postgres_url: str) -> None:
    database = Database(postgres_url)
    with database.begin() as connection:
        metadata.create_all(connection, tables=[event_hours])
        add(connection, 1)
        add(connection, 2)
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    outcomes = context.Queue()
    orders = [(1, 2), (2, 1)]
    workers = [context.Process(target=lock_rows, args=(database, barrier, outcomes, order)) for order in orders]
    for worker in workers:
        worker.start()
    assert sorted(outcomes.get() for _ in workers) == ["done", "outage"]
    for worker in workers:
        worker.join()
    database.dispose()


def lock_rows(database: Database, barrier: object, outcomes: object, order: tuple[int, int]) -> None:
    try:
        with database.begin() as connection:
            for place, hour in enumerate(order):
                connection.execute(event_hours.update().where(event_hours.c.hour == hour).values(version=1))
                if place == 0:
                    barrier.wait()  # type: ignore[attr-defined]
        outcomes.put("done")  # type: ignore[attr-defined]
    except Outage:
        outcomes.put("outage")  # type: ignore[attr-defined]


def test_a_lost_connection_is_an_outage_and_the_next_use_connects_anew(postgres_url: str) -> None:
    database, other = Database(postgres_url), Database(postgres_url)
    with pytest.raises(Outage), database.begin() as connection:
        kill_connection(other, connection)
    with database.read() as connection:
        assert connection.scalar(sa.text("SELECT 1")) == 1
    database.dispose()
    other.dispose()


def kill_connection(killer: Database, victim: sa.Connection) -> None:
    pid = victim.scalar(sa.text("SELECT pg_backend_pid()"))
    with killer.begin() as connection:
        connection.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    victim.execute(sa.text("SELECT 1"))


def test_a_server_that_is_not_there_is_an_outage_that_names_it_without_the_password() -> None:
    database = Database("postgresql://iota:hunter2@127.0.0.1:1/store?password=hunter3")
    with pytest.raises(Outage, match=r"iota:\*\*\*@127\.0\.0\.1:1/store") as caught, database.read():
        pass
    assert "hunter" not in str(caught.value)


def test_a_mistake_in_a_statement_is_not_an_outage(store: Database) -> None:
    with pytest.raises(exc.DBAPIError), store.begin() as connection:
        connection.execute(sa.text("SELECT nothing FROM nowhere"))


def test_a_broken_constraint_is_not_an_outage_and_shows_no_values(store: Database) -> None:
    with pytest.raises(exc.IntegrityError) as caught, store.begin() as connection:
        connection.execute(event_hours.insert(), [{"log_type": "s3cret", "hour": 1}] * 2)
    assert "parameters hidden" in str(caught.value)


def test_a_file_that_is_no_database_is_named_as_damaged(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"not a database at all" * 100)
    with pytest.raises(IotaError, match=r"store\.db is damaged: .*backup"), store_in(tmp_path).read():
        pass


def test_a_folder_that_cannot_be_made_is_an_outage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Outage, match="cannot be made"), store_in(tmp_path / "file" / "folder").read():
        pass


def store_in(folder: Path) -> Database:
    return Database(f"sqlite:///{folder / 'store.db'}")


def test_sqlite_makes_its_folder_and_commits_to_the_disk(tmp_path: Path) -> None:
    database = store_in(tmp_path / "a" / "b")
    with database.begin() as connection:
        pragmas = {name: connection.scalar(sa.text(f"PRAGMA {name}")) for name in PRAGMAS}
    assert pragmas == PRAGMAS
    database.dispose()


PRAGMAS = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": 0, "busy_timeout": 60_000}


def test_a_commit_survives_a_killed_process(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from iota_dagster.core.store.database import Database\n"
        "from iota_dagster.core.store.schema import event_hours, metadata\n"
        "database = Database(sys.argv[1])\n"
        "row = event_hours.insert().values(log_type='a')\n"
        "with database.begin() as c: metadata.create_all(c); c.execute(row.values(hour=1))\n"
        "with database.begin() as c: c.execute(row.values(hour=2)); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    url = f"sqlite:///{tmp_path / 'store.db'}"
    ended = subprocess.run([sys.executable, "-c", script, url], check=False)
    assert ended.returncode == -signal.SIGKILL
    database = Database(url)
    assert versions(database) == {1: 0}
    database.dispose()


def test_many_processes_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'store.db'}"
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(6)
    workers = [context.Process(target=first_use, args=(url, barrier)) for _ in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 6


def first_use(url: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    with Database(url).begin() as connection:
        connection.execute(sa.text("CREATE TABLE IF NOT EXISTS t (a INTEGER)"))


def test_a_forked_child_gets_connections_of_its_own(store: Database) -> None:
    with store.begin() as connection:
        add(connection, 1)
    child = os.fork()
    if child == 0:
        try:
            with store.begin() as connection:
                add(connection, 2)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    with store.begin() as connection:  # the parent's own connection was not closed under it
        add(connection, 3)
    assert versions(store) == {1: 0, 2: 0, 3: 0}


def test_a_pickled_copy_opens_the_same_store(store: Database) -> None:
    with store.begin() as connection:
        add(connection, 1)
    copy = pickle.loads(pickle.dumps(store))
    assert versions(copy) == {1: 0}
    copy.dispose()


def test_a_relative_file_stays_the_same_wherever_the_process_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database("sqlite:///store.db")
    monkeypatch.chdir("/")
    with database.read():
        assert (tmp_path / "store.db").exists()
    database.dispose()


def test_a_password_is_never_shown() -> None:
    shown = repr(Database("postgresql://iota:hunter2@example.com/store?password=hunter3&sslmode=require"))
    assert shown == "Database('postgresql+psycopg://iota:***@example.com/store?sslmode=require')"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("mysql://localhost/store", "cannot be 'mysql'"),
        ("sqlite://", "must be a file"),
        ("sqlite:///:memory:", "must be a file"),
        ("iota.db", "cannot be read"),
    ],
)
def test_a_url_that_cannot_work_says_what_to_give(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=f"{message}.*sqlite:///<file>"):
        Database(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_uses_one_driver(scheme: str) -> None:
    database = Database(f"{scheme}://localhost/store")
    assert database.dialect == "postgresql"
    assert repr(database) == "Database('postgresql+psycopg://localhost/store')"


def test_a_row_that_is_there_is_ignored_and_not_counted(store: Database) -> None:
    with store.begin() as connection:
        statement = insert_ignore(connection, event_hours)
        assert connection.execute(statement, {"log_type": "a", "hour": 1, "version": 7}).rowcount == 1
        assert connection.execute(statement, {"log_type": "a", "hour": 1, "version": 8}).rowcount == 0
        assert connection.execute(statement, [{"log_type": "a", "hour": hour} for hour in range(4)]).rowcount == 3
    assert versions(store) == {0: 0, 1: 7, 2: 0, 3: 0}


def test_a_row_with_a_key_that_the_database_gives_is_counted_too(store: Database) -> None:
    table = sa.Table("t", sa.MetaData(), sa.Column("id", Id, primary_key=True), sa.Column("name", sa.Text, unique=True))
    with store.begin() as connection:
        table.create(connection)
        statement = insert_ignore(connection, table)
        assert [connection.execute(statement, {"name": name}).rowcount for name in "aba"] == [1, 1, 0]


def test_an_upsert_takes_the_new_values_or_the_ones_assigned(store: Database) -> None:
    rows = [{"log_type": "a", "hour": hour, "version": 5} for hour in (1, 2)]
    with store.begin() as connection:
        add(connection, 1, version=1)
        connection.execute(upsert(connection, event_hours), rows)
        assert connection.scalar(sa.select(sa.func.sum(event_hours.c.version))) == 10
        advance = upsert(connection, event_hours, update=(), assign={"version": event_hours.c.version + 1})
        connection.execute(advance, [{**rows[0], "version": 0}, {"log_type": "a", "hour": 3, "version": 0}])
    assert versions(store) == {1: 6, 2: 5, 3: 0}


def test_an_upsert_can_go_by_other_unique_columns(store: Database) -> None:
    with store.begin() as connection:
        add(connection, 1)
        statement = upsert(connection, event_hours, on=("log_type", "hour"), update=("version",))
        connection.execute(statement, {"log_type": "a", "hour": 1, "version": 3})
    assert versions(store) == {1: 3}


def test_long_lists_come_in_chunks_that_a_statement_takes() -> None:
    assert list(chunked(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunked([])) == []
    limit = sqlite3.connect(":memory:").getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER)
    assert len(next(chunked(range(100_000)))) < limit
