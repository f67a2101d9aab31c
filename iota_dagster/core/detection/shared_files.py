"""The YAML files of data models and lookup tables: which keys there are and what they may hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from iota_dagster.core.detection.match_expressions.paths import parse_path
from iota_dagster.core.detection.rule import DataModelSpec, MappingSpec, TableSpec

_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_or_empty = BeforeValidator(lambda value: [] if value is None else value)


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MappingEntry(_File):
    """One name of a model: where it lies, or which function tells."""

    name: str = Field(alias="Name", min_length=1)
    path: str | None = Field(default=None, alias="Path")
    method: str | None = Field(default=None, alias="Method")

    @model_validator(mode="after")
    def _one_source(self) -> MappingEntry:
        if (self.path is None) == (self.method is None):
            raise ValueError("give either Path or Method")
        if self.path is not None:
            parse_path(self.path)
        return self


class DataModelFile(_File):
    """The YAML file of a data model."""

    analysis_type: Literal["datamodel"] = Field(alias="AnalysisType")
    id: str = Field(alias="DataModelID", min_length=1)
    display_name: _Text = Field(default="", alias="DisplayName")
    description: _Text = Field(default="", alias="Description")
    enabled: bool = Field(alias="Enabled")
    filename: str | None = Field(default=None, alias="Filename")
    log_types: list[str] = Field(alias="LogTypes", min_length=1)
    mappings: list[MappingEntry] = Field(alias="Mappings", min_length=1)

    def spec(self, folder: Path, helpers: Sequence[Path]) -> DataModelSpec:
        """The model as it is sent to rule workers; `folder` is where its Python file lies."""
        return DataModelSpec(
            id=self.id,
            log_types=tuple(self.log_types),
            mappings=tuple(MappingSpec(item.name, item.path, item.method) for item in self.mappings),
            code=str((folder / self.filename).resolve()) if self.filename else "",
            helpers=tuple(map(str, helpers)),
        )


class AssociatedLogType(_File):
    """A log type whose events a table knows something of, and the fields it is to be asked about."""

    log_type: str = Field(alias="LogType", min_length=1)
    selectors: list[str] = Field(alias="Selectors", min_length=1)

    @field_validator("selectors")
    @classmethod
    def _paths(cls, value: list[str]) -> list[str]:
        for selector in value:
            parse_path(selector)
        return value


class LogTypeMap(_File):
    """The column that a table is looked up by, and the log types it is for."""

    primary_key: str = Field(alias="PrimaryKey", min_length=1)
    log_types: Annotated[list[AssociatedLogType], _or_empty] = Field(default=[], alias="AssociatedLogTypes")


class TableFile(_File):
    """The YAML file of a lookup table. `Schema`, `Refresh` and the queries are Panther's own and mean nothing here."""

    analysis_type: Literal["lookup_table"] = Field(alias="AnalysisType")
    name: str = Field(alias="LookupName", min_length=1)
    enabled: bool = Field(alias="Enabled")
    filename: str | None = Field(default=None, alias="Filename")
    schema_name: _Text = Field(default="", alias="Schema")
    refresh: Any = Field(default=None, alias="Refresh")
    query: _Text = Field(default="", alias="Query")
    snowflake_query: _Text = Field(default="", alias="SnowflakeQuery")
    databricks_query: _Text = Field(default="", alias="DatabricksQuery")
    display_name: _Text = Field(default="", alias="DisplayName")
    description: _Text = Field(default="", alias="Description")
    reference: _Text = Field(default="", alias="Reference")
    tags: Annotated[list[str], _or_empty] = Field(default=[], alias="Tags")
    log_type_map: LogTypeMap = Field(alias="LogTypeMap")

    def spec(self, folder: Path) -> TableSpec:
        """The table as it is sent to rule workers; `folder` is where the file of its rows lies."""
        if self.filename is None:
            raise ValueError(f"{self.name} has no Filename: a table's rows come from a file beside it")
        selectors: dict[str, tuple[str, ...]] = {}
        for entry in self.log_type_map.log_types:
            selectors[entry.log_type] = (*selectors.get(entry.log_type, ()), *entry.selectors)
        return TableSpec(
            name=self.name,
            file=str((folder / self.filename).resolve()),
            key=self.log_type_map.primary_key,
            selectors=selectors,
        )
