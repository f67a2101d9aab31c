"""What the lake tables of a user's own log types have: columns are only ever added, so it is kept in mind.

Before a type's first event is committed its table can become anything. From then on its name stays, and every column
keeps its name and its type: files of another type could not be read together, nor would Glue take them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from iota_dagster.core.store.database import insert_ignore
from iota_dagster.core.store.schema import admissions, own_columns


@dataclass(frozen=True, slots=True)
class OwnTable:
    """The table of a user's log type, with its typed columns and their types."""

    log_type: str
    name: str
    columns: Mapping[str, str]


def keep(connection: sa.Connection, tables: Sequence[OwnTable]) -> list[str]:
    """Note the tables as they are now; in words, what they may not become. Where there is such, nothing is noted."""
    before = {table.log_type: table for table in _noted(connection)}
    kept = {name: table for name, table in before.items() if _has_events(connection, name)}
    problems = [problem for table in tables for problem in _problems(table, kept)]
    if problems:
        return problems
    for table in tables:
        if before.get(table.log_type) != table:
            _note(connection, table, anew=table.log_type not in kept)
    return []


def noted(connection: sa.Connection, tables: Sequence[OwnTable]) -> bool:
    """Whether the tables are noted just as they are: then `keep` has nothing to do."""
    before = {table.log_type: table for table in _noted(connection)}
    return all(before.get(table.log_type) == table for table in tables)


def _noted(connection: sa.Connection) -> list[OwnTable]:
    c = own_columns.c
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in connection.execute(sa.select(c.log_type, c.table_name, c.column_name, c.type)):
        found.setdefault((row.log_type, row.table_name), {})[row.column_name] = row.type
    return [OwnTable(log_type, table, columns) for (log_type, table), columns in found.items()]


def _has_events(connection: sa.Connection, log_type: str) -> bool:
    found = sa.select(sa.exists().where(admissions.c.log_type == log_type))
    return bool(connection.execute(found).scalar())


def _problems(table: OwnTable, kept: Mapping[str, OwnTable]) -> Iterator[str]:
    for other in kept.values():
        if other.name == table.name and other.log_type != table.log_type:
            yield f"{table.log_type}: its table {table.name} has events of {other.log_type}: set another `table`"
    before = kept.get(table.log_type)
    if before is None:
        return
    if before.name != table.name:
        yield f"{table.log_type}: its events are in {before.name}, not in {table.name}: set `table` to {before.name}"
    for column, kind in before.columns.items():
        now = table.columns.get(column)
        if now is None:
            yield f"{table.log_type}: its table has a column {column} ({kind}): put that field back, columns never go"
        elif now != kind:
            yield (
                f"{table.log_type}: the column {column} is {kind} in the lake and cannot become {now}: put the type "
                f"back, and add a field of another name with the same path for the new one"
            )


def _note(connection: sa.Connection, table: OwnTable, *, anew: bool) -> None:
    if anew:
        connection.execute(sa.delete(own_columns).where(own_columns.c.log_type == table.log_type))
    rows = [
        {"log_type": table.log_type, "table_name": table.name, "column_name": column, "type": kind}
        for column, kind in table.columns.items()
    ]
    connection.execute(insert_ignore(connection, own_columns), rows)
