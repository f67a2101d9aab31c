"""A correlation rule's YAML file → the rule, or what is wrong with it, line by line."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import BaseModel, ValidationError

from iota_dagster.core.detection.correlation import schema
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.schema import CorrelationMetadata
from iota_dagster.core.detection.correlation.shape import problems, shape
from iota_dagster.core.yaml12 import Document

_INSIDE: dict[str, type[BaseModel]] = {
    "Detection": schema.Detection,
    "Group": schema.Step,
    "Sequence": schema.Step,
    "MatchCriteria": schema.Criterion,
    "Transitions": schema.Transition,
    "Match": schema.Shared,
    "Schedule": schema.Schedule,
    "Tests": schema.TestCase,
    "RuleOutputs": schema.RuleOutput,
}


def read_correlation(document: Document, file: Path = Path()) -> tuple[CorrelationRule | None, list[tuple[int, str]]]:
    """The correlation rule of a document, or what is wrong with it: (line, text) for each problem."""
    try:
        metadata = CorrelationMetadata.model_validate(document.value)
    except ValidationError as error:
        return None, [
            (document.line(*problem["loc"]), _explain(problem["loc"], problem["type"], problem["msg"]))
            for problem in error.errors(include_url=False, include_input=False)
        ]
    if found := list(problems(metadata)):
        return None, [(document.line(*loc), f"{'.'.join(map(str, loc))}: {text}") for loc, text in found]
    return shape(metadata, document, file), []


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
    above = [_INSIDE[name] for name in loc[:-1] if isinstance(name, str) and name in _INSIDE]
    model = above[-1] if above else CorrelationMetadata
    return [field.alias or name for name, field in model.model_fields.items()]
