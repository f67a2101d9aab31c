"""The lake in a notebook or a script: SQL in, a pandas DataFrame out.

    from iota_dagster.notebook import query

    query("SELECT eventName, count(*) AS calls FROM cloudtrail_events "
          "WHERE year='2026' AND month='11' AND day='22' GROUP BY 1 ORDER BY 2 DESC").plot.barh(x="eventName")

For people: runs and commands do not import this module, because pandas alone would double their start-up.
"""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pyarrow as pa

from iota_dagster.core.lake.query import QueryLimits
from iota_dagster.core.lake.query import query as ask
from iota_dagster.core.lake.tables import lake_tables
from iota_dagster.core.storage import open_storage
from iota_dagster.core.store.database import Database
from iota_dagster.log_types import own_log_types
from iota_dagster.own_clients import own_clients
from iota_dagster.settings import Settings, load_settings

_NULLABLE = {
    pa.bool_(): pd.BooleanDtype(),
    **{kind: pd.Int64Dtype() for kind in (pa.int8(), pa.int16(), pa.int32(), pa.int64())},
    **{kind: pd.UInt64Dtype() for kind in (pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())},
    pa.string(): pd.StringDtype(na_value=pd.NA),
    pa.large_string(): pd.StringDtype(na_value=pd.NA),
}
"""A missing whole number must not make a column's others fractions, nor a missing truth value make them objects."""


def query(sql: str, *, limit: int | None = None, settings: Settings | None = None) -> pd.DataFrame:
    """The answer to one SQL statement over the lake's tables, `alert_matches` and `alerts`.

    Times are UTC-aware, lists are Python lists, numbers and texts keep their type where some are missing (`pd.NA`).
    All of the answer is in memory: bound it by `limit` rows, or by conditions on year, month, day and hour (text),
    which also say what is read at all. Raises `QueryError` for a wrong query, `Outage` when the store or the lake does
    not answer. `settings` are this process's (`iota.yaml`, IOTA_…) unless given.
    """
    settings = settings or load_settings()
    own_log_types(settings)
    database = Database(settings.store_url)
    try:
        database.migrate()
        lake = open_storage(settings.lake_url, own_clients(settings))
        answer = ask(database, lake, sql, schemas=lake_tables(), limits=QueryLimits(rows=limit))
    finally:
        database.dispose()
    return _frame(answer)


def _frame(answer: pa.Table) -> pd.DataFrame:
    types: Callable[[pa.DataType], object] = _NULLABLE.get
    frame: pd.DataFrame = answer.to_pandas(types_mapper=types)
    for field in answer.schema:
        if pa.types.is_list(field.type):  # pyarrow makes them arrays, which neither print nor compare as one expects
            frame[field.name] = pd.Series(answer.column(field.name).to_pylist(), index=frame.index, dtype=object)
    return frame
