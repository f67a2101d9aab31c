"""A rule's YAML file: which keys there are and what they may hold. An unknown key is an error."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from iota_dagster.core.detection.yaml12 import Document

SEVERITIES = ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL")

ANALYSIS_TYPES = {
    "rule": ("RuleID", True),
    "global": ("GlobalID", True),
    "scheduled_rule": ("RuleID", False),
    "policy": ("PolicyID", False),
    "correlation_rule": ("RuleID", False),
    "datamodel": ("DataModelID", False),
    "lookup_table": ("LookupName", False),
    "pack": ("PackID", False),
    "saved_query": ("QueryName", False),
    "scheduled_query": ("QueryName", False),
}
"""Every `AnalysisType`, with the key that holds its id and whether this version reads it."""

Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
_or_empty = BeforeValidator(lambda value: [] if value is None else value)
Texts = Annotated[list[str], _or_empty]
Severity = Annotated[
    Literal["INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL"],
    BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value),
]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Mock(_Model):
    """One attribute of the rule's module that a test replaces."""

    name: str = Field(alias="objectName")
    value: Any = Field(default=None, alias="returnValue")


class RuleTest(_Model):
    """One test of a rule: an event and what the rule must make of it."""

    name: str = Field(alias="Name")
    result: bool | None = Field(default=None, alias="ExpectedResult")
    log: dict[Any, Any] = Field(alias="Log")
    mocks: Annotated[list[Mock], _or_empty] = Field(default=[], alias="Mocks")
    title: str | None = Field(default=None, alias="ExpectedTitle")
    severity: Severity | None = Field(default=None, alias="ExpectedSeverity")
    dedup: str | None = Field(default=None, alias="ExpectedDedup")
    context: dict[str, Any] | None = Field(default=None, alias="ExpectedContext")


class RuleMetadata(_Model):
    """The YAML file of a Python rule."""

    analysis_type: Literal["rule"] = Field(alias="AnalysisType")
    filename: str | None = Field(default=None, alias="Filename")
    rule_id: str = Field(alias="RuleID", min_length=1)
    display_name: Text = Field(default="", alias="DisplayName")
    enabled: bool = Field(alias="Enabled")
    log_types: list[str] = Field(alias="LogTypes", min_length=1)
    severity: Severity = Field(alias="Severity")
    description: Text = Field(default="", alias="Description")
    reference: Text = Field(default="", alias="Reference")
    runbook: Text = Field(default="", alias="Runbook")
    tags: Texts = Field(default=[], alias="Tags")
    reports: dict[str, list[str]] | None = Field(default=None, alias="Reports")
    summary_attributes: Texts = Field(default=[], alias="SummaryAttributes")
    status: Text = Field(default="", alias="Status")
    period_minutes: int = Field(default=60, ge=5, alias="DedupPeriodMinutes")
    threshold: int = Field(default=1, ge=1, alias="Threshold")
    create_alert: bool = Field(default=True, alias="CreateAlert")
    inline_filters: list[Any] | None = Field(default=None, alias="InlineFilters")
    detection: list[Any] | None = Field(default=None, alias="Detection")
    tests: Annotated[list[RuleTest], _or_empty] = Field(default=[], alias="Tests")

    def not_supported(self) -> str | None:
        """What of this rule cannot be run yet: such a rule is skipped whole, since half of it would match too much."""
        if self.detection is not None:
            return "Detection (a rule without Python) is not supported yet"
        if any(any(group.values()) if isinstance(group, Mapping) else True for group in self.inline_filters or ()):
            return "InlineFilters are not supported yet"
        return None


def read_metadata(document: Document) -> tuple[RuleMetadata | None, list[tuple[int, str]]]:
    """The metadata of a document, or what is wrong with it: (line, text) for each problem."""
    try:
        return RuleMetadata.model_validate(document.value), []
    except ValidationError as error:
        return None, [
            (document.line(*problem["loc"]), _explain(problem["loc"], problem["type"], problem["msg"]))
            for problem in error.errors(include_url=False, include_input=False)
        ]


def _explain(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    """One problem in words: the path of the key, what is wrong with it, and the nearest key that exists."""
    path = ".".join(map(str, loc))
    if kind == "missing":
        return f"{path} is missing"
    if kind != "extra_forbidden":
        return f"{path}: {message[:1].lower()}{message[1:]}"
    near = difflib.get_close_matches(str(loc[-1]), _known_keys(loc), n=1)
    return f"unknown key {path}" + (f"; did you mean {near[0]}?" if near else "")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = RuleMetadata
    if loc[0] == "Tests" and len(loc) > 1:
        model = Mock if "Mocks" in loc[1:-1] else RuleTest
    return [field.alias or name for name, field in model.model_fields.items()]
