"""Backup and restore of the store: one file that holds one moment of it, taken while everything runs.

A restored store gets another id: it may be older than its lake, so that nothing is written until `iota repair` has
compared the two (see `lake.ownership`). It never stands there with its old id, not even after a crash.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path

import sqlalchemy as sa

from iota_dagster.core.errors import IotaError
from iota_dagster.core.store import identity, migrations
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import metadata

_SQLITE_FILE = b"SQLite format 3\0"
_PG_DUMP = b"PGDMP"
_DEBIAN = Path("/usr/lib/postgresql")
_LOST = ". Stop Dagster, put an older backup in its place (`iota restore … --replace`), and call `iota repair`"


def backup(store_url: str, target: Path, *, replace: bool = False) -> int:
    """Write a backup of the store into a file, whole or not at all; its bytes.

    `IotaError` when the file is there already, when a SQLite store is damaged or cannot be read, or when PostgreSQL's
    `pg_dump` is not on this machine or fails.
    """
    if target.exists() and not replace:
        raise IotaError(f"{target} is there already: choose another file, or give --replace")
    url = sa.make_url(store_url)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.touch(mode=0o600)  # it holds what the logs hold
        if url.get_backend_name() == "sqlite":
            _sqlite_backup(Path(str(url.database)), part)
        else:
            _dump(url, part)
        _to_disk(part)
        part.replace(target)
    except (OSError, sqlite3.OperationalError) as error:
        raise IotaError(f"{target} cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return target.stat().st_size


def restore(store_url: str, source: Path, *, replace: bool = False) -> None:
    """Put a backup in the place of the store, all or nothing, and give the store another id.

    `IotaError` when the file is no backup of this kind of store or is damaged, and when the store holds something
    already and `replace` is not set. Nothing else may be running: what it wrote since the backup is lost.
    """
    if not source.is_file():
        raise IotaError(f"{source}: there is no such file")
    url = sa.make_url(store_url)
    database = Database(store_url)
    try:
        if not replace and _holds_something(database, url):
            raise IotaError(f"{database!r} is not empty: stop everything, and give --replace to overwrite it")
        database.dispose()
        if url.get_backend_name() == "sqlite":
            _sqlite_restore(source, Path(str(url.database)))
        else:
            _load(url, source)
            _make_another(database)
    finally:
        database.dispose()


def _holds_something(database: Database, url: sa.URL) -> bool:
    if url.get_backend_name() == "sqlite":
        store = Path(str(url.database))
        return store.exists() and store.stat().st_size > 0  # what is damaged cannot be asked
    with database.read() as connection:
        return bool(sa.inspect(connection).get_table_names())


def _make_another(database: Database) -> None:
    """Bring a store that came from a backup to the newest revision, under another id."""
    try:
        database.migrate()
        with database.begin() as connection:
            identity.renew_store_id(connection)
    finally:
        database.dispose()


# ── SQLite: its online backup, which sees one moment and starts again when others write ──


def _sqlite_backup(store: Path, target: Path) -> None:
    if not store.is_file():
        raise IotaError(f"{store}: there is no store to back up")
    with closing(sqlite3.connect(target)) as copy, _reading(store), closing(_opened(store, read_only=True)) as origin:
        # One transaction, so that writers beside it cannot make the copy start over for ever.
        origin.execute("BEGIN")
        origin.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        try:
            origin.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.OperationalError as error:
            raise IotaError(f"{store} cannot be copied into {target.parent}: {error}") from error
        _verify(copy, store, _LOST)


@contextmanager
def _reading(store: Path) -> Iterator[None]:
    """SQLite's errors over a store as `IotaError`, which says what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise IotaError(f"{store} cannot be read: {error}") from error
    except sqlite3.DatabaseError as error:
        raise IotaError(f"{store} is damaged: {error}{_LOST}") from error


def _sqlite_restore(source: Path, store: Path) -> None:
    with source.open("rb") as file:
        if file.read(len(_SQLITE_FILE)) != _SQLITE_FILE:
            raise IotaError(f"{source} is no backup of a SQLite store")
    store.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{store.name}-", dir=store.parent) as folder:
        made = Path(folder) / store.name
        with closing(_opened(source, read_only=True)) as origin, closing(sqlite3.connect(made)) as copy:
            _verify(origin, source)
            origin.backup(copy, pages=-1)
        _make_another(Database(f"sqlite:///{made}"))
        with closing(_opened(made, read_only=False)) as another:
            another.execute("PRAGMA journal_mode = DELETE")
            _put(another, made, store)


def _put(another: sqlite3.Connection, made: Path, store: Path) -> None:
    """Let the store be what was made: in one transaction for whoever has it open, as a file where it is damaged."""
    try:
        with closing(sqlite3.connect(store, timeout=60)) as old:
            another.backup(old, pages=-1)
        return
    except sqlite3.OperationalError as error:
        raise IotaError(f"{store} cannot be overwritten ({error}): stop everything that uses it") from error
    except sqlite3.DatabaseError:
        another.close()
    for name in (f"{store.name}-wal", f"{store.name}-shm"):
        store.with_name(name).unlink(missing_ok=True)  # they belong to what is replaced
    _to_disk(made)
    made.replace(store)


def _verify(connection: sqlite3.Connection, path: Path, advice: str = "") -> None:
    try:
        found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        is_store = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'alembic_version'").fetchone()
    except sqlite3.DatabaseError as error:
        raise IotaError(f"{path} is damaged: {error}{advice}") from error
    if found != "ok":
        raise IotaError(f"{path} is damaged: {' '.join(found.split())}{advice}")
    if not is_store:
        raise IotaError(f"{path} is a SQLite file, but no store of iota")


def _opened(path: Path, *, read_only: bool) -> sqlite3.Connection:
    mode = "ro" if read_only else "rw"
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, timeout=60)
    connection.isolation_level = None
    return connection


# ── PostgreSQL: its own tools ──


def _dump(url: sa.URL, target: Path) -> None:
    _run("pg_dump", url, ["--format=custom", "--no-owner", "--no-privileges", "--file", str(target)])


def _load(url: sa.URL, source: Path) -> None:
    with source.open("rb") as file:
        if file.read(len(_PG_DUMP)) != _PG_DUMP:
            raise IotaError(f"{source} is no backup of a PostgreSQL store (pg_dump --format=custom)")
    options = ["--clean", "--if-exists", "--no-owner", "--no-privileges"]
    with tempfile.TemporaryDirectory(prefix="iota-restore-") as folder:  # for its owner alone
        script, version, drop = (Path(folder) / name for name in ("store.sql", "version.sql", "drop.sql"))
        _run("pg_restore", None, ["--data-only", "--table=alembic_version", f"--file={version}", str(source)])
        _require_known(version.read_text(), source)
        _run("pg_restore", None, [*options, f"--file={script}", str(source)])
        drop.write_text(_drop_tables())
        steps = [f"--file={drop}", f"--file={script}", "--command=DELETE FROM public.store_identity"]
        _run("psql", url, ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", *steps])


def _drop_tables() -> str:
    """What is there goes before a backup is loaded: a newer revision has tables and views that an older one lacks."""
    names = [*(table.name for table in metadata.sorted_tables), "alembic_version"]
    return "".join(f"DROP TABLE IF EXISTS {name} CASCADE;\n" for name in names)


def _require_known(script: str, source: Path) -> None:
    """Refuse the backup of a newer iota before anything is overwritten."""
    found = re.search(r"^(\d{4})$", script, re.MULTILINE)
    if found is None:
        raise IotaError(f"{source} is a PostgreSQL backup, but of no store of iota")
    if found[1] > migrations.head():
        known = f"revision {found[1]}, this one knows {migrations.head()}"
        raise IotaError(f"{source} was written by a newer iota ({known}): upgrade iota")


def _run(tool: str, url: sa.URL | None, arguments: Sequence[str]) -> None:
    """Run one of PostgreSQL's tools, on a database if one is given."""
    program = _find(tool)
    if program is None:
        shown = f" --dbname='{_without_password(url)}'" if url else ""
        raise IotaError(
            f"{tool} is not on this machine. Where it is (PostgreSQL's client tools), run: "
            f"{tool}{shown} {' '.join(arguments)}"
        )
    with _connection(url) if url else nullcontext() as text:
        command = [f"--dbname={text}", *arguments] if text else [*arguments]
        done = subprocess.run([str(program), *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise IotaError(f"{tool} failed: {' '.join(done.stderr.split()) or f'exit code {done.returncode}'}")


def _find(tool: str) -> Path | None:
    """The newest one on this machine: an older tool refuses a newer server."""
    folders = sorted(_DEBIAN.glob("*/bin"), key=lambda path: path.parent.name.zfill(4), reverse=True)
    here = [folder / tool for folder in folders if (folder / tool).exists()]
    found = shutil.which(tool)
    return here[0] if here else Path(found) if found else None


@contextmanager
def _connection(url: sa.URL) -> Iterator[str]:
    """The connection for a command line, which everybody on the host can read: the password is in a file."""
    if url.password is None:
        yield _without_password(url)
        return
    with tempfile.NamedTemporaryFile("w", prefix="iota-", suffix=".pgpass") as file:  # made for its owner alone
        file.write(f"*:*:*:*:{_escaped(str(url.password))}\n")
        file.flush()
        yield _without_password(url.update_query_dict({"passfile": file.name}))


def _without_password(url: sa.URL) -> str:
    plain = sa.URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return plain.difference_update_query(["password"]).render_as_string(hide_password=True)


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
