"""One task before the rules, whatever they do to the processes that run them.

All rules judge a task together. A call that ends its worker is known (the worker says where it stands) and left out
when the task is judged again. Where it cannot be known who did it, as when memory ran out or an answer was nonsense,
the rules judge one by one, so that nobody pays for another.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from iota_dagster.core.detection.key_values import MemoryValues, StoredValue
from iota_dagster.core.detection.processes.messages import Judge, Judged
from iota_dagster.core.detection.processes.worker_process import Died
from iota_dagster.core.detection.rule import Rule
from iota_dagster.core.detection.verdict import RuleCost, RuleFailure, RuleMatch, Verdict

DEATHS_ALLOWED = 3
"""How many workers a rule may end before it is left out for the rest of a batch."""

MATCHES_ALLOWED = 100_000
"""How many events of one batch a rule may match before it is left out for the rest: all matches are held in memory.

What matches so many is no detection: 25 a second for an hour.
"""

_Off = frozenset[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Task:
    """Records of one log type to be judged together."""

    log_type: str
    records: list[bytes]


class Batch:
    """What the tasks of one batch share: the rules that it has had enough of, and what its rules remember."""

    def __init__(self, values: MemoryValues | None = None, matches_allowed: int = MATCHES_ALLOWED) -> None:
        self.values = values
        self._matches_allowed = matches_allowed
        self._matches: Counter[str] = Counter()
        self._noisy: set[int] = set()
        self._deaths: Counter[int] = Counter()
        self._lock = threading.Lock()

    def remember(self, written: Iterable[tuple[str, StoredValue]]) -> None:
        """Keep what the rules wrote while a task was judged."""
        for key, stored in written:
            if self.values is not None:
                self.values.write(key, stored.stamp, stored.value, stored.expires_at)

    def note_death(self, rule: int) -> None:
        """A rule has ended a worker."""
        with self._lock:
            self._deaths[rule] += 1

    def off(self) -> _Off:
        """What no worker is to call any more, as in `Engine.evaluate`."""
        with self._lock:
            deadly = {rule for rule, count in self._deaths.items() if count >= DEATHS_ALLOWED}
            return frozenset((-1, rule) for rule in deadly | self._noisy)

    def note_matches(self, verdict: Verdict, numbers: Mapping[str, int]) -> Verdict:
        """Count a task's matches; the verdict, without those beyond what a rule may have, which then is an error."""
        kept: list[RuleMatch] = []
        failures: list[RuleFailure] = []
        with self._lock:
            for match in verdict.matches:
                self._matches[match.rule_id] += 1
                if self._matches[match.rule_id] <= self._matches_allowed:
                    kept.append(match)
                elif numbers[match.rule_id] not in self._noisy:
                    self._noisy.add(numbers[match.rule_id])
                    how = (
                        f"matches more than {self._matches_allowed:,} events of one batch: it is left out for the rest"
                    )
                    failures.append(RuleFailure(match.rule_id, "rule", how, match.index, 1))
        if len(kept) == len(verdict.matches):
            return verdict
        return merged([replace(verdict, matches=kept), Verdict([], failures)])


class Trial:
    """Judges tasks of a batch over numbered rules; `ask` takes a request to some worker, and may raise `Died`."""

    def __init__(self, rules: Sequence[Rule], ask: Callable[[Judge], Judged], batch: Batch) -> None:
        self._rules, self._ask_worker, self._batch = rules, ask, batch
        self._numbers = {rule.id: number for number, rule in enumerate(rules, start=1)}

    def verdict(self, task: Task) -> Verdict:
        """What the rules say of a task; never raises because of a rule."""
        return self._batch.note_matches(self._judged(task), self._numbers)

    def _judged(self, task: Task) -> Verdict:
        for _ in range(2):  # an accident of ours, or memory that other tasks have left full, does not come twice
            verdict = self._together(task)
            if verdict is not None:
                return verdict
        return self._one_by_one(task)

    def _together(self, task: Task, off: _Off = frozenset()) -> Verdict | None:
        """The verdict of the rules that are not off; `None` when it cannot be known which of them was in the way."""
        ended: list[RuleFailure] = []
        alone = len(off) == len(self._rules) - 1
        while True:
            try:
                verdict = self._ask(task, off)
            except Died as died:
                call = died.index, died.rule
                if not 0 < died.rule <= len(self._rules) or died.index < 0 or call in off:
                    return None
                off |= {call}
                ended.append(self._blame(died.rule, died.how, died.index))
                continue
            if ran_out_of_memory(verdict) and not alone:
                return None
            return merged([verdict, Verdict([], ended)])

    def _one_by_one(self, task: Task) -> Verdict:
        judging = [number for number, rule in enumerate(self._rules, start=1) if task.log_type in rule.log_types]
        verdict = merged(self._alone(task, number) for number in judging)
        verdict.matches.sort(key=lambda match: (match.index, self._numbers[match.rule_id]))
        return verdict

    def _alone(self, task: Task, number: int) -> Verdict:
        others = frozenset((-1, other) for other in range(1, len(self._rules) + 1) if other != number)
        verdict = self._together(task, others)
        if verdict is None:
            return merged(self._record_by_record(task, number, others))
        if ran_out_of_memory(verdict):
            self._batch.note_death(number)
        return verdict

    def _record_by_record(self, task: Task, number: int, others: _Off) -> Iterator[Verdict]:
        """One rule on one record at a time: whatever happens then is its doing."""
        for index, record in enumerate(task.records):
            if (-1, number) in self._batch.off():
                return
            try:
                yield shifted(self._ask(Task(task.log_type, [record]), others), index)
            except Died as died:
                yield Verdict([], [self._blame(number, died.how, index)])

    def _ask(self, task: Task, off: _Off) -> Verdict:
        batch = self._batch
        request = Judge(task.log_type, task.records, sorted(off | batch.off()), batch.values is not None)
        answer = self._ask_worker(request)
        batch.remember(answer.written)
        return answer.verdict

    def _blame(self, number: int, how: str, index: int) -> RuleFailure:
        self._batch.note_death(number)
        return RuleFailure(self._rules[number - 1].id, "rule", how, index, 1)


def ran_out_of_memory(verdict: Verdict) -> bool:
    """Whether some call did: it need not be the one that took it."""
    return any(failure.error.startswith(MemoryError.__name__) for failure in verdict.failures)


def shifted(verdict: Verdict, by: int) -> Verdict:
    """The verdict on records that begin at another place."""
    return Verdict(
        [replace(match, index=match.index + by) for match in verdict.matches],
        [replace(failure, index=failure.index + by) for failure in verdict.failures],
        verdict.costs,
    )


def merged(verdicts: Iterable[Verdict]) -> Verdict:
    """Several verdicts on the same records as one; a rule's failures are one for each of its functions."""
    matches, failures = [], dict[tuple[str, str], RuleFailure]()
    costs: list[RuleCost] = []
    for verdict in verdicts:
        matches += verdict.matches
        costs += verdict.costs
        for failure in verdict.failures:
            key = failure.rule_id, failure.function
            failures[key] = _both(failures[key], failure) if key in failures else failure
    return Verdict(matches, list(failures.values()), costs)


def _both(one: RuleFailure, other: RuleFailure) -> RuleFailure:
    first = min(one, other, key=lambda failure: failure.index)
    if not one.rule_id:  # a record that cannot be read is so for every rule
        return replace(first, count=max(one.count, other.count))
    return replace(first, count=one.count + other.count)
