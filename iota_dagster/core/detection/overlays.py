"""Overlays: a user's own word on rules, in one YAML file of theirs, so that the rules' own files stay as they came.

    AWS.Console.SignInWithoutMFA:
      Severity: Low
      Exclude:
        - {KeyPath: userIdentity.userName, Condition: Equals, Value: build-robot}
      Comment: The robot's password is rotated hourly.
    AWS.EC2.RegionEnabled: {Enabled: false}

`Severity`, `Threshold` and `DedupPeriodMinutes` take the place of what the rule says, be it in its YAML file or by a
function of its own; `Destinations` go before all that the rule says. An event for which one of the `Exclude`
expressions holds is no match (see `conditions`).

An entry with a mistake in it changes nothing, and is an error of the pack: rather one alert too many than one too few.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import yaml
from pydantic import BaseModel, ConfigDict, Field

from iota_dagster.core import yaml12
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.match_expressions.conditions import ConditionError, compile_conditions
from iota_dagster.core.detection.metadata import Severity, read_document
from iota_dagster.core.detection.rule import Rule, RuleFileError, RulePack, content_hash

_EVERYTHING: dict[str, list[Any]] = {"All": []}


class Overlay(BaseModel):
    """What an entry says of its rule; None: nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    enabled: bool | None = Field(default=None, alias="Enabled")
    severity: Severity | None = Field(default=None, alias="Severity")
    threshold: Annotated[int, Field(ge=1)] | None = Field(default=None, alias="Threshold")
    period_minutes: Annotated[int, Field(ge=5)] | None = Field(default=None, alias="DedupPeriodMinutes")
    destinations: list[str] | None = Field(default=None, alias="Destinations")
    exclude: list[Any] | None = Field(default=None, alias="Exclude")
    comment: str | None = Field(default=None, alias="Comment")

    def changes(self, rule: Rule | CorrelationRule) -> dict[str, Any]:
        """The fields of a rule that become something else, with what they become."""
        given = {
            "enabled": self.enabled,
            "severity": self.severity,
            "fixed_severity": True if self.severity and isinstance(rule, Rule) else None,
            "threshold": self.threshold,
            "period_minutes": self.period_minutes,
            "destinations": None if self.destinations is None else tuple(self.destinations),
            "exclusions": [*rule.exclusions, *(self.exclude or ())] if isinstance(rule, Rule) else None,
        }
        return {name: value for name, value in given.items() if value is not None and value != getattr(rule, name)}


@dataclasses.dataclass(frozen=True, slots=True)
class Overlays:
    """The entries of a file that are right, by rule id, with the lines they begin on, and what is wrong with others."""

    file: Path
    entries: Mapping[str, Overlay] = dataclasses.field(default_factory=dict)
    lines: Mapping[str, int] = dataclasses.field(default_factory=dict)
    errors: tuple[RuleFileError, ...] = ()


def read_overlays(file: Path, destinations: Collection[str] | None = None) -> Overlays:
    """The overlays of a file. `destinations` are the names of those that there are; None leaves names unchecked."""
    try:
        document = yaml12.load(file.read_bytes())
    except OSError as error:
        return Overlays(file, errors=(RuleFileError(file, 1, f"cannot be read: {error.strerror}"),))
    except yaml12.YamlError as error:
        return Overlays(file, errors=(RuleFileError(file, error.line, error.detail),))
    if document.value is None:
        return Overlays(file)
    if not isinstance(document.value, Mapping):
        line = document.line()
        return Overlays(file, errors=(RuleFileError(file, line, "expected rule ids, each with what it changes"),))
    return _read_entries(file, document, destinations)


def _read_entries(file: Path, document: yaml12.Document, destinations: Collection[str] | None) -> Overlays:
    entries: dict[str, Overlay] = {}
    lines: dict[str, int] = {}
    errors: list[RuleFileError] = []
    for rule_id, part in _parts(document):
        lines[rule_id] = document.line(rule_id)
        overlay, problems = _read_entry(part, lines[rule_id], destinations)
        if overlay is not None and not problems:
            entries[rule_id] = overlay
        errors += [RuleFileError(file, line, f"{rule_id}: {text}") for line, text in problems]
    return Overlays(file, entries, lines, tuple(errors))


def _parts(document: yaml12.Document) -> Iterator[tuple[str, yaml12.Document]]:
    """Every entry by its rule's id, as a document of its own."""
    root = document.node
    nodes = {key.value: node for key, node in root.value} if isinstance(root, yaml.MappingNode) else {}
    for key, value in document.value.items():
        yield str(key), yaml12.Document(value, nodes.get(str(key)))


def _read_entry(
    part: yaml12.Document, line: int, destinations: Collection[str] | None
) -> tuple[Overlay | None, list[tuple[int, str]]]:
    """An entry, and what is wrong with it: (line, text) for each problem."""
    if not isinstance(part.value, Mapping):
        return None, [(line, "expected a mapping such as {Severity: Low}")]
    overlay, problems = read_document(Overlay, part)
    if overlay is None:
        return None, problems
    if overlay.exclude and _EVERYTHING in overlay.exclude:
        index = overlay.exclude.index(_EVERYTHING)
        text = f"Exclude.{index} leaves out every event; to switch the rule off write Enabled: false"
        return None, [(part.line("Exclude", index), text)]
    try:
        compile_conditions(overlay.exclude or (), "Exclude")
    except ConditionError as error:
        return None, [(part.line(*error.path), str(error))]
    return overlay, list(_unknown_destinations(overlay, part, destinations))


def _unknown_destinations(
    overlay: Overlay, part: yaml12.Document, known: Collection[str] | None
) -> Iterator[tuple[int, str]]:
    for index, name in enumerate(overlay.destinations or ()):
        if known is not None and name not in known:
            yield part.line("Destinations", index), f"{name} is not a destination; {nearest(name, known)}"


def apply(pack: RulePack, overlays: Overlays) -> RulePack:
    """The pack as the overlays want it; their mistakes, and entries for rules that are not in it, become errors of it.

    What changes how a rule judges goes into its version: hours that were judged before count as judged by another rule.
    """
    known: dict[str, Rule | CorrelationRule] = {rule.id: rule for rule in pack.rules}
    known |= {rule.id: rule for rule in pack.correlations}
    wrong = {name: _misplaced(name, item, known.get(name), pack) for name, item in overlays.entries.items()}
    errors = [RuleFileError(overlays.file, overlays.lines[name], text) for name, text in wrong.items() if text]
    changes = {
        name: _with_version(known[name], item.changes(known[name]))
        for name, item in overlays.entries.items()
        if not wrong[name]
    }
    return dataclasses.replace(
        pack,
        rules=tuple(msgspec.structs.replace(rule, **changes.get(rule.id, {})) for rule in pack.rules),
        correlations=tuple(dataclasses.replace(rule, **changes.get(rule.id, {})) for rule in pack.correlations),
        errors=(*pack.errors, *overlays.errors, *errors),
    )


def _with_version(rule: Rule | CorrelationRule, changes: dict[str, Any]) -> dict[str, Any]:
    """The changes of a rule with the version that it has by them; whether it is enabled the pack's version tells."""
    judging = {name: value for name, value in changes.items() if name != "enabled"}
    if not judging:
        return changes
    mixed = msgspec.json.encode(judging, order="deterministic")
    return changes | {"version": content_hash([rule.version.encode(), mixed])}


def _misplaced(name: str, overlay: Overlay, rule: Rule | CorrelationRule | None, pack: RulePack) -> str:
    """Why an overlay cannot be laid over a rule; "" when it can."""
    if isinstance(rule, Rule) or (rule and not overlay.exclude):
        return ""
    if rule:
        return f"{name} is a correlation rule: exclude events from the rules whose matches it looks at"
    if reason := next((item.reason for item in pack.skipped if item.id == name), None):
        return f"{name} is not run, so that nothing can be changed: {reason}"
    return f"there is no rule {name}; {nearest(name, [item.id for item in pack.rules])}"


def nearest(name: str, known: Collection[str]) -> str:
    """The one of some names that is nearest to a wrong one, in words; all of them when they are few."""
    if near := difflib.get_close_matches(name, known, n=1):
        return f"did you mean {near[0]}?"
    return f"there are: {', '.join(sorted(known)) or 'none'}" if len(known) <= 5 else "none is like it"


def shown_changes(rule: Rule, overlays: Overlays) -> Sequence[str]:
    """What an overlay changes of a rule as its files have it, a line each; `Comment` last."""
    overlay = overlays.entries.get(rule.id)
    if overlay is None:
        return ()
    lines = [
        _shown(name, getattr(rule, name), value)
        for name, value in overlay.changes(rule).items()
        if name != "fixed_severity"
    ]
    return [*lines, f"comment: {overlay.comment}"] if overlay.comment else lines


def _shown(name: str, before: Any, after: Any) -> str:
    if name == "exclusions":
        return f"excluded: {msgspec.json.encode(after[len(before) :]).decode()}"
    return f"{name}: {_plain(before)} → {_plain(after)}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
