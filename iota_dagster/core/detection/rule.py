"""One loaded rule, and a pack of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from iota_dagster.core.detection.metadata import RuleTest
from iota_dagster.core.errors import RuleError


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


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its metadata, its tests and its module. `version` is a hash of all the files it is made of."""

    id: str
    version: str
    file: Path
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
    module: ModuleType
    event_names: frozenset[str] | None = None  # the only ones it can match (`routing`); None: any
    tags: tuple[str, ...] = ()
    reports: Mapping[str, Any] = field(default_factory=dict)
    tests: tuple[RuleTest, ...] = ()
    test_lines: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RulePack:
    """All rules of some folders, with the files that could not be read and those that cannot be run yet."""

    rules: tuple[Rule, ...]
    errors: tuple[RuleFileError, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    @property
    def version(self) -> str:
        """A hash of the content of all enabled rules and their helpers; where they lie does not matter."""
        return content_hash(f"{rule.id}\0{rule.version}".encode() for rule in self.rules if rule.enabled)


def content_hash(parts: Iterable[bytes]) -> str:
    """Sixteen hex digits that stand for the parts, whatever their order."""
    digest = hashlib.sha256()
    for part in sorted(hashlib.sha256(part).digest() for part in parts):
        digest.update(part)
    return digest.hexdigest()[:16]
