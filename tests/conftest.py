"""Fixtures for all tests: a database on SQLite and on PostgreSQL, AWS, and reproducible property tests."""

from __future__ import annotations

import gc
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import psycopg
import pytest

from iota_dagster.core.detection.pack_cache import read_rules
from iota_dagster.core.garbage import collect_rarely
from iota_dagster.core.store.database import Database
from iota_dagster.settings import project_file
from tests import compiled_statements, postgres
from tests.aws import Aws, serve

# Deadlines measure the machine, not the code; in CI a failure must come back on the next run.
hypothesis.settings.register_profile("iota", deadline=None, print_blob=True)
hypothesis.settings.register_profile("ci", hypothesis.settings.get_profile("iota"), derandomize=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "iota")

compiled_statements.share()
_numbers = itertools.count(1)


def pytest_collection_finish() -> None:
    """Spare the collector what stays until the end: to look at it again and again took half the time of long tests."""
    gc.collect()
    gc.freeze()
    collect_rarely()


def pytest_unconfigure() -> None:
    """Let what was spared be freed."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on the settings or the AWS credentials of whoever runs it."""
    for name in os.environ:
        if name.startswith(("IOTA_", "AWS_", "DAGSTER_")):
            monkeypatch.delenv(name)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def aws() -> Iterator[Aws]:
    """The session's AWS: an endpoint, clients, and names of one's own. What other tests made is still there."""
    with serve() as served:
        yield served


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The session's PostgreSQL server, as a URL with a place for `{database}`.

    Without a server on this machine its tests are skipped; in CI (`CI` is set) that is a failure.
    """
    folder = postgres.binaries()
    if folder is None:
        missing = "no PostgreSQL server (initdb, postgres) in PATH or /usr/lib/postgresql: install postgresql"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    shared, owner = tmp_path_factory.getbasetemp(), os.getpid()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared, owner = shared.parent, os.getppid()
    return postgres.session_server(shared, owner, folder)


@contextmanager
def _postgres_database(server: str, template: str = "template0") -> Iterator[str]:
    """The name of a new database, which is removed in the end."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with psycopg.connect(server.format(database="postgres"), autocommit=True) as connection:
        # Copying files beats logging every page, 0.09 s to 0.2 s, where the server can (15 and later).
        strategy = "STRATEGY FILE_COPY" if connection.info.server_version >= 150000 else ""
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} {strategy}")
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty PostgreSQL database of the test's own."""
    with _postgres_database(postgres_server) as name:
        yield postgres_server.format(database=name)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database: the test runs once on each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/iota.db"
    return str(request.getfixturevalue("postgres_url"))


@pytest.fixture(scope="session")
def sqlite_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite store with its schema, to be copied: making one takes longer than most tests."""
    path = tmp_path_factory.mktemp("store") / "iota.db"
    _migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_store(postgres_server: str) -> Iterator[str]:
    """The name of a PostgreSQL database with the schema, to be copied."""
    with _postgres_database(postgres_server) as name:
        _migrate(postgres_server.format(database=name))
        yield name


def _migrate(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a store that has its schema and nothing else: the test runs once on each kind."""
    if request.param == "sqlite":
        shutil.copyfile(request.getfixturevalue("sqlite_store"), tmp_path / "iota.db")
        yield f"sqlite:///{tmp_path}/iota.db"
        return
    server, template = request.getfixturevalue("postgres_server"), request.getfixturevalue("postgres_store")
    with _postgres_database(server, template) as name:
        yield server.format(database=name)


@pytest.fixture
def store(store_url: str) -> Iterator[Database]:
    """A store that has its schema and nothing else, opened: the test runs once on each kind."""
    database = Database(store_url)
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def rules_read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own rules in a file, as the first run of a home keeps them: to read them takes longer than most tests."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    read_rules([project_file("rules")], folder / "rules-read")
    [file] = (folder / "rules-read").glob("*.msgpack")
    return file


@pytest.fixture
def used_home(tmp_path: Path, rules_read: Path) -> Path:
    """The folder `home` of the test, in which nothing has happened but that our own rules were read."""
    kept = tmp_path / "home" / "scratch" / "rules"
    kept.mkdir(parents=True)
    shutil.copyfile(rules_read, kept / rules_read.name)
    return tmp_path / "home"
