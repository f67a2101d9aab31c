"""A rule's YAML file: which keys there are and what they may hold. An unknown key is an error."""

from __future__ import annotations

import difflib
import json
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo

from iota_dagster.core.yaml12 import Document

ID_KEYS = {
    "rule": "RuleID",
    "scheduled_rule": "RuleID",
    "policy": "PolicyID",
    "correlation_rule": "RuleID",
    "datamodel": "DataModelID",
    "lookup_table": "LookupName",
    "global": "GlobalID",
    "pack": "PackID",
    "saved_query": "QueryName",
    "scheduled_query": "QueryName",
}
"""Every `AnalysisType`, with the key that holds its id."""

_T = TypeVar("_T", bound=BaseModel)
Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_or_empty = BeforeValidator(lambda value: [] if value is None else value)
Texts = Annotated[list[str], _or_empty]
Label = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) in (int, float) else value)]
"""A text; what looks like a number without quotes, such as `- 1.12` under `CIS`, is taken as one."""
Reports = dict[str, Annotated[list[Label], _or_empty]]
Severity = Annotated[
    Literal["INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def _from_json(value: object) -> object:
    """A test's event may be written as a text of JSON."""
    return json.loads(value) if isinstance(value, str) else value


class Mock(_Model):
    """One attribute of the rule's module that a test replaces."""

    name: str = Field(alias="objectName")
    value: Any = Field(default=None, alias="returnValue")


class RuleTest(_Model):
    """One test of a rule: an event and what the rule must make of it."""

    name: str = Field(alias="Name")
    result: bool | None = Field(default=None, alias="ExpectedResult")
    log: Annotated[dict[Any, Any], BeforeValidator(_from_json)] = Field(
        validation_alias=AliasChoices("Log", "Resource")
    )
    mocks: Annotated[list[Mock], _or_empty] = Field(default=[], alias="Mocks")
    title: str | None = Field(default=None, alias="ExpectedTitle")
    severity: Severity | None = Field(default=None, alias="ExpectedSeverity")
    dedup: str | None = Field(default=None, alias="ExpectedDedup")
    context: dict[str, Any] | None = Field(default=None, alias="ExpectedContext")


class RuleMetadata(_Model):
    """The YAML file of a rule, a scheduled rule or a policy: with Python code (`Filename`) or without (`Detection`)."""

    analysis_type: Literal["rule", "scheduled_rule", "policy"] = Field(alias="AnalysisType")
    filename: str | None = Field(default=None, alias="Filename")
    rule_id: str = Field(validation_alias=AliasChoices("RuleID", "PolicyID"), min_length=1)
    display_name: Text = Field(default="", alias="DisplayName")
    enabled: bool = Field(alias="Enabled")
    log_types: Texts = Field(default=[], validation_alias=AliasChoices("LogTypes", "ResourceTypes"))
    scheduled_queries: Texts = Field(default=[], alias="ScheduledQueries")
    severity: Severity = Field(alias="Severity")
    description: Text = Field(default="", alias="Description")
    reference: Text = Field(default="", alias="Reference")
    runbook: Text = Field(default="", alias="Runbook")
    tags: Texts = Field(default=[], alias="Tags")
    reports: Reports | None = Field(default=None, alias="Reports")
    summary_attributes: Texts = Field(default=[], alias="SummaryAttributes")
    suppressions: Texts = Field(default=[], alias="Suppressions")
    output_ids: Texts = Field(default=[], alias="OutputIds")
    status: Text = Field(default="", alias="Status")
    period_minutes: int = Field(default=60, ge=5, alias="DedupPeriodMinutes")
    threshold: int = Field(default=1, ge=1, alias="Threshold")
    create_alert: bool = Field(default=True, alias="CreateAlert")
    inline_filters: list[Any] | None = Field(default=None, alias="InlineFilters")
    detection: list[Any] | None = Field(default=None, alias="Detection")
    alert_title: Text = Field(default="", alias="AlertTitle")
    alert_context: list[Any] | None = Field(default=None, alias="AlertContext")
    group_by: list[Any] | None = Field(default=None, alias="GroupBy")
    dynamic_severities: list[Any] | None = Field(default=None, alias="DynamicSeverities")
    tests: Annotated[list[RuleTest], _or_empty] = Field(default=[], alias="Tests")

    @model_validator(mode="after")
    def _knows_its_input(self) -> RuleMetadata:
        if self.analysis_type == "rule" and not self.log_types:
            raise ValueError("LogTypes names no log type")
        if self.detection is not None and self.filename is not None:
            raise ValueError("expected either Filename or Detection")
        return self


def read_document(model: type[_T], document: Document) -> tuple[_T | None, list[tuple[int, str]]]:
    """A document read by a model of its keys, or what is wrong with it: (line, text) for each problem."""
    try:
        return model.model_validate(document.value), []
    except ValidationError as error:
        return None, [
            (document.line(*problem["loc"]), _explain(model, problem["loc"], problem["type"], problem["msg"]))
            for problem in error.errors(include_url=False, include_input=False)
        ]


def _explain(model: type[BaseModel], loc: tuple[int | str, ...], kind: str, message: str) -> str:
    """One problem in words: the path of the key, what is wrong with it, and the nearest key that exists."""
    path = ".".join(map(str, loc))
    if kind == "missing":
        return f"{path} is missing"
    if kind != "extra_forbidden":
        return f"{path}: {message[:1].lower()}{message[1:]}"
    near = difflib.get_close_matches(str(loc[-1]), _known_keys(model, loc), n=1)
    return f"unknown key {path}" + (f"; did you mean {near[0]}?" if near else "")


def _known_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    if loc[0] == "Tests" and len(loc) > 1:
        model = Mock if "Mocks" in loc[1:-1] else RuleTest
    return [name for field in model.model_fields.values() for name in _names(field)]


def _names(field: FieldInfo) -> list[str]:
    alias = field.validation_alias
    return [str(name) for name in alias.choices] if isinstance(alias, AliasChoices) else [str(alias)]
