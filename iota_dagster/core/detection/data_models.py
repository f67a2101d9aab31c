"""Data models: one name for the same thing in many log types.

A data model says for a log type under which path each name lies in its events (`source_ip` is `sourceIPAddress`), or
which function of the model's Python file tells. A rule asks with `event.udm("source_ip")`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from iota_dagster.core.detection.event import Event
from iota_dagster.core.detection.match_expressions.paths import Path, parse_path
from iota_dagster.core.detection.rule import DataModelSpec
from iota_dagster.core.errors import RuleError


class DataModelError(RuleError):
    """A data model is wrong, or two of them are for the same log type."""


@dataclass(frozen=True, slots=True)
class DataModel:
    """The names of some log types: each one's path, or the name of a function in `module` that takes the event."""

    id: str
    log_types: tuple[str, ...]
    mappings: Mapping[str, Path | str]
    module: object = None

    @classmethod
    def of(cls, spec: DataModelSpec, module: object = None) -> DataModel:
        """The model of a YAML file; `DataModelError` when its Python file lacks a function that it names."""
        mappings: dict[str, Path | str] = {}
        for entry in spec.mappings:
            if entry.method is not None and not callable(getattr(module, entry.method, None)):
                where = spec.code or "a Python file (Filename is missing)"
                raise DataModelError(f"{spec.id}: {entry.name}: there is no function {entry.method} in {where}")
            mappings[entry.name] = entry.method or parse_path(entry.path or "")
        return cls(spec.id, spec.log_types, mappings, module)

    def read(self, name: str, event: Event) -> Any:
        """The value of one of the model's names; None when the event lacks it."""
        source = self.mappings[name]
        if isinstance(source, str):
            method: Callable[[Event], Any] = getattr(self.module, source)
            return method(event)
        found = source.find(event)
        # A path that may lead to many values and leads to one means that one: `events[*].name` of a single event.
        return found[0] if source.many and found is not None and len(found) == 1 else found

    def source(self, name: str) -> str:
        """What tells a name: its path as written, or its function's name."""
        source = self.mappings[name]
        return source if isinstance(source, str) else source.text


class DataModels:
    """All data models: at most one for a log type."""

    def __init__(self, models: Iterable[DataModel] = ()) -> None:
        self.by_log_type: dict[str, DataModel] = {}
        for model in models:
            self.add(model)

    def add(self, model: DataModel) -> None:
        """Take one more model; `DataModelError`, and nothing of it is taken, when another has one of its log types."""
        for log_type in model.log_types:
            if other := self.by_log_type.get(log_type):
                raise DataModelError(f"{log_type} has two data models, {other.id} and {model.id}: disable one")
        self.by_log_type |= dict.fromkeys(model.log_types, model)
