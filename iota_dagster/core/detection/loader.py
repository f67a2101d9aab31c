"""Rules from folders: every YAML file with an `AnalysisType`, and the Python file it names.

A broken file is an error of its own and does not stop the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from iota_dagster.core.detection import yaml12
from iota_dagster.core.detection.functions import RULE_ERRORS, describe
from iota_dagster.core.detection.metadata import ANALYSIS_TYPES, RuleMetadata, read_metadata
from iota_dagster.core.detection.modules import Importer, where
from iota_dagster.core.detection.routing import possible_values
from iota_dagster.core.detection.rule import Rule, RuleFileError, RulePack, Skipped, content_hash

HELPERS = "global_helpers"
"""The folder of shared helpers: beside the rules, in a folder above them, or up to two folders above the given one."""


def load_rules(folders: Sequence[Path]) -> RulePack:
    """All rules below some folders (or in single YAML files), by path; the same file is taken once."""
    reader = _Reader()
    for root in map(Path, folders):
        if not root.exists():
            reader.errors.append(RuleFileError(root, 1, "there is no such file or folder of rules"))
        for file in _yaml_files(root):
            reader.read(file, root)
    return RulePack(tuple(reader.rules.values()), tuple(reader.errors), tuple(reader.skipped))


class _Reader:
    """What has been read so far."""

    def __init__(self) -> None:
        self.rules: dict[str, Rule] = {}
        self.errors: list[RuleFileError] = []
        self.skipped: list[Skipped] = []
        self._seen: set[Path] = set()
        self._importer = Importer()

    def read(self, file: Path, root: Path) -> None:
        """Take one YAML file: into the rules, the errors or the skipped ones."""
        if file.resolve() in self._seen:
            return
        self._seen.add(file.resolve())
        try:
            content = file.read_bytes()
            self._take(file, root, content, yaml12.load(content))
        except yaml12.YamlError as error:
            self._fail(file, error.line, error.detail)
        except OSError as error:
            self._fail(file, 1, f"cannot be read: {error.strerror}")

    def _fail(self, file: Path, line: int, detail: str) -> None:
        self.errors.append(RuleFileError(file, line, detail))

    def _take(self, file: Path, root: Path, content: bytes, document: yaml12.Document) -> None:
        kind = _analysis_type(document)
        if kind is None:
            return
        if kind not in ANALYSIS_TYPES:
            known = ", ".join(ANALYSIS_TYPES)
            self._fail(
                file, document.line("AnalysisType"), f"AnalysisType is {kind or 'missing'}; it is one of {known}"
            )
            return
        id_key, supported = ANALYSIS_TYPES[kind]
        if not supported:
            name = str(document.value.get(id_key, file.stem))
            self.skipped.append(Skipped(file, name, f"{kind} is not supported yet"))
        elif kind == "rule":
            metadata, problems = read_metadata(document)
            self.errors += [RuleFileError(file, line, text) for line, text in problems]
            if metadata is not None:
                self._add(file, root, content, document, metadata)

    def _add(self, file: Path, root: Path, content: bytes, document: yaml12.Document, metadata: RuleMetadata) -> None:
        """A rule whose metadata are right: its Python file is run, unless it needs what this version lacks."""
        if reason := metadata.not_supported():
            self.skipped.append(Skipped(file, metadata.rule_id, reason))
            return
        if other := self.rules.get(metadata.rule_id):
            self._fail(file, document.line("RuleID"), f"RuleID {metadata.rule_id} is taken by {other.file}")
            return
        code = file.parent / (metadata.filename or file.with_suffix(".py").name)
        if not code.is_file():
            self._fail(file, document.line("Filename"), f"Filename: there is no {code}")
            return
        try:
            self.rules[metadata.rule_id] = self._rule(file, code, root, content, document, metadata)
        except SyntaxError as error:
            self._fail(Path(error.filename or code), error.lineno or 1, f"does not compile: {error.msg}")
        except RULE_ERRORS as error:
            self._fail(*(where(error) or (code, 1)), f"cannot be loaded: {describe(error)}")

    def _rule(
        self,
        file: Path,
        code: Path,
        root: Path,
        content: bytes,
        document: yaml12.Document,
        metadata: RuleMetadata,
    ) -> Rule:
        code, helpers = code.resolve(), _helper_folders(file.parent, root)
        module = self._importer.load(code, helpers)
        if not callable(getattr(module, "rule", None)):
            raise TypeError("it defines no function rule(event)")
        sources = [self._importer.source(path) for path in self._importer.files(code, helpers)]
        return Rule(
            id=metadata.rule_id,
            version=content_hash([content, *sources]),
            file=file,
            enabled=metadata.enabled,
            log_types=tuple(metadata.log_types),
            severity=metadata.severity,
            title=metadata.display_name,
            description=metadata.description,
            reference=metadata.reference,
            runbook=metadata.runbook,
            period_minutes=metadata.period_minutes,
            threshold=metadata.threshold,
            create_alert=metadata.create_alert,
            module=module,
            event_names=possible_values(module, self._importer.source(code).decode()),
            tags=tuple(metadata.tags),
            reports=metadata.reports or {},
            tests=tuple(metadata.tests),
            test_lines=tuple(document.line("Tests", index) for index in range(len(metadata.tests))),
        )


def _analysis_type(document: yaml12.Document) -> str | None:
    """The type of a document; "" when it lacks one but looks like ours; `None` for any other YAML file."""
    if not isinstance(document.value, Mapping):
        return None
    kind = document.value.get("AnalysisType")
    if kind is None:
        return "" if {"RuleID", "PolicyID", "LogTypes"} & document.value.keys() else None
    return str(kind)


def _yaml_files(root: Path) -> Iterator[Path]:
    """The YAML files below a folder in a fixed order, hidden folders left out; a file given by name is itself."""
    if root.is_file():
        yield root
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")))
        yield from (Path(folder, name) for name in sorted(files) if name.endswith((".yml", ".yaml")))


def _helper_folders(folder: Path, root: Path) -> list[Path]:
    """The helper folders that a rule sees, the nearest first."""
    top = root.resolve() if root.is_dir() else root.resolve().parent
    limit = top.parent.parent
    here = folder.resolve()
    above = [here, *here.parents]
    reach = above[: above.index(limit) + 1] if limit in above else above
    return [candidate / HELPERS for candidate in reach if (candidate / HELPERS).is_dir()]
