"""What alembic runs: the migrations, on the connection and in the transaction that `upgrade` was given."""

from typing import Any, Literal

import sqlalchemy as sa
from alembic import context
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from sqlalchemy.dialects import postgresql

from iota_dagster.core.store.migrations import revision
from iota_dagster.core.store.schema import Json, Text, UtcDateTime, metadata

_OURS = {UtcDateTime: "sa.DateTime(timezone=True)", Text: "sa.Text()", Json: "sa.JSON()"}
_BYTE_ORDER = 'sa.Text().with_variant(sa.Text(collation="C"), "postgresql")'


def render(kind: str, item: Any, _: AutogenContext) -> str | Literal[False]:
    """Write a revision's types in SQLAlchemy's own words, so that it stays as it is when ours change."""
    if kind != "type":
        return False
    if isinstance(item, Text) and "COLLATE" in item.compile(postgresql.dialect()):  # type: ignore[no-untyped-call]
        return _BYTE_ORDER
    return _OURS.get(type(item), False)


def differs(
    _: MigrationContext,
    in_database: sa.Column[Any],
    in_schema: sa.Column[Any],
    database_default: str | None,
    __: object,
    schema_default: str | None,
) -> bool | None:
    """Whether two defaults differ; alembic itself takes SQLite's empty text for another one."""
    return False if schema_default == "" and database_default in ("''", "('')") else None


connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=revision(connection) is not None,  # SQLite cannot alter a table much: it is built anew
    render_item=render,
    compare_server_default=differs,
)
with context.begin_transaction():
    context.run_migrations()
