"""Rules as they are read: plain values that can be sent to another process; no code of a rule has run yet."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from iota_dagster.core.detection.routing.values import Need
from iota_dagster.core.errors import RuleError

if TYPE_CHECKING:  # pydantic is not for the processes that run rules
    from iota_dagster.core.detection.correlation.rule import CorrelationRule
    from iota_dagster.core.detection.metadata import RuleTest
    from iota_dagster.core.detection.scheduled_query import ScheduledQuery

SEVERITIES = ("INFO", "LOW", "MEDIUM", "HIGH", "CRITICAL")
Kind = Literal["rule", "scheduled_rule", "policy"]


class RuleFileError(RuleError):
    """A file of a rule is wrong: which one, on which line, and why."""

    def __init__(self, file: Path, line: int, detail: str) -> None:
        super().__init__(file, line, detail)
        self.file, self.line, self.detail = file, line, detail

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that this version knows of but cannot run yet, and why."""

    file: Path
    id: str
    reason: str


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One rule. `version` is a hash of all the files it is made of, and of the data models and tables it may ask.

    `code` is its Python file and `helpers` the folders of shared modules it sees; a rule of YAML only has `simple`
    instead, the keys of its document that stand for functions (see `yaml_rules`). `remembers` says that it may use
    `key_values`. `need` is what an event must have for the rule to match it (see `routing`). `filters` must all hold
    too, and `exclusions` must not (both are conditions, see `conditions`). With `fixed_severity`, its `severity`
    function is not asked.
    """

    id: str
    version: str
    kind: Kind = "rule"
    file: str
    enabled: bool
    log_types: tuple[str, ...]
    severity: str
    title: str
    description: str
    reference: str
    runbook: str
    period_minutes: int
    threshold: int
    create_alert: bool
    code: str = ""
    helpers: tuple[str, ...] = ()
    simple: dict[str, Any] | None = None
    remembers: bool = False
    filters: list[Any] = []
    exclusions: list[Any] = []
    fixed_severity: bool = False
    destinations: tuple[str, ...] | None = None
    need: Need = msgspec.field(default_factory=dict)
    tags: tuple[str, ...] = ()
    reports: dict[str, list[str]] = {}


class MappingSpec(msgspec.Struct, frozen=True):
    """One name of a data model: under which path it lies, or which function of the model's file tells."""

    name: str
    path: str | None = None
    method: str | None = None


class DataModelSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A data model as its YAML file gives it; `code` is its Python file, if it has one.

    `version` is a hash of all that its answers depend on.
    """

    id: str
    version: str = ""
    log_types: tuple[str, ...]
    mappings: tuple[MappingSpec, ...]
    code: str = ""
    helpers: tuple[str, ...] = ()


class TableSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A lookup table as its YAML file gives it: the file of its rows, its key column, selectors by log type.

    `version` is a hash of these and of the rows.
    """

    name: str
    version: str = ""
    file: str
    key: str
    selectors: dict[str, tuple[str, ...]] = {}


class Surroundings(msgspec.Struct, frozen=True):
    """What the rules of a pack share: data models and lookup tables."""

    models: tuple[DataModelSpec, ...] = ()
    tables: tuple[TableSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class RuleTests:
    """The tests of one rule, and the line on which each stands."""

    tests: tuple[RuleTest, ...] = ()
    lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RulePack:
    """All rules of some folders, with the files that could not be read and those that cannot be run yet.

    `uncertain` are the ids of rules that cannot be judged for sure: those in the files that could not be read, or all,
    where such a file does not tell which rule it is.
    """

    rules: tuple[Rule, ...]
    errors: tuple[RuleFileError, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    tests: Mapping[str, RuleTests] = field(default_factory=dict)
    surroundings: Surroundings = field(default_factory=Surroundings)
    correlations: tuple[CorrelationRule, ...] = ()
    queries: tuple[ScheduledQuery, ...] = ()
    uncertain: frozenset[str] = frozenset()

    @property
    def version(self) -> str:
        """A hash of the content of all enabled rules, their helpers and queries; where they lie does not matter."""
        versions = [(rule.id, rule.version) for rule in self.rules if rule.enabled]
        versions += [(rule.id, rule.version) for rule in self.correlations if rule.enabled]
        versions += [(model.id, model.version) for model in self.surroundings.models]
        versions += [(table.name, table.version) for table in self.surroundings.tables]
        versions += [
            (item.name, content_hash([msgspec.json.encode((item.sql, item.schedule))]))
            for item in self.queries
            if item.enabled
        ]
        return content_hash(f"{name}\0{version}".encode() for name, version in versions)

    @property
    def remembers(self) -> bool:
        """Whether some enabled rule may keep something from event to event."""
        return any(rule.enabled and rule.remembers for rule in self.rules)

    def of_id(self, rule_id: str) -> Rule | None:
        """The rule of that id, if there is one."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)


def content_hash(parts: Iterable[bytes]) -> str:
    """Sixteen hex digits that stand for the parts, whatever their order."""
    digest = hashlib.sha256()
    for part in sorted(hashlib.sha256(part).digest() for part in parts):
        digest.update(part)
    return digest.hexdigest()[:16]
