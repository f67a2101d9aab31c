"""The migrations: what they make is the schema, once, whoever starts first."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from iota_dagster.core.errors import IotaError
from iota_dagster.core.store import migrations
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.migrations.__main__ import write_revision
from iota_dagster.core.store.schema import log_objects, quarantine

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)


@pytest.fixture
def store(empty_store_url: str) -> Iterator[Database]:
    database = Database(empty_store_url)
    yield database
    database.dispose()


def test_a_migrated_store_is_the_schema(store: Database) -> None:
    store.migrate()
    with store.read() as connection:
        command.check(migrations.config(connection))  # raises with the differences


def test_the_newest_file_is_what_alembic_calls_the_head(store: Database) -> None:
    with store.read() as connection:
        scripts = ScriptDirectory.from_config(migrations.config(connection))
    assert scripts.get_heads() == [migrations.head()]


def test_migrating_again_changes_nothing(store: Database) -> None:
    for _ in range(2):
        store.migrate()
        with store.read() as connection:
            assert migrations.revision(connection) == migrations.head()


def test_a_current_store_is_known_without_alembic(empty_store_url: str, store: Database) -> None:
    store.migrate()
    script = (
        "import sys; from iota_dagster.core.store.database import Database; "
        "Database(sys.argv[1]).migrate(); sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script, empty_store_url], check=True)


def test_several_processes_may_migrate_at_once(empty_store_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(3, mp_context=context) as pool:
        assert list(pool.map(migrate, [empty_store_url] * 3)) == [migrations.head()] * 3


def migrate(url: str) -> str | None:
    database = Database(url)
    database.migrate()
    with database.read() as connection:
        found = migrations.revision(connection)
    database.dispose()
    return found


def test_every_older_revision_can_be_upgraded_and_keeps_its_rows(store: Database) -> None:
    with store.begin() as connection:
        migrations.upgrade(connection, "0001")
        add(connection, "a")
    store.migrate()
    with store.read() as connection:
        assert connection.scalar(sa.select(log_objects.c.key)) == "a"


def test_a_migration_that_fails_leaves_nothing_behind(store: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patched:
        patched.setattr(Operations, "execute", fail)  # the view's statement, after all tables
        with pytest.raises(RuntimeError):
            store.migrate()
    with store.read() as connection:
        assert sa.inspect(connection).get_table_names() == []
    store.migrate()


def test_a_store_of_a_newer_iota_is_refused(store: Database) -> None:
    store.migrate()
    with store.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(IotaError, match=r"newer iota \(revision 9999, this one knows \d{4}\): upgrade iota"):
        store.migrate()


def test_the_view_holds_the_last_key_per_bucket_account_and_region(store: Database) -> None:
    store.migrate()
    with store.begin() as connection:
        add(connection, "hour 2, B", hour=2)
        add(connection, "hour 2, a", hour=2)  # by bytes: after B
        add(connection, "z of hour 1", hour=1)
        add(connection, "only in the west", region="us-west-2")
        add(connection, "z digest", hour=9, kind="digest")
        add(connection, "nobody's", account=None)
    with store.read() as connection:
        rows = connection.execute(sa.text("SELECT account, region, key FROM last_objects")).all()
    assert {tuple(row) for row in rows} == {
        ("111122223333", "us-east-1", "hour 2, a"),
        ("111122223333", "us-west-2", "only in the west"),
        (None, "us-east-1", "nobody's"),
    }


def add(
    connection: sa.Connection,
    key: str,
    hour: int = 1,
    account: str | None = "111122223333",
    region: str = "us-east-1",
    kind: str = "log",
) -> None:
    row = {"bucket": "b", "key": key, "etag": "e", "integration": "i", "account": account, "region": region}
    more = {"kind": kind, "delivery_hour": hour, "status": "pending", "registered_at": NOW}
    connection.execute(log_objects.insert(), row | more)


def test_a_table_with_children_and_a_view_can_be_built_anew(
    store: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.migrate()
    with store.begin() as connection:
        add(connection, "kept")
        item = {"reason": "r", "detail": "d", "sample": b"", "created_at": NOW}
        connection.execute(quarantine.insert(), {"object_id": connection.scalar(sa.select(log_objects.c.id)), **item})
    shutil.copytree(migrations.FOLDER, tmp_path / "migrations")
    (tmp_path / "migrations" / "versions" / "9000_rebuild.py").write_text(REBUILD.format(migrations.head()))
    monkeypatch.setattr(migrations, "FOLDER", tmp_path / "migrations")
    store.migrate()
    with store.read() as connection:
        assert connection.scalar(sa.text("SELECT note FROM log_objects")) == "new"
        assert connection.scalar(sa.select(sa.func.count()).select_from(quarantine)) == 1
        assert connection.scalar(sa.text("SELECT key FROM last_objects")) == "kept"


REBUILD = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9000", "{}"


def upgrade():
    with op.batch_alter_table("log_objects", recreate="auto") as batch:
        batch.add_column(sa.Column("note", sa.Text(), server_default="new"))
        batch.create_unique_constraint("uq_note", ["id", "note"])
"""


def test_a_revision_for_a_schema_that_did_not_change_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(migrations.FOLDER, tmp_path / "migrations")
    monkeypatch.setattr(migrations, "FOLDER", tmp_path / "migrations")
    made = write_revision("9000", "nothing new")
    assert made == tmp_path / "migrations" / "versions" / "9000_nothing_new.py"
    assert made.read_text().endswith('"""Nothing new."""\n    pass\n')
    assert f'down_revision = "{sorted(migrations.FOLDER.glob("versions/0*"))[-1].name[:4]}"' in made.read_text()
