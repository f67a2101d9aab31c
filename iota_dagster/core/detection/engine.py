"""The engine: which records match which rules.

One bad rule, one bad function or one bad record never stops the others: it becomes a failure beside the matches.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, SimpleNamespace
from typing import Any

import msgspec

from iota_dagster.core.detection.event import Event, EventContext
from iota_dagster.core.detection.functions import RULE_ERRORS, Progress, RuleFunctions, RuleTimeout, describe
from iota_dagster.core.detection.key_values import Session
from iota_dagster.core.detection.modules import Importer
from iota_dagster.core.detection.routing.routes import Routes
from iota_dagster.core.detection.rule import Rule
from iota_dagster.core.detection.verdict import RuleCost, RuleFailure, RuleMatch, Verdict

__all__ = ["Engine", "RuleFailure", "RuleMatch", "Verdict"]

_decode = msgspec.json.Decoder().decode
ERRORS_ALLOWED = 100
"""How often a rule may fail in one call of `evaluate` before it is left out for the rest of it."""
TIMEOUTS_ALLOWED = 3
"""How often a rule may take too long there."""
_TIMED = 16
"""Of so many events shown to the same rules the first is measured: clocks for all would cost what quick rules do."""


class Engine:
    """The enabled rules of a pack, loaded and ready to judge records. One that cannot be loaded is in `broken`.

    A record is read only if some rule can match it (see `routing`); `routed=False` shows every record to every rule.
    Rules are numbered from 1 in their order, those in `skip` too. `context` is what a pack's data models and tables
    give to every event (see `load_surroundings`).
    """

    def __init__(
        self,
        rules: Iterable[Rule],
        *,
        routed: bool = True,
        importer: Importer | None = None,
        progress: Progress | None = None,
        skip: Collection[str] = (),
        context: EventContext | None = None,
    ) -> None:
        self._routed = routed
        self._progress: Progress = [0, 0, 0] if progress is None else progress
        self._by_log_type: dict[str, list[RuleFunctions]] = {}
        self._routes: dict[str, Routes[RuleFunctions]] = {}
        importer = importer or Importer()
        self.broken: list[RuleFailure] = []
        self._context = context
        for number, rule in enumerate(rules, start=1):
            if rule.enabled and rule.id not in skip:
                self._load(rule, importer, number)

    def _load(self, rule: Rule, importer: Importer, number: int) -> None:
        try:
            self._progress[2] += 1
            self._progress[1] = number
            functions = load(rule, importer, number, self._progress)
            self._progress[1] = 0
        except RULE_ERRORS as error:
            self._progress[1] = 0
            self.broken.append(RuleFailure(rule.id, "import", describe(error), 0, 1))
        else:
            self.add(functions, rule.log_types)

    def add(self, functions: RuleFunctions, log_types: Iterable[str]) -> None:
        """Let one more rule judge the records of some log types."""
        for log_type in dict.fromkeys(log_types):
            self._by_log_type.setdefault(log_type, []).append(functions)
            self._routes.pop(log_type, None)

    @property
    def log_types(self) -> frozenset[str]:
        """The log types that some rule looks at: records of others need not be sent here."""
        return frozenset(self._by_log_type)

    def evaluate(
        self,
        log_type: str,
        records: Sequence[bytes],
        off: Collection[tuple[int, int]] = (),
        session: Session | None = None,
    ) -> Verdict:
        """What the rules of a log type say about records, each one JSON object; never raises because of a rule.

        `off` names what is left out: (index of a record, number of a rule); the index -1 stands for all records.
        `session` is what rules remember by (see `key_values.use`).
        """
        rules = self._by_log_type.get(log_type)
        if not rules:
            return Verdict([], [])
        tally = _Tally(self._progress, set(off))
        routes = self._routes_of(log_type, rules)
        for index, record in enumerate(records):
            pairs = routes.of(record) if routes else rules
            if not pairs:
                continue
            try:
                event = Event(read_record(record), self._context)
            except (ValueError, RecursionError, MemoryError) as error:
                tally.fail("", 0, "decode", describe(error), index)
                continue
            if session is not None:
                session.begin(event)
            tally.judge(index, event, pairs)
        return Verdict(tally.matches, tally.failures(), tally.costs())

    def _routes_of(self, log_type: str, rules: Sequence[RuleFunctions]) -> Routes[RuleFunctions] | None:
        if not self._routed:
            return None
        if log_type not in self._routes:
            self._routes[log_type] = Routes([(functions.meta.need, functions) for functions in rules])
        return self._routes[log_type]


def load(rule: Rule, importer: Importer, number: int = 0, progress: Progress | None = None) -> RuleFunctions:
    """A rule's functions; runs its file. Whatever that raises goes to the caller."""
    return RuleFunctions(rule, load_module(rule, importer), number, progress)


def load_module(rule: Rule, importer: Importer, code: CodeType | None = None) -> object:
    """What holds a rule's functions: its module (run from other code, if some is given), or its YAML made into one."""
    if rule.simple is None:
        return importer.load(Path(rule.code), [Path(folder) for folder in rule.helpers], code)
    from iota_dagster.core.detection.yaml_rules import rule_functions  # few packs have any

    return SimpleNamespace(**rule_functions(rule.simple))


@dataclass(slots=True)
class _Shown:
    """Rules that routing shows events together, and how many events that were."""

    rules: Sequence[RuleFunctions]
    events: int = 0


class _Tally:
    """What one call of `evaluate` has found so far.

    Failures are kept by rule and function, so that a rule that is broken for every event stays one small entry.
    """

    def __init__(self, progress: Progress, off: set[tuple[int, int]]) -> None:
        self.matches: list[RuleMatch] = []
        self._progress, self._off = progress, off
        self._first: dict[tuple[str, str], tuple[str, int]] = {}
        self._counts: Counter[tuple[str, str]] = Counter()
        self._errors: Counter[int] = Counter()
        self._shown: dict[int, _Shown] = {}
        self._left_out: Counter[RuleFunctions] = Counter()
        self._seconds: dict[RuleFunctions, float] = {}

    def judge(self, index: int, event: Event, rules: Sequence[RuleFunctions]) -> None:
        """Show an event to rules, in their order."""
        progress, off = self._progress, self._off
        timed = self._is_timed(rules)
        progress[0] = index
        for functions in rules:
            if off and ((-1, functions.number) in off or (index, functions.number) in off):
                self._left_out[functions] += 1
                continue
            try:
                progress[2] += 1
                progress[1] = functions.number
                hit = self._timed(functions, event) if timed else functions.rule(event)
                if hit is not False:
                    self._hit(hit, functions, index, event)
                progress[1] = 0
            except RULE_ERRORS as error:
                progress[1] = 0
                self.fail(functions.meta.id, functions.number, "rule", describe(error), index, error)

    def _hit(self, hit: object, functions: RuleFunctions, index: int, event: Event) -> None:
        """Anything but True and False is a rule's error: a truthy accident must not become an alert."""
        meta, number = functions.meta, functions.number
        if hit is not True:
            self.fail(meta.id, number, "rule", f"returned {type(hit).__name__}, not bool", index)
            return
        match = functions.match(index, event, lambda name, error: self.fail(meta.id, number, name, error, index))
        self.matches.append(match)

    def fail(
        self, rule_id: str, number: int, function: str, text: str, index: int, error: BaseException | None = None
    ) -> None:
        """Note a failure; a rule that fails too often is left out from here on."""
        key = rule_id, function
        self._first.setdefault(key, (text, index))
        self._counts[key] += 1
        if number:
            self._errors[number] += ERRORS_ALLOWED // TIMEOUTS_ALLOWED + 1 if isinstance(error, RuleTimeout) else 1
            if self._errors[number] >= ERRORS_ALLOWED:
                self._off.add((-1, number))

    def _is_timed(self, rules: Sequence[RuleFunctions]) -> bool:
        """Count an event for rules that are shown together; whether their calls are to be measured."""
        shown = self._shown.get(id(rules))
        if shown is None:
            shown = self._shown[id(rules)] = _Shown(rules)  # holds the rules, so that no others take their id
        shown.events += 1
        return shown.events % _TIMED == 1

    def _timed(self, functions: RuleFunctions, event: Event) -> object:
        started = time.perf_counter()
        try:
            return functions.rule(event)
        finally:
            self._seconds[functions] = self._seconds.get(functions, 0.0) + time.perf_counter() - started

    def costs(self) -> list[RuleCost]:
        """What each rule took that was called; about, where it was left out of some events."""
        calls: Counter[RuleFunctions] = Counter()
        measured: Counter[RuleFunctions] = Counter()
        for shown in self._shown.values():
            for functions in shown.rules:
                calls[functions] += shown.events
                measured[functions] += -(-shown.events // _TIMED)
        return [
            RuleCost(functions.meta.id, made, self._seconds.get(functions, 0.0) * count / measured[functions])
            for functions, count in calls.items()
            if (made := count - self._left_out[functions])
        ]

    def failures(self) -> list[RuleFailure]:
        """The failures, in the order in which they first occurred."""
        return [RuleFailure(*key, *self._first[key], count) for key, count in self._counts.items()]


def read_record(record: bytes) -> dict[str, Any]:
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
