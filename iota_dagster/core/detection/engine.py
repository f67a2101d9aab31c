"""The engine: which records match which rules.

One bad rule, one bad function or one bad record never stops the others: it becomes a failure beside the matches.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec

from iota_dagster.core.detection.event import Event
from iota_dagster.core.detection.functions import RULE_ERRORS, RuleFunctions, describe
from iota_dagster.core.detection.routing import FIELD
from iota_dagster.core.detection.rule import RulePack
from iota_dagster.core.detection.verdict import RuleFailure, RuleMatch, Verdict

__all__ = ["Engine", "RuleFailure", "RuleMatch", "Verdict"]

_decode = msgspec.json.Decoder().decode
_Peek = msgspec.defstruct("_Peek", [(FIELD, Any, None)], gc=False)
_peek = msgspec.json.Decoder(_Peek).decode
_name_of = attrgetter(FIELD)
_Pairs = Sequence[tuple[Callable[[Event], object], RuleFunctions]]


class Engine:
    """The enabled rules of a pack, ready to judge records.

    A record is read only if some rule can match it (see `routing`); `routed=False` shows every record to every rule.
    """

    def __init__(self, rules: RulePack, *, routed: bool = True) -> None:
        self.pack_version = rules.version
        self._routed = routed
        self._by_log_type: dict[str, list[RuleFunctions]] = {}
        for rule in rules.rules:
            if rule.enabled:
                functions = RuleFunctions(rule)
                for log_type in dict.fromkeys(rule.log_types):
                    self._by_log_type.setdefault(log_type, []).append(functions)

    @property
    def log_types(self) -> frozenset[str]:
        """The log types that some rule looks at: records of others need not be sent here."""
        return frozenset(self._by_log_type)

    def event_names(self, log_type: str) -> frozenset[str] | None:
        """The values of `routing.FIELD` that some rule of a log type can match; None when a rule takes any event.

        A record without the field may match all the same.
        """
        names: frozenset[str] = frozenset()
        for functions in self._by_log_type.get(log_type, ()):
            if functions.meta.event_names is None:
                return None
            names |= functions.meta.event_names
        return names

    def evaluate(self, log_type: str, records: Sequence[bytes]) -> Verdict:
        """What the rules of a log type say about records, each one JSON object; never raises because of a rule."""
        rules = self._by_log_type.get(log_type)
        matches: list[RuleMatch] = []
        failures = _Failures()
        if not rules:
            return Verdict(matches, [])
        routes = _Routes(rules) if self._routed else None
        everything = [(functions.rule, functions) for functions in rules]
        for index, record in enumerate(records):
            pairs = routes.of(record) if routes else everything
            if not pairs:
                continue
            try:
                event = Event(_read(record))
            except (ValueError, RecursionError) as error:
                failures.add("", "decode", describe(error), index)
                continue
            for rule, functions in pairs:
                try:
                    hit = rule(event)
                except RULE_ERRORS as error:
                    failures.add(functions.meta.id, "rule", describe(error), index)
                    continue
                if hit is not False:
                    _judge_hit(hit, functions, index, event, matches, failures)
        return Verdict(matches, failures.listed())


def _judge_hit(
    hit: object, functions: RuleFunctions, index: int, event: Event, matches: list[RuleMatch], failures: _Failures
) -> None:
    """Anything but True and False is a rule's error: a truthy accident must not become an alert."""
    rule_id = functions.meta.id
    if hit is True:
        matches.append(functions.match(index, event, lambda name, error: failures.add(rule_id, name, error, index)))
    else:
        failures.add(rule_id, "rule", f"returned {type(hit).__name__}, not bool", index)


def _read(record: bytes) -> dict[str, Any]:
    """A record as a dict; `ValueError` when it is none.

    msgspec refuses some JSON that a vendor's writer lets through (a lone surrogate, bytes that are no UTF-8). An
    attacker who controls a name must not blind the rules with it, so such records are repaired and read again.
    """
    try:
        data = _decode(record)
    except (ValueError, RecursionError):
        loose = json.loads(bytes(record).decode("utf-8", "replace"), parse_constant=lambda _: None)
        data = _decode(json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace"))
    if data.__class__ is not dict:
        raise ValueError(f"the record is a JSON {type(data).__name__}, not an object")
    return data


class _Routes:
    """The rules of a log type by the event name that they ask for, in their own order."""

    def __init__(self, rules: Sequence[RuleFunctions]) -> None:
        names = frozenset[str]().union(*(item.meta.event_names or () for item in rules))
        self._any = [(item.rule, item) for item in rules]
        self._others = [(item.rule, item) for item in rules if item.meta.event_names is None]
        self._by_name: dict[str, _Pairs] = {
            name: [
                (item.rule, item) for item in rules if item.meta.event_names is None or name in item.meta.event_names
            ]
            for name in names
        }

    def of(self, record: bytes) -> _Pairs:
        """The rules that can match a record; all of them where it does not say a name."""
        try:
            name = _name_of(_peek(record))
        except (ValueError, RecursionError):
            return self._any
        return self._by_name.get(name, self._others) if name.__class__ is str else self._any


class _Failures:
    """Failures by rule and function, so that a rule that is broken for every event stays one small entry."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, str], tuple[str, int]] = {}
        self._counts: dict[tuple[str, str], int] = {}

    def add(self, rule_id: str, function: str, error: str, index: int) -> None:
        key = rule_id, function
        self._first.setdefault(key, (error, index))
        self._counts[key] = self._counts.get(key, 0) + 1

    def listed(self) -> list[RuleFailure]:
        return [RuleFailure(*key, *self._first[key], count) for key, count in self._counts.items()]
