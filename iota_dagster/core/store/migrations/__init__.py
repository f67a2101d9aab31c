"""The store's schema, revision by revision; `Database.migrate` calls this.

Revisions are a line of numbered files `versions/NNNN_<what changed>.py`, so that the newest one is known from the file
names: a process that starts on a current store never imports alembic (0.1 s).

For developers: `python -m iota_dagster.core.store.migrations NNNN "what changed"` writes the revision that turns the
one before it into `schema.py`, in place of a file of that number if there is one.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from iota_dagster.core.errors import IotaError

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent
_LOCK = 0x696F7461  # "iota": the advisory lock's number in PostgreSQL


def head() -> str:
    """The newest revision's number."""
    return max(path.name[:4] for path in (FOLDER / "versions").glob("[0-9][0-9][0-9][0-9]_*.py"))


def is_current(connection: sa.Connection) -> bool:
    """Whether the store is at the newest revision."""
    return revision(connection) == head()


def revision(connection: sa.Connection) -> str | None:
    """The store's revision; None for an empty database."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return found


def upgrade(connection: sa.Connection, target: str = "head") -> None:
    """Bring the store to a revision inside the caller's write transaction: wholly or not at all.

    One process at a time: SQLite's write lock is held already, on PostgreSQL an advisory lock is taken until the end
    of the transaction. `IotaError` for a revision that this iota does not know.
    """
    from alembic import command

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    found = revision(connection)
    if found is not None and found > head():
        raise IotaError(
            f"the store was written by a newer iota (revision {found}, this one knows {head()}): upgrade iota"
        )
    command.upgrade(config(connection), target)


def config(connection: sa.Connection, scripts: Path | None = None) -> Config:
    """Alembic's configuration for one connection; there is no `alembic.ini`."""
    from alembic.config import Config

    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(scripts or FOLDER).replace("%", "%%"))
    made.set_main_option("path_separator", "os")
    return made
