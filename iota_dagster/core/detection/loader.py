"""Rules from folders: every YAML file with an `AnalysisType`, and the Python file it names.

Nothing of a rule is run here: its code is compiled, read and hashed. A broken file is an error of its own and does not
stop the others.
"""

from __future__ import annotations

import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel

from iota_dagster.core import yaml12
from iota_dagster.core.detection.code_files import CodeFiles
from iota_dagster.core.detection.correlation.metadata import read_correlation
from iota_dagster.core.detection.correlation.pack import circular
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.match_expressions.conditions import ConditionError, compile_conditions, necessary
from iota_dagster.core.detection.metadata import ID_KEYS, RuleMetadata, read_document
from iota_dagster.core.detection.provided import SOURCES
from iota_dagster.core.detection.routing.constants import Module, Modules
from iota_dagster.core.detection.routing.module_state import ModuleState, keeps_state
from iota_dagster.core.detection.routing.needs import need_of
from iota_dagster.core.detection.routing.values import Need, Values
from iota_dagster.core.detection.rule import (
    DataModelSpec,
    Rule,
    RuleFileError,
    RulePack,
    RuleTests,
    Skipped,
    Surroundings,
    TableSpec,
    content_hash,
)
from iota_dagster.core.detection.scheduled_query import ScheduledQuery, query_log_type, read_query
from iota_dagster.core.detection.shared_files import DataModelFile, TableFile
from iota_dagster.core.detection.versions import Versions
from iota_dagster.core.detection.yaml_rules import SIMPLE_KEYS, rule_functions

HELPERS = "global_helpers"
"""The folder of shared helpers: beside the rules, in a folder above them, or up to two folders above the given one."""

_RULES = ("rule", "scheduled_rule", "policy")
_SHARED: Mapping[str, type[BaseModel]] = {"datamodel": DataModelFile, "lookup_table": TableFile}
_PROVIDED = frozenset(SOURCES.values())
_MEMORY = frozenset({path for name, path in SOURCES.items() if name.endswith(".caching")})
_ID_LINE = re.compile(rb"""^(?:RuleID|PolicyID):[ \t]*["']?([A-Za-z0-9_.-]+)""", re.MULTILINE)
"""Where the id stands in a file that cannot be read as YAML."""
_NOT_RUN = ("global", "pack", "saved_query")


def load_rules(
    folders: Sequence[Path], files: CodeFiles | None = None, only: Container[Path] | None = None
) -> RulePack:
    """All rules below some folders (or in single YAML files), by path; the same file is taken once.

    With `only`, no other YAML files than these are read.
    """
    reader = _Reader(files or CodeFiles())
    for root in map(Path, folders):
        if not root.exists():
            reader.errors.append(RuleFileError(root, 1, "there is no such file or folder of rules"))
        for file in yaml_files(root):
            if only is None or file in only:
                reader.read(file, root)
    correlations = reader.sound_correlations()
    surroundings = Surroundings(tuple(reader.models), tuple(reader.tables))
    return RulePack(
        tuple(reader.versions.of_rules(reader.rules.values(), surroundings)),
        tuple(reader.errors),
        tuple(reader.skipped),
        reader.tests,
        surroundings,
        correlations,
        tuple(reader.queries.values()),
        reader.uncertain(),
    )


class _Reader:
    """What has been read so far."""

    def __init__(self, files: CodeFiles) -> None:
        self.rules: dict[str, Rule] = {}
        self.correlations: dict[str, CorrelationRule] = {}
        self.queries: dict[str, ScheduledQuery] = {}
        self.tests: dict[str, RuleTests] = {}
        self.errors: list[RuleFileError] = []
        self.skipped: list[Skipped] = []
        self.models: list[DataModelSpec] = []
        self.tables: list[TableSpec] = []
        self._broken: set[str] = set()  # the ids of rules whose files are wrong; "" for a file that tells none
        self._seen: set[Path] = set()
        self._states: dict[Path, ModuleState] = {}
        self._files, self._modules, self.versions = files, Modules(files), Versions(files)

    def read(self, file: Path, root: Path) -> None:
        """Take one YAML file: into the rules, the errors or the skipped ones."""
        if file.resolve() in self._seen:
            return
        self._seen.add(file.resolve())
        try:
            self._read(file, root, file.read_bytes())
        except OSError as error:
            self._broken.add("")
            self._fail(file, 1, f"cannot be read: {error.strerror}")

    def _read(self, file: Path, root: Path, content: bytes) -> None:
        known = len(self.errors)
        try:
            self._take(file, root, content, yaml12.load(content))
        except yaml12.YamlError as error:
            self._fail(file, error.line, error.detail)
        if len(self.errors) > known:
            found = _ID_LINE.search(content)
            self._broken.add(found[1].decode() if found else "")

    def uncertain(self) -> frozenset[str]:
        """See `RulePack.uncertain`."""
        known = self.rules.keys() | self.correlations.keys()
        return frozenset(known | self._broken if "" in self._broken else self._broken - known) - {""}

    def _fail(self, file: Path, line: int, detail: str) -> None:
        self.errors.append(RuleFileError(file, line, detail))

    def _take(self, file: Path, root: Path, content: bytes, document: yaml12.Document) -> None:
        kind = _analysis_type(document)
        if kind is None or kind in _NOT_RUN:
            return
        if kind not in ID_KEYS:
            known = f"{kind or 'missing'}; it is one of {', '.join(ID_KEYS)}"
            self._fail(file, document.line("AnalysisType"), f"AnalysisType is {known}")
        elif kind in _SHARED:
            self._take_shared(file, root, document, kind)
        elif kind in _RULES:
            metadata, problems = read_document(RuleMetadata, document)
            self.errors += [RuleFileError(file, line, text) for line, text in problems]
            if metadata is not None:
                self._add(file, root, content, document, metadata)
        elif kind == "scheduled_query":
            self._take_query(file, document)
        else:
            self._take_correlation(file, document)

    def _take_shared(self, file: Path, root: Path, document: yaml12.Document, kind: str) -> None:
        """A data model or a lookup table."""
        found, problems = read_document(_SHARED[kind], document)
        self.errors += [RuleFileError(file, line, text) for line, text in problems]
        try:
            if isinstance(found, DataModelFile) and found.enabled:
                self.models.append(self.versions.of_model(found.spec(file.parent, helper_folders(file.parent, root))))
            elif isinstance(found, TableFile) and found.enabled and found.filename:
                self.tables.append(self.versions.of_table(found.spec(file.parent)))
        except ValueError as error:
            self._fail(file, 1, str(error))

    def _take_query(self, file: Path, document: yaml12.Document) -> None:
        query, problems = read_query(document, file)
        self.errors += [RuleFileError(file, line, text) for line, text in problems]
        if isinstance(query, str):
            self.skipped.append(Skipped(file, str(document.value["QueryName"]), query))
        elif query is not None and (other := self.queries.get(query.name)):
            self._fail(file, document.line("QueryName"), f"QueryName {query.name} is taken by {other.file}")
        elif query is not None:
            self.queries[query.name] = query

    def _take_correlation(self, file: Path, document: yaml12.Document) -> None:
        rule, problems = read_correlation(document, file)
        self.errors += [RuleFileError(file, line, text) for line, text in problems]
        if rule is not None and not self._is_taken(rule.id, file, document, "RuleID"):
            self.correlations[rule.id] = rule

    def sound_correlations(self) -> tuple[CorrelationRule, ...]:
        """The correlation rules but those that are members of themselves: they are errors."""
        circles = circular(self.correlations.values())
        for rule in circles:
            self._fail(Path(rule.file), 1, f"{rule.id} is, through its members, a member of itself")
        return tuple(rule for rule in self.correlations.values() if rule not in circles)

    def _is_taken(self, rule_id: str, file: Path, document: yaml12.Document, key: str) -> bool:
        """Whether another rule has an id already, which is an error of this file."""
        other = self.rules.get(rule_id) or self.correlations.get(rule_id)
        if other is not None:
            self._fail(file, document.line(key), f"{key} {rule_id} is taken by {other.file}")
        return other is not None

    def _add(self, file: Path, root: Path, content: bytes, document: yaml12.Document, metadata: RuleMetadata) -> None:
        """A rule whose metadata are right: its Python file is read, if it has one."""
        if self._is_taken(metadata.rule_id, file, document, ID_KEYS[metadata.analysis_type]):
            return
        code = file.parent / (metadata.filename or file.with_suffix(".py").name)
        try:
            compile_conditions(_filters(metadata), "InlineFilters")
            if metadata.detection is not None:
                rule = _simple_rule(file, content, document.value, metadata)
            else:
                rule = self._rule(file, code, root, content, metadata)
            msgspec.msgpack.encode(rule)  # it will be sent to workers
            self.rules[metadata.rule_id] = rule
        except ConditionError as error:
            self._fail(file, document.line(*error.path), str(error))
        except FileNotFoundError as error:
            self._fail(file, document.line("Filename"), f"Filename: there is no {error.filename}")
        except SyntaxError as error:
            self._fail(Path(error.filename or code), error.lineno or 1, f"does not compile: {error.msg}")
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            self._fail(code if code.exists() else file, 1, f"cannot be loaded: {error}")
        else:
            lines = tuple(document.line("Tests", index) for index in range(len(metadata.tests)))
            self.tests[metadata.rule_id] = RuleTests(tuple(metadata.tests), lines)

    def _rule(self, file: Path, code: Path, root: Path, content: bytes, metadata: RuleMetadata) -> Rule:
        code, helpers = code.resolve(), helper_folders(file.parent, root)
        function = "policy" if metadata.analysis_type == "policy" else "rule"
        module = self._modules.of(code, tuple(helpers))
        if not module.bindings.get(function):
            raise TypeError(f"it defines no function {function}")
        files = sorted(self._files.reachable(code, helpers))
        remembers = not _MEMORY.isdisjoint(files)
        return Rule(
            **_common(file, metadata),
            version=self.versions.of_code(content, files),
            code=str(code),
            helpers=tuple(map(str, helpers)),
            need={} if remembers or self._keeps_state(files, function) else _need(module, function),
            remembers=remembers,
        )

    def _keeps_state(self, files: Sequence[Path], function: str) -> bool:
        """Whether a rule keeps something in its module or its helpers'; what iota provides keeps nothing there."""
        try:
            states = [self._state(file) for file in files if file not in _PROVIDED]
            return any(state.may_keep for state in states) and keeps_state(states, function)
        except RecursionError:
            return True

    def _state(self, file: Path) -> ModuleState:
        if file not in self._states:
            self._states[file] = ModuleState(self._files.syntax(file))
        return self._states[file]


def _simple_rule(file: Path, content: bytes, document: Mapping[str, Any], metadata: RuleMetadata) -> Rule:
    """A rule without Python."""
    simple = {key: document[key] for key in SIMPLE_KEYS if document.get(key) is not None}
    rule_functions(simple)
    need = {field: Values(texts) for field, texts in necessary(simple["Detection"]).items()}
    return Rule(**_common(file, metadata), version=content_hash([content]), simple=simple, need=need)


def _common(file: Path, metadata: RuleMetadata) -> dict[str, Any]:
    """What every rule takes from its YAML file."""
    return {
        "id": metadata.rule_id,
        "kind": metadata.analysis_type,
        "file": str(file),
        "enabled": metadata.enabled,
        "log_types": _log_types(metadata),
        "severity": metadata.severity,
        "title": metadata.display_name,
        "description": metadata.description,
        "reference": metadata.reference,
        "runbook": metadata.runbook,
        "period_minutes": metadata.period_minutes,
        "threshold": metadata.threshold,
        "create_alert": metadata.create_alert,
        "filters": _filters(metadata),
        "tags": tuple(metadata.tags),
        "reports": metadata.reports or {},
    }


def _log_types(metadata: RuleMetadata) -> tuple[str, ...]:
    """What a rule is shown; a scheduled one sees the rows of its queries and no events."""
    if metadata.analysis_type == "scheduled_rule":
        return tuple(map(query_log_type, metadata.scheduled_queries))
    return tuple(metadata.log_types)


def _filters(metadata: RuleMetadata) -> list[Any]:
    """The inline filters that say something: public rules carry empty ones, `- All: []`."""
    return [item for item in metadata.inline_filters or () if item and item != {"All": []}]


def _need(module: Module, function: str) -> Need:
    try:
        return need_of(module, function=function, result=function == "rule")
    except (SyntaxError, OSError, ValueError, RecursionError):  # a helper's trouble shows when it is imported
        return {}


def _analysis_type(document: yaml12.Document) -> str | None:
    """The type of a document; "" when it lacks one but looks like ours; `None` for any other YAML file."""
    if not isinstance(document.value, Mapping):
        return None
    kind = document.value.get("AnalysisType")
    if kind is None:
        return "" if {"RuleID", "PolicyID", "LogTypes"} & document.value.keys() else None
    return str(kind)


def yaml_files(root: Path) -> Iterator[Path]:
    """The YAML files below a folder in a fixed order, hidden folders left out; a file given by name is itself."""
    if root.is_file():
        yield root
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith((".yml", ".yaml")))


def helper_folders(folder: Path, root: Path) -> list[Path]:
    """The helper folders that a rule sees, the nearest first."""
    top = root.resolve() if root.is_dir() else root.resolve().parent
    limit = top.parent.parent
    here = folder.resolve()
    above = [here, *here.parents]
    reach = above[: above.index(limit) + 1] if limit in above else above
    return [candidate / HELPERS for candidate in reach if (candidate / HELPERS).is_dir()]
