"""A scheduled query's YAML file: SQL that runs by a schedule, and whose rows scheduled rules judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from iota_dagster.core.detection.metadata import Text, Texts, read_document
from iota_dagster.core.detection.schedule import Cron, Schedule, ScheduleError
from iota_dagster.core.yaml12 import Document

LOG_TYPE_PREFIX = "iota.query."
"""A query's rows are shown to rules as events of the log type that is this and the query's name."""
DEFAULT_TIMEOUT_MINUTES = 5

_OTHER_DIALECTS = ("SnowflakeQuery", "AthenaQuery", "DatabricksQuery")
_OF_ANOTHER_WAREHOUSE = re.compile(
    r"\bpanther_\w+\.|\bp_(?:occurs_\w+|timeline)\s*\(|\blateral\s+flatten\b|\bobject_construct\s*\(",
    re.IGNORECASE,
)


class ScheduledQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A query that can be run here; `line` is where its SQL stands in `file`."""

    name: str
    file: str
    line: int
    enabled: bool
    sql: str
    schedule: Schedule
    description: str = ""

    @property
    def log_type(self) -> str:
        """What its rows are to the rules."""
        return query_log_type(self.name)


class _Schedule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    cron: Text = Field(default="", alias="CronExpression")
    rate_minutes: int = Field(default=0, ge=0, le=366 * 24 * 60, alias="RateMinutes")
    timeout_minutes: int = Field(default=DEFAULT_TIMEOUT_MINUTES, ge=1, le=60, alias="TimeoutMinutes")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    analysis_type: Literal["scheduled_query"] = Field(alias="AnalysisType")
    name: str = Field(alias="QueryName", min_length=1)
    enabled: bool = Field(alias="Enabled")
    description: Text = Field(default="", alias="Description")
    query: Text = Field(default="", alias="Query")
    snowflake: Text = Field(default="", alias="SnowflakeQuery")
    athena: Text = Field(default="", alias="AthenaQuery")
    databricks: Text = Field(default="", alias="DatabricksQuery")
    schedule: Annotated[_Schedule, BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default=_Schedule(), alias="Schedule"
    )
    tags: Texts = Field(default=[], alias="Tags")
    reports: Any = Field(default=None, alias="Reports")
    lookback: Any = Field(default=None, alias="Lookback")
    lookback_minutes: Any = Field(default=None, alias="LookbackWindowMinutes")
    email: Any = Field(default=None, alias="EmailConfig")


def query_log_type(name: str) -> str:
    """The log type of a query's rows."""
    return f"{LOG_TYPE_PREFIX}{name}"


def sql_parameters(due_at: datetime, previous_due_at: datetime) -> dict[str, datetime]:
    """What a query's SQL may ask for as `$due_at` and `$previous_due_at`: the occasion, however late the run is."""
    return {"due_at": due_at, "previous_due_at": previous_due_at}


def read_query(document: Document, file: Path) -> tuple[ScheduledQuery | str | None, list[tuple[int, str]]]:
    """The query of a document, or why it cannot run here, or what is wrong with it: (line, text) for each problem."""
    found, problems = read_document(_File, document)
    if found is None:
        return None, problems
    if reason := _not_runnable(found):
        return reason, []
    if problems := [(document.line(*path), text) for path, text in _problems(found)]:
        return None, problems
    schedule = Schedule(found.schedule.cron, found.schedule.rate_minutes, found.schedule.timeout_minutes)
    query = ScheduledQuery(
        name=found.name,
        file=str(file),
        line=document.line("Query"),
        enabled=found.enabled,
        sql=found.query,
        schedule=schedule,
        description=found.description,
    )
    return query, []


def _not_runnable(found: _File) -> str:
    """Why a query that is right in itself is none for this lake; "" when it is one."""
    others = dict(zip(_OTHER_DIALECTS, (found.snowflake, found.athena, found.databricks), strict=True))
    if not found.query and (named := [key for key, text in others.items() if text]):
        return f"its SQL ({', '.join(named)}) is another warehouse's: write Query for DuckDB and the lake's tables"
    if foreign := _OF_ANOTHER_WAREHOUSE.search(found.query):
        return f"its SQL is another warehouse's ({foreign[0]!r}): write Query for DuckDB and the lake's tables"
    return ""


def _problems(found: _File) -> Iterator[tuple[tuple[str, ...], str]]:
    schedule = found.schedule
    if not found.query.strip():
        yield ("Query",), "Query is missing: the SQL to run"
    if bool(schedule.cron) == bool(schedule.rate_minutes):
        yield ("Schedule",), "Schedule: expected either CronExpression or RateMinutes"
    elif schedule.cron:
        try:
            Cron.parse(schedule.cron)
        except ScheduleError as error:
            yield ("Schedule", "CronExpression"), f"Schedule.CronExpression: {error}"
