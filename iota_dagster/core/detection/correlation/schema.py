"""The keys of a correlation rule's YAML file and what they may hold; an unknown key is an error.

`Schedule` and `EventEvaluationOrder` are read and checked, and change nothing: rules are evaluated as soon as there is
something new, over whole windows, so that neither the hour of a run nor an order of evaluation has any say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from iota_dagster.core.detection.metadata import Reports, Severity, Text, Texts

LONGEST_WINDOW = 7 * 24 * 60
"""Minutes: what a rule looks at lies in memory while it is evaluated."""

_or_empty = BeforeValidator(lambda value: [] if value is None else value)


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Step(_Model):
    """A step of a sequence or a member of a group."""

    id: str | None = Field(default=None, alias="ID", min_length=1)
    rule_id: str = Field(alias="RuleID", min_length=1)
    count: int = Field(default=1, alias="MinMatchCount", ge=1)
    absent: bool = Field(default=False, alias="Absence")

    @property
    def name(self) -> str:
        """What other keys call it: its id, or its rule's where it has none."""
        return self.id or self.rule_id


class Criterion(_Model):
    """A group's member, and the path in its matches that holds the shared value."""

    group: str = Field(alias="GroupID")
    path: str = Field(alias="Match", min_length=1)


class Shared(_Model):
    """A value that two steps share: at one path in both (`On`), or at one path in each (`From`, `To`)."""

    on: str | None = Field(default=None, alias="On", min_length=1)
    first: str | None = Field(default=None, alias="From", min_length=1)
    last: str | None = Field(default=None, alias="To", min_length=1)

    @property
    def paths(self) -> tuple[str, str] | None:
        """The path in the matches of the first step and in those of the last; None when the keys do not fit."""
        if self.on is not None:
            return (self.on, self.on) if self.first is None and self.last is None else None
        return (self.first, self.last) if self.first is not None and self.last is not None else None


class Transition(_Model):
    """What must hold between two steps of a sequence."""

    id: str | None = Field(default=None, alias="ID")
    first: str = Field(alias="From")
    last: str = Field(alias="To")
    minutes: int | None = Field(default=None, alias="WithinTimeFrameMinutes", ge=1, le=LONGEST_WINDOW)
    match: Annotated[list[Shared], _or_empty] = Field(default=[], alias="Match")


class Schedule(_Model):
    """When the rule would run by a clock."""

    rate: int | None = Field(default=None, alias="RateMinutes", ge=1)
    cron: str | None = Field(default=None, alias="CronExpression")
    timeout: int | None = Field(default=None, alias="TimeoutMinutes", ge=1)


class Detection(_Model):
    """What the rule looks for: a group (in any order) or a sequence (in this order)."""

    group: list[Step] | None = Field(default=None, alias="Group", min_length=1)
    sequence: list[Step] | None = Field(default=None, alias="Sequence", min_length=1)
    criteria: dict[str, list[Criterion]] | None = Field(default=None, alias="MatchCriteria")
    transitions: list[Transition] | None = Field(default=None, alias="Transitions")
    minutes: int = Field(default=15, alias="LookbackWindowMinutes", ge=1, le=LONGEST_WINDOW)
    schedule: Schedule | None = Field(default=None, alias="Schedule")
    order: Literal["Chronological", "ReverseChronological"] | None = Field(default=None, alias="EventEvaluationOrder")

    @property
    def steps(self) -> list[Step]:
        """The members, whichever kind it is."""
        return self.group or self.sequence or []


class RuleOutput(_Model):
    """The matches that one member has in a test: by path and value, when (minutes, or moments)."""

    id: str = Field(alias="ID")
    matches: dict[str, dict[Any, list[int | float | str]]] = Field(default={}, alias="Matches")


class TestCase(_Model):
    """One test of a correlation rule."""

    name: str = Field(alias="Name")
    expected: bool = Field(alias="ExpectedResult")
    outputs: Annotated[list[RuleOutput], _or_empty] = Field(default=[], alias="RuleOutputs")


class CorrelationMetadata(_Model):
    """The YAML file of a correlation rule."""

    analysis_type: Literal["correlation_rule"] = Field(alias="AnalysisType")
    rule_id: str = Field(alias="RuleID", min_length=1)
    display_name: Text = Field(default="", alias="DisplayName")
    enabled: bool = Field(alias="Enabled")
    severity: Severity = Field(alias="Severity")
    description: Text = Field(default="", alias="Description")
    reference: Text = Field(default="", alias="Reference")
    runbook: Text = Field(default="", alias="Runbook")
    tags: Texts = Field(default=[], alias="Tags")
    reports: Reports | None = Field(default=None, alias="Reports")
    summary_attributes: Texts = Field(default=[], alias="SummaryAttributes")
    output_ids: Texts = Field(default=[], alias="OutputIds")
    status: Text = Field(default="", alias="Status")
    period_minutes: int = Field(default=60, ge=5, alias="DedupPeriodMinutes")
    threshold: int = Field(default=1, ge=1, alias="Threshold")
    create_alert: bool = Field(default=True, alias="CreateAlert")
    detection: list[Detection] = Field(alias="Detection", min_length=1, max_length=1)
    tests: Annotated[list[TestCase], _or_empty] = Field(default=[], alias="Tests")
