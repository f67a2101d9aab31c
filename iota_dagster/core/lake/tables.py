"""The lake's tables: what each is called, which columns it has, and what it holds."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from iota_dagster.core.lake import alert_matches
from iota_dagster.core.lake.schema import table_schema
from iota_dagster.core.sources import SOURCES


def lake_tables() -> Mapping[str, pa.Schema]:
    """The lake tables of this version, whether anything was written to them yet or not."""
    tables = {source.table: table_schema(source) for source in SOURCES.values()}
    return tables | {alert_matches.TABLE: alert_matches.SCHEMA}


def table_descriptions() -> Mapping[str, str]:
    """What each lake table holds, in a line."""
    events = {source.table: f"{source.log_type} events by event hour." for source in SOURCES.values()}
    return events | {alert_matches.TABLE: "One row per match of a rule, by event hour."}
