"""Whether SQL can be run at all: it is read and bound against empty tables, and no lake is opened."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache

import duckdb
import pyarrow as pa

from iota_dagster.core.lake.query import ALERTS, ALL_LOGS, HOUR_COLUMNS, QueryError, asked_for
from iota_dagster.core.lake.schema import COMMON
from iota_dagster.core.lake.store_table import arrow_schema
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.store.schema import alerts


def query_problem(
    sql: str, schemas: Mapping[str, pa.Schema] | None = None, *, parameters: Mapping[str, datetime] | None = None
) -> str:
    """What is wrong with a query over the lake's tables, in one line; "" when nothing is.

    `schemas` takes the place of this version's lake tables; `parameters` as in `query`.
    """
    with duckdb.connect(config={"enable_external_access": "false", "python_enable_replacements": "false"}) as session:
        try:
            statements = session.extract_statements(sql)
            if [item.type for item in statements] != [duckdb.StatementType.SELECT]:
                return "expected one SELECT"
            for name, schema in {**_store_tables(), **(lake_tables() if schemas is None else schemas)}.items():
                session.register(name, pa.schema([*schema, *HOUR_COLUMNS]).empty_table())
            session.execute(f"EXPLAIN {sql}", asked_for(statements, parameters))
        except QueryError as error:
            return str(error)
        except duckdb.Error as error:
            return " ".join(str(error).split("\n\nLINE ")[0].split())
    return ""


@cache
def _store_tables() -> Mapping[str, pa.Schema]:
    return {ALERTS: arrow_schema(alerts), ALL_LOGS: COMMON}
