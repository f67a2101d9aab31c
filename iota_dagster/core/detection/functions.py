"""Calling a rule's functions: order, limits and fallbacks. A function that fails never loses the match."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableSequence, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from iota_dagster.core.detection.event import Event, ListView, MappingView, plain
from iota_dagster.core.detection.modules import where
from iota_dagster.core.detection.rule import SEVERITIES, Rule
from iota_dagster.core.detection.verdict import RuleMatch

Report = Callable[[str, str], None]
"""Takes (function, error) of a failed call."""

Progress = MutableSequence[int] | memoryview
"""What is being judged: the index of the record, the number of the rule (0: none), how many calls were made."""


class RuleTimeout(BaseException):
    """A call of a rule took too long: not an Exception, so that a rule's own `except Exception` does not catch it."""


RULE_ERRORS = (Exception, SystemExit, RuleTimeout)
"""What code of a rule may raise without stopping the others."""

TEXT_LIMIT = 1000
CONTEXT_LIMIT = 200 * 1024
DESTINATIONS_LIMIT = 10


class RuleFunctions:
    """One rule's functions, looked up once: `rule` decides, `match` asks the others about a hit, in a fixed order.

    `progress` counts the calls (see `engine.Progress`), so that a watcher sees one that does not come back.
    """

    __slots__ = ("_functions", "_progress", "_said", "meta", "number", "rule")

    def __init__(self, meta: Rule, module: object, number: int = 0, progress: Progress | None = None) -> None:
        self.meta, self.number = meta, number
        self._progress: Progress = [0, 0, 0] if progress is None else progress
        self.rule = _decider(meta, module)
        found = [(name, getattr(module, name, None), read) for name, read in _READERS.items()]
        self._functions = [(name, function, read) for name, function, read in found if callable(function)]
        self._said = _Said.of(meta)

    def match(self, index: int, event: Event, report: Report) -> RuleMatch:
        """The match of a record on which `rule` returned True."""
        meta, said, found = self.meta, self._said, self._answers(event, report)
        answer = found.get
        title, severity = answer("title"), answer("severity", "DEFAULT")
        return RuleMatch(
            index=index,
            rule_id=meta.id,
            rule_version=meta.version,
            severity=meta.severity if meta.fixed_severity or severity == "DEFAULT" else severity,
            title=title or said.title,
            dedup=answer("dedup") or title or said.dedup,
            description=answer("description", said.description),
            reference=answer("reference", said.reference),
            runbook=answer("runbook", said.runbook),
            period_minutes=meta.period_minutes,
            threshold=meta.threshold,
            create_alert=meta.create_alert,
            unique=answer("unique"),
            destinations=answer("destinations") if meta.destinations is None else meta.destinations,
            context=answer("alert_context", {}),
        )

    def _answers(self, event: Event, report: Report) -> dict[str, Any]:
        """What each function says, read and bounded; nothing of one that fails, but for the error in the context."""
        answers: dict[str, Any] = {}
        for name, function, read in self._functions:
            try:
                self._progress[2] += 1
                answers[name] = read(function(event))
            except RULE_ERRORS as error:
                text = describe(error)
                report(name, text)
                if name == "alert_context":
                    answers[name] = {"error": f"alert_context failed: {text}"}
        return answers


def _decider(meta: Rule, module: Any) -> Callable[[Event], object]:
    """What decides: `rule`; of a policy the opposite, on a plain dict; filters and exclusions may take a match back."""
    decide: Callable[[Event], object] = _violation(module.policy) if meta.kind == "policy" else module.rule
    if not meta.filters and not meta.exclusions:
        return decide
    from iota_dagster.core.detection.match_expressions.conditions import compile_conditions  # few rules have any

    wanted = compile_conditions(meta.filters, "InlineFilters")
    unwanted = [compile_conditions([item], "Exclude") for item in meta.exclusions]

    def narrowed(event: Event) -> object:
        answer = decide(event)
        if answer is not True:
            return answer
        return wanted(event) and not any(excluded(event) for excluded in unwanted)

    return narrowed


def _violation(policy: Callable[[dict[str, Any]], object]) -> Callable[[Event], object]:
    def violates(event: Event) -> object:
        answer = policy(event.to_dict())
        return not answer if isinstance(answer, bool) else answer

    return violates


def describe(error: BaseException) -> str:
    """An error in one line, with the place in the rule's own code that raised it."""
    try:
        text = f"{type(error).__name__}: {error}"
    except RULE_ERRORS:
        text = type(error).__name__
    place = where(error)
    return _text(f"{text} ({place[0].name}:{place[1]})" if place else text)


def _text(value: object) -> str:
    """A text that any store takes: no lone surrogates, no NUL, at most `TEXT_LIMIT` characters."""
    if not isinstance(value, str):
        raise TypeError(f"returned {type(value).__name__}, not str")
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    value = value.replace("\0", "\ufffd")
    return value if len(value) <= TEXT_LIMIT else value[: TEXT_LIMIT - 1] + "…"


def _severity(value: object) -> str:
    name = _text(value).upper()
    if name != "DEFAULT" and name not in SEVERITIES:
        raise ValueError(f"returned {name!r}, not one of {', '.join(SEVERITIES)} or DEFAULT")
    return name


def _destinations(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise TypeError(f"returned {type(value).__name__}, not a list of names")
    return tuple(_text(name) for name in value[:DESTINATIONS_LIMIT])


def _context(value: object) -> dict[str, Any]:
    """The context as plain JSON values; encoding it is the only honest test of that."""
    if not isinstance(value, Mapping):
        raise TypeError(f"returned {type(value).__name__}, not a mapping")
    encoded = _encoder.encode(plain(value) if isinstance(value, MappingView) else value)
    if len(encoded) > CONTEXT_LIMIT:
        raise ValueError(f"returned {len(encoded):,} bytes; at most {CONTEXT_LIMIT:,} are kept")
    decoded: dict[str, Any] = _decoder.decode(encoded)
    return decoded


def _encode(value: object) -> object:
    if isinstance(value, MappingView | ListView):
        return plain(value)
    raise TypeError(f"holds a {type(value).__name__}, which JSON cannot")


_encoder = msgspec.json.Encoder(enc_hook=_encode)
_decoder = msgspec.json.Decoder()

_READERS: dict[str, Callable[[object], object]] = {
    "title": _text,
    "description": _text,
    "reference": _text,
    "severity": _severity,
    "runbook": _text,
    "destinations": _destinations,
    "dedup": _text,
    "alert_context": _context,
    "unique": _text,
}
"""The functions that are asked about a hit, in this order, and what reads their answers."""


@dataclass(frozen=True, slots=True)
class _Said:
    """What a rule's file says where no function does."""

    title: str
    dedup: str
    description: str
    reference: str
    runbook: str

    @classmethod
    def of(cls, meta: Rule) -> _Said:
        texts = (meta.title or meta.id, f"rule:{meta.id}", meta.description, meta.reference, meta.runbook)
        return cls(*map(_text, texts))
