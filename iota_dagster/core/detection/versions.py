"""Versions of rules, data models and lookup tables: what they are made of, hashed.

A rule's version changes with its own files, the helpers that they reach, and what data models and tables it may ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from iota_dagster.core.detection.code_files import CodeFiles
from iota_dagster.core.detection.provided import SOURCES
from iota_dagster.core.detection.rule import DataModelSpec, Rule, Surroundings, TableSpec, content_hash

_PROVIDED = frozenset(SOURCES.values())
_MODELS, _TABLES = re.compile(rb"udm"), re.compile(rb"lookup|enrichment", re.IGNORECASE)
"""What is in the files of a rule that may ask data models, or lookup tables."""


class Versions:
    """Versions by the content of `files`, which are read once."""

    def __init__(self, files: CodeFiles) -> None:
        """Nothing is read yet."""
        self._files = files

    def of_code(self, content: bytes, files: Sequence[Path]) -> str:
        """The version of a rule in Python, by its YAML file's content and all files of its code."""
        return content_hash([content, *map(self._files.source, files)])

    def of_model(self, model: DataModelSpec) -> DataModelSpec:
        """A data model with its version."""
        parts = [msgspec.json.encode((model.log_types, model.mappings))]
        try:
            files = self._files.reachable(Path(model.code), list(map(Path, model.helpers))) if model.code else ()
            parts += map(self._files.source, files)
        except (OSError, SyntaxError, ValueError, RecursionError):  # told of when it is imported
            parts.append(self._files.digest(Path(model.code)))
        return msgspec.structs.replace(model, version=content_hash(parts))

    def of_table(self, table: TableSpec) -> TableSpec:
        """A lookup table with its version."""
        spec = msgspec.json.encode((table.name, table.key, table.selectors))
        return msgspec.structs.replace(table, version=content_hash([spec, self._files.digest(Path(table.file))]))

    def of_rules(self, rules: Iterable[Rule], shared: Surroundings) -> Iterator[Rule]:
        """The rules, with the data models and tables that they may ask as a part of their versions."""
        for rule in rules:
            models = [model.version for model in shared.models if not set(rule.log_types).isdisjoint(model.log_types)]
            tables = [table.version for table in shared.tables]
            asked = models if models and self._mentions(rule, _MODELS) else []
            asked += tables if tables and self._mentions(rule, _TABLES) else []
            version = content_hash(map(str.encode, [rule.version, *asked])) if asked else rule.version
            yield msgspec.structs.replace(rule, version=version)

    def _mentions(self, rule: Rule, words: re.Pattern[bytes]) -> bool:
        """Whether words are in a rule's files; what iota provides for rules to import does not count."""
        files = [Path(rule.file)]
        if rule.code:
            files += self._files.reachable(Path(rule.code), list(map(Path, rule.helpers)))
        return any(words.search(self._files.source(file)) for file in files if file not in _PROVIDED)
