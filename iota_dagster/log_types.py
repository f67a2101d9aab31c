"""A user's own log types in this process: read from the settings' files, known from then on, held to their columns."""

from __future__ import annotations

from collections.abc import Sequence

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources import source_of
from iota_dagster.core.sources.classifier import Classifier
from iota_dagster.core.sources.registry import SOURCES, use_log_types
from iota_dagster.core.sources.user_files import read_schemas
from iota_dagster.core.sources.user_schema import UserSchema
from iota_dagster.core.store import own_columns
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.own_columns import OwnTable
from iota_dagster.settings import Settings


def own_log_types(settings: Settings) -> tuple[UserSchema, ...]:
    """Let the log types of the settings' files, as they are now, be the user's own in this process.

    `SettingsError` with a line for each problem of a file; what was known before stays then.
    """
    schemas = read_schemas(settings.log_types, SOURCES.built_in)
    use_log_types(schemas)
    return schemas


def explained(settings: Settings, record: bytes, key: str, integration: str | None) -> str:
    """Why no log type of an integration takes a record of the object `key`: each one's reason, as the settings are now.

    An integration that the settings do not name declares no types.
    """
    own_log_types(settings)
    declared = next((item.log_types for item in settings.integrations if item.name == integration), ())
    return Classifier(SOURCES.values(), key, declared or None).explained(record)


def keep_columns(database: Database, schemas: Sequence[UserSchema]) -> None:
    """Note the columns of the user's tables; `SettingsError` when one of them would lose or change a column."""
    tables = [_table(schema) for schema in schemas]
    if not tables:
        return
    with database.read() as connection:
        if own_columns.noted(connection, tables):
            return
    with database.begin() as connection:
        problems = own_columns.keep(connection, tables)
    if problems:
        raise SettingsError("\n".join(problems))


def _table(schema: UserSchema) -> OwnTable:
    source = source_of(schema.log_type)
    return OwnTable(source.log_type, source.table, {column.name: str(column.type) for column in source.columns})
