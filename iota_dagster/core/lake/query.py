"""SQL over the lake, without a server: DuckDB in memory, reading exactly the files that the store names.

A query sees one moment: the lake's files and the alerts as one transaction of the store shows them. `all_logs` is all
event tables as one, with the columns that they share. The columns year, month, day and hour (text, as in `hour='09'`)
say which hours' files are opened at all. A query can read these tables and nothing else: no file, no network, no
extension, no variable of this program.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import sqlalchemy as sa

from iota_dagster.core.errors import IotaError, LakeFileDamaged, Outage
from iota_dagster.core.hours import Hour, hour_folder
from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.parquet import is_damage, open_reader
from iota_dagster.core.lake.schema import COMMON
from iota_dagster.core.lake.store_table import arrow_schema, portions
from iota_dagster.core.storage import Storage
from iota_dagster.core.store.database import Database
from iota_dagster.core.store.schema import alerts, lake_files

ALERTS = "alerts"
"""The one table that comes from the store: the alerts as they stand now."""
ALL_LOGS = "all_logs"
"""All event tables as one, with the columns that they share: where one searches for an indicator."""

HOUR_COLUMNS = pa.schema([pa.field(name, pa.string()) for name in ("year", "month", "day", "hour")])
"""What a row's folder says of it, behind the table's own columns."""

_CHECKED = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
_PARQUET = ds.ParquetFileFormat(default_fragment_scan_options=_CHECKED)
_SCAN = {"batch_size": 8_192, "batch_readahead": 4, "fragment_readahead": 4}
_SCAN_FAILED = re.compile(r"reading the stream registered as '[^']*' failed: (.*)")


class QueryError(IotaError):
    """A query that cannot be answered as it stands; the text says in one line what is wrong with it."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What one query may take. A result is held in memory whole: bound it by `rows`, or by the query itself."""

    rows: int | None = None  # the result ends there
    memory: str = "2GB"  # of DuckDB; what it reads ahead from the lake comes on top, some 100 MB
    seconds: float | None = None


def query(
    database: Database,
    lake: Storage,
    sql: str,
    *,
    schemas: Mapping[str, pa.Schema],
    limits: QueryLimits = QueryLimits(),
    parameters: Mapping[str, datetime] | None = None,
) -> pa.Table:
    """The answer to one SQL statement.

    `schemas` are the tables known to this version: one that has no file yet is there with no rows, and a file without
    a newer column has nulls in it. Columns of the answer that have the same name get a number. `parameters`
    are what the statement may ask for by name, as in `$due_at`; it need not.

    `QueryError` for a wrong query, and for a damaged page, whose file Arrow does not name; `LakeFileDamaged` for a file
    that is missing or damaged; `Outage` when the store or the lake does not answer.
    """
    with _session(limits) as session:
        with database.read() as connection:
            stored = connection.scalars(sa.select(lake_files.c.table_name).distinct())
            names = sorted({ALERTS, ALL_LOGS, *schemas, *stored})
            with _plain_errors(names, lake):
                for name in _named(sql, names):
                    _offer(session, name, connection, lake, schemas)
        with _plain_errors(names, lake), _time_limit(session, limits.seconds):
            relation = session.sql(sql, params=asked_for(session.extract_statements(sql), parameters))
            if relation is None:
                raise QueryError("there is no SQL to run")
            return _collect(relation.to_arrow_reader(8_192), limits.rows)


def asked_for(
    statements: Sequence[duckdb.Statement], parameters: Mapping[str, datetime] | None
) -> dict[str, datetime] | None:
    """Those of the parameters that the last statement names (DuckDB takes no others); None when it names none.

    `QueryError` for one that there is not.
    """
    named = {name.casefold(): name for name in statements[-1].named_parameters} if statements else {}
    known = parameters or {}
    for lower, name in sorted(named.items()):
        if lower not in known:
            there_are = ", ".join(f"${item}" for item in known) or "no parameters here, only in scheduled queries"
            raise QueryError(f"${name} has no value; there are: {there_are}")
    return {name: known[name] for name in named} or None


def _named(sql: str, names: Sequence[str]) -> list[str]:
    """The tables that the statement's text names; all of them if it names none, as `SHOW TABLES` does.

    A table whose name the text only makes up as it runs, beside one that it names, is an error and not an empty table.
    """
    words = set(re.findall(r"\w+", sql.casefold()))
    return [name for name in names if name.casefold() in words] or list(names)


def _offer(
    session: duckdb.DuckDBPyConnection,
    name: str,
    connection: sa.Connection,
    lake: Storage,
    schemas: Mapping[str, pa.Schema],
) -> None:
    """Let a query find a table. One of the store is copied, and counts towards the session's memory."""
    if name == ALERTS:
        _copy(session, arrow_schema(alerts).empty_table(), f"CREATE TABLE {name} AS FROM portion")
        for portion in portions(connection, alerts):
            _copy(session, portion, f"INSERT INTO {name} FROM portion")
    elif name == ALL_LOGS:
        session.register(name, _all_logs(connection, lake))
    else:
        session.register(name, _lake_table(connection, name, schemas.get(name), lake))


def _copy(session: duckdb.DuckDBPyConnection, rows: pa.Table, statement: str) -> None:
    session.register("portion", rows)
    session.execute(statement)
    session.unregister("portion")


class _Dataset(ds.FileSystemDataset):  # type: ignore[misc]  # pyarrow has no types
    """A dataset that is read in small steps. pyarrow's own read-ahead holds two million rows: gigabytes of `p_raw`."""

    def scanner(self, *columns: Any, **options: Any) -> ds.Scanner:
        """The scan that DuckDB asks for, with our steps."""
        return super().scanner(*columns, **{**options, **_SCAN})


def _lake_table(connection: sa.Connection, name: str, schema: pa.Schema | None, lake: Storage) -> ds.Dataset:
    """A table over exactly the files that the store names; those of other hours are never opened."""
    files = _files(connection, lake_files.c.table_name == name)
    if schema is None:  # a log type of another version of iota: its newest file knows
        with open_reader(lake, files[-1][1]) as newest:
            schema = newest.schema
    return _dataset(files, schema, lake)


def _all_logs(connection: sa.Connection, lake: Storage) -> ds.Dataset:
    """The same over the files of every table but the matches."""
    files = _files(connection, lake_files.c.table_name != alert_matches.TABLE)
    return _dataset(files, COMMON, lake)


def _files(connection: sa.Connection, where: sa.ColumnElement[bool]) -> list[tuple[Hour, str]]:
    c = lake_files.c
    rows = connection.execute(sa.select(c.hour, c.path).where(where).order_by(c.table_name, c.hour, c.source))
    return [(row.hour, row.path) for row in rows]


def _dataset(files: Sequence[tuple[Hour, str]], schema: pa.Schema, lake: Storage) -> ds.Dataset:
    filesystem, root = lake.arrow()
    of_hour = _hour_expressions()
    fragments = [
        _PARQUET.make_fragment(f"{root}/{path}", filesystem, partition_expression=of_hour(hour)) for hour, path in files
    ]
    return _Dataset(fragments, pa.schema([*schema, *HOUR_COLUMNS]), _PARQUET, filesystem)


def _hour_expressions() -> Callable[[Hour], pc.Expression]:
    """What is true of every row in an hour's folder. Parsed from its name, 7 times faster than put together here."""
    partitioning = ds.HivePartitioning(HOUR_COLUMNS)

    @cache
    def of_hour(hour: Hour) -> pc.Expression:
        return partitioning.parse(hour_folder(hour) + "/")  # what follows the last slash is taken for a file

    return of_hour


@contextmanager
def _session(limits: QueryLimits) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database in memory that nothing outside can be reached from, whatever the query says."""
    session = duckdb.connect(
        config={
            "allow_community_extensions": "false",
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "enable_external_access": "false",
            "memory_limit": limits.memory,
            "python_enable_replacements": "false",
            "temp_directory": "",
        }
    )
    try:
        session.execute("SET TimeZone = 'UTC'")
        session.execute("SET lock_configuration = true")
        yield session
    finally:
        session.close()


@contextmanager
def _time_limit(session: duckdb.DuckDBPyConnection, seconds: float | None) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, session.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _collect(reader: pa.RecordBatchReader, rows: int | None) -> pa.Table:
    """The rows, no more than asked for; what comes after them is not computed."""
    batches: list[pa.RecordBatch] = []
    missing = rows
    for batch in reader:
        batches.append(batch if missing is None else batch.slice(0, missing))
        if missing is not None:
            missing -= len(batches[-1])
            if missing <= 0:
                break
    table = pa.Table.from_batches(batches, reader.schema)
    return table.rename_columns(_distinct(table.column_names))


def _distinct(names: Iterable[str]) -> list[str]:
    """The names, those seen before with a number: a row can then be a JSON object."""
    result: dict[str, None] = {}
    for name in names:
        other, number = name, 1
        while other in result:
            other, number = f"{name}_{number}", number + 1
        result[other] = None
    return list(result)


@contextmanager
def _plain_errors(tables: Sequence[str], lake: Storage) -> Iterator[None]:
    """DuckDB's errors as one line with a hint. Those of a result that is being read come through Arrow as it raises."""
    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _plain(str(error), tables, lake) from error


def _plain(text: str, tables: Sequence[str], lake: Storage) -> IotaError:
    text = text.split("\n\nLINE ")[0]
    kind, _, rest = " ".join(text.split()).partition(": ")
    if scan := _SCAN_FAILED.search(rest):
        return _scan_failure(scan[1], lake)
    if "Interrupt" in kind or "Interrupted" in text:
        return QueryError("the query took too long and was stopped: ask for fewer hours (year, month, day, hour)")
    if "Memory" in kind:
        return QueryError(f"the query needs more memory than it may have: {rest}")
    if kind == "Permission Error":
        return QueryError(f"a query can read the lake's tables only ({', '.join(tables)})")
    if kind == "Catalog Error" and rest.startswith("Table "):
        return QueryError(f"{rest.split('!')[0]}. There are: {', '.join(tables)}.")
    hint = " (DESCRIBE <table> shows a table's columns)" if "Referenced column" in rest else ""
    return QueryError(f"{rest or kind}{hint}")


def _scan_failure(text: str, lake: Storage) -> IotaError:
    """Why a table could not be read, by Arrow's `text`, which names the file unless a page of it is damaged."""
    _, root = lake.arrow()
    named = re.search(rf"'{re.escape(root)}/([^']+)'", text)
    if named and "[errno 2]" in text and not lake.exists(named[1]):  # which is an `Outage` where the whole lake is gone
        return LakeFileDamaged(named[1], "missing")
    if not is_damage(text):
        return Outage(f"the lake did not answer: {text}")
    if named:
        return LakeFileDamaged(named[1], f"damaged: {text}")
    return QueryError(f"a file of the lake is damaged: the check `rows_as_ledgered` of its table names it ({text})")
