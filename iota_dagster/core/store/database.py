"""The store's database: SQLite (one host) or PostgreSQL behind one small class.

Durability. SQLite runs in WAL mode with `synchronous=FULL`: a commit is on the disk when it returns, so that it
survives a killed process and a power cut alike. `NORMAL` would be enough for the former only, and a queue message that
was deleted after a commit which a power cut undoes would be lost. PostgreSQL has the same promise by its default.

Failures. What a later try may cure (a lock that was not given in time, a deadlock, a lost connection, a full disk) is
raised as `Outage`, and so is a file that this user may not write: what waits for it must not be given up. After an
`Outage` that came from the commit itself the transaction may or may not have happened: whoever writes must be able to
repeat it.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite

from iota_dagster.core.errors import IotaError, Outage, SettingsError
from iota_dagster.core.store.operations import Operations

LOCK_SECONDS = 60
"""How long a transaction waits for another one's lock before it is an outage."""

_Item = TypeVar("_Item")
_READ, _WRITE, _MIGRATE = "read", "write", "migrate"
_MODE = "iota_mode"
_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}
_FORBIDDEN = {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}


class Database:
    """The store's connections. Cheap to make, connects on first use, may be shared by threads.

    A forked child gets connections of its own, and a pickled copy carries the URL only. `url` is a `sqlite:///` file
    or a `postgresql://` database; anything else is a `SettingsError`.
    """

    def __init__(self, url: str) -> None:
        """Check the URL; nothing is opened yet."""
        self._url = _normalised(url)
        self._lock = threading.Lock()
        self._engine: sa.Engine | None = None
        self._pid = os.getpid()
        self.operations = Operations()
        """What this process's transactions took, until somebody takes it away."""

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._url.get_backend_name()

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A write transaction: committed when the block ends, rolled back when it raises.

        On SQLite it holds the only write lock from its first moment, so that what it reads cannot change before it
        writes. On PostgreSQL it is READ COMMITTED: guard what you read by `UPDATE … WHERE` or a row lock.
        """
        with self._transaction(_WRITE) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A read-only transaction: all of its statements see the store as it was at the first one."""
        with self._transaction(_READ) as connection:
            yield connection

    def migrate(self) -> None:
        """Bring the schema to the newest revision; does nothing, fast, when it is there.

        Any number of processes may call it at once: one migrates, the others wait for it. `IotaError` when the store
        was written by a newer iota.
        """
        from iota_dagster.core.store import migrations

        with self._transaction(_READ) as connection:
            if migrations.is_current(connection):
                return
        with self._transaction(_MIGRATE) as connection:
            migrations.upgrade(connection)

    def dispose(self) -> None:
        """Close every idle connection; the next use opens new ones."""
        with self._lock:
            engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose(close=self._pid == os.getpid())

    def __repr__(self) -> str:
        """The URL, without its password."""
        return f"Database({_shown(self._url)!r})"

    def __reduce__(self) -> tuple[Callable[[str], Database], tuple[str]]:
        """For another process: the URL, password and all."""
        return Database, (self._url.render_as_string(hide_password=False),)

    @contextmanager
    def _transaction(self, mode: str) -> Iterator[sa.Connection]:
        options: dict[str, Any] = {_MODE: mode}
        if mode == _READ and self.dialect == "postgresql":
            options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            with (
                self.operations.timed(mode),
                self._connected().connect() as connection,
                connection.execution_options(**options).begin(),
            ):
                yield connection
        except (exc.DBAPIError, exc.TimeoutError) as error:
            meaning = self._meaning(error, mode)
            if meaning is error:
                raise
            raise meaning from error

    def _connected(self) -> sa.Engine:
        """This process's engine. A child must not use, nor close, the sockets and locks it inherited by a fork."""
        if self._pid != os.getpid():
            self._lock = threading.Lock()  # another thread of the parent may have held it while forking
            self._pid = os.getpid()
            if self._engine is not None:
                self._engine.dispose(close=False)
            self._engine = None
        with self._lock:
            if self._engine is None:
                self._engine = _engine(self._url)
            return self._engine

    def _meaning(self, error: exc.DBAPIError | exc.TimeoutError, mode: str) -> Exception:
        """What to raise for a database error: `Outage` if waiting may cure it, the error itself if it is a mistake."""
        cause = getattr(error, "orig", None) or error
        if isinstance(cause, sqlite3.Error):
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the family
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                return IotaError(f"the store {_shown(self._url)} is damaged: {cause}. Restore it from a backup.")
            if code in _FORBIDDEN and _is_forbidden(file := Path(self._url.database or "")):
                return Outage(
                    f"the store {file} may not be written by user {os.geteuid()}: run this as the user that runs iota "
                    "(or is its file system read-only?)"
                )
            passing = code in _PASSING and not (code == sqlite3.SQLITE_READONLY and mode == _READ)
        else:
            passing = isinstance(error, exc.OperationalError | exc.InterfaceError | exc.TimeoutError)
        if not passing and not getattr(error, "connection_invalidated", False):
            return error
        words = " ".join(str(cause).split())
        return Outage(f"the store {_shown(self._url)} did not answer: {words}")


def insert_ignore(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """An INSERT that leaves out rows whose primary key or unique columns are there already; `rowcount` is the rest."""
    return _insert(connection, table).on_conflict_do_nothing()


def upsert(
    connection: sa.Connection,
    table: sa.Table,
    *,
    on: Iterable[str] | None = None,
    update: Iterable[str] | None = None,
    assign: Mapping[str, Any] | None = None,
) -> sa.Insert:
    """An INSERT that updates the row which is there already.

    `on` names the unique columns (default: the primary key), `update` the columns that take the new row's values
    (default: all others, those you give no value included), `assign` columns with a value or expression of their own,
    e.g. `{"version": table.c.version + 1}`.
    """
    keys = list(on) if on is not None else [column.name for column in table.primary_key]
    names = list(update) if update is not None else [c.name for c in table.columns if c.name not in keys]
    statement = _insert(connection, table)
    changes = {name: statement.excluded[name] for name in names} | dict(assign or {})
    return statement.on_conflict_do_update(index_elements=keys, set_=changes)


def chunked(items: Iterable[_Item], size: int = 5_000) -> Iterator[list[_Item]]:
    """The items in lists short enough for one statement's `IN (…)`: SQLite takes 32,766 parameters."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _insert(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """The dialect's INSERT, whose result's `rowcount` is what was written (by default psycopg's is lost)."""
    statement = postgresql.insert(table) if connection.dialect.name == "postgresql" else sqlite.insert(table)
    return statement.execution_options(preserve_rowcount=True)


def _shown(url: sa.URL) -> str:
    """The URL for people: without its password, wherever that stands."""
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def _normalised(text: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise SettingsError("the store's URL cannot be read: give sqlite:///<file> or postgresql://…") from None
    if url.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "sqlite+pysqlite"):
        raise SettingsError(f"the store cannot be {url.drivername!r}: give sqlite:///<file> or postgresql://…")
    if not url.database or url.database.startswith((":", "file:")):
        raise SettingsError("the store must be a file, since several processes share it: give sqlite:///<file>")
    return url.set(database=str(Path(url.database).expanduser().absolute()))


def _engine(url: sa.URL) -> sa.Engine:
    return _sqlite_engine(url) if url.get_backend_name() == "sqlite" else _postgresql_engine(url)


def _postgresql_engine(url: sa.URL) -> sa.Engine:
    defaults = {
        "connect_timeout": 10,
        "application_name": "iota",
        "options": f"-c lock_timeout={LOCK_SECONDS}s",
        "keepalives_idle": 30,
    }
    arguments = {name: value for name, value in defaults.items() if name not in url.query}
    return sa.create_engine(url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)


def _sqlite_engine(url: sa.URL) -> sa.Engine:
    assert url.database
    try:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Outage(f"the store's folder {Path(url.database).parent} cannot be made: {error.strerror}") from error
    engine = sa.create_engine(url, connect_args={"timeout": LOCK_SECONDS}, hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _is_forbidden(file: Path) -> bool:
    """Whether this user may not write a database there: SQLite makes files beside it, also for a reader."""
    if not os.access(file.parent, os.F_OK):
        return False  # it has gone
    may = os.access(file.parent, os.W_OK | os.X_OK, effective_ids=True)
    return not may or (file.exists() and not os.access(file, os.R_OK | os.W_OK, effective_ids=True))


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    connection.isolation_level = None  # the driver's own BEGIN comes too late and is never IMMEDIATE
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL, once in its life. SQLite does not wait for a lock in that switch, so this does."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: sa.Connection) -> None:
    """Open the transaction as its mode asks; the pragmas cannot be changed inside of one.

    A migration changes a table by building a new one, dropping the old and renaming: foreign keys must not delete
    what referred to it, nor views that name it forbid it.
    """
    mode = connection.get_execution_options().get(_MODE, _WRITE)
    driver: Any = connection.connection.driver_connection
    driver.execute(f"PRAGMA query_only = {int(mode == _READ)}")
    driver.execute(f"PRAGMA foreign_keys = {int(mode != _MIGRATE)}")
    driver.execute(f"PRAGMA legacy_alter_table = {int(mode == _MIGRATE)}")
    connection.exec_driver_sql("BEGIN" if mode == _READ else "BEGIN IMMEDIATE")
