"""Which values the members of a rule share: one key for each choice of a value for every join.

Matches whose fields are lists stand under several keys; what is compared is whether the lists have a value in common.
Whoever writes an event may have written the lists: a value that no match of another member has makes no key, and of
those that are left a match stands under `MOST_KEYS` at most, the first in order of the values.
"""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice, product
from math import prod

from iota_dagster.core.detection.correlation.rule import CorrelationRule, Member
from iota_dagster.core.detection.correlation.signals import Signal

MOST_KEYS = 64
"""The most keys of one match: with several joins, as many as there are choices of a value for each."""

Key = tuple[str | None, ...]
"""A value for each join; None where it is not known."""


class Track:
    """Some matches of one member, in order, with what is needed to find one among them by its time."""

    __slots__ = ("order", "signals", "times")

    def __init__(self, signals: Iterable[Signal]) -> None:
        self.signals = sorted(signals, key=lambda signal: signal.order)
        self.order = [signal.order for signal in self.signals]
        self.times = [signal.event_time for signal in self.signals]

    def __len__(self) -> int:
        return len(self.signals)

    def until(self, moment: datetime) -> int:
        """The position of the last match no later than a moment; -1 when there is none."""
        return bisect_right(self.times, moment) - 1

    def since(self, moment: datetime) -> int:
        """The position of the first match no earlier than a moment; the length when there is none."""
        return bisect_left(self.times, moment)


EMPTY = Track(())
_log = logging.getLogger(__name__)


class Tracks:
    """The matches of each member of a rule, by key."""

    def __init__(self, rule: CorrelationRule, signals: Iterable[Signal]) -> None:
        by_rule: dict[str, list[Signal]] = defaultdict(list)
        for signal in {signal.id: signal for signal in signals}.values():
            by_rule[signal.rule_id].append(signal)
        self._members = rule.members
        self._width = len(rule.joins)
        wanted = _wanted(rule.members, by_rule)
        self._tracks = [_by_values(member, by_rule[member.rule_id], wanted) for member in rule.members]

    def choices(self) -> Iterator[Key]:
        """Every key under which each present member has a match, in a fixed order."""
        found: set[Key] = {(None,) * self._width}
        known: set[int] = set()
        for member, tracks in zip(self._members, self._tracks, strict=True):
            if not member.absent:
                numbers = [join for join, _ in member.joins]
                found = set(_joined(found, known, numbers, tracks))
                known.update(numbers)
        yield from sorted(found, key=lambda key: tuple(value or "" for value in key))

    def of(self, number: int, key: Key) -> Track:
        """The matches of one member under a key."""
        values = tuple(key[join] for join, _ in self._members[number].joins)
        return self._tracks[number].get(values, EMPTY)


def _wanted(members: Sequence[Member], by_rule: Mapping[str, Sequence[Signal]]) -> dict[int, set[str]]:
    """Of each join the values that some match of every present member has: no other can be part of a key."""
    wanted: dict[int, set[str]] = {}
    for member in members:
        if not member.absent:
            for join, paths in member.joins:
                found = {value for signal in by_rule[member.rule_id] for value in _shared(signal, paths)}
                wanted[join] = wanted[join] & found if join in wanted else found
    return wanted


def _by_values(member: Member, signals: Iterable[Signal], wanted: Mapping[int, set[str]]) -> dict[Key, Track]:
    """A member's matches by the values of its joins."""
    found: dict[Key, list[Signal]] = defaultdict(list)
    for signal in signals:
        choices = [sorted(_shared(signal, paths) & wanted.get(join, set())) for join, paths in member.joins]
        if (count := prod(map(len, choices))) > MOST_KEYS:
            _log.warning("match %s: %d keys of a correlation, only %d are compared", signal.id, count, MOST_KEYS)
        for values in islice(product(*choices), MOST_KEYS):
            found[values].append(signal)
    return {values: Track(held) for values, held in found.items()}


def _shared(signal: Signal, paths: Sequence[str]) -> set[str]:
    """The values that stand at all of some paths of a match."""
    return set.intersection(*(set(signal.values.get(path, ())) for path in paths))


def _joined(keys: Iterable[Key], known: set[int], numbers: Sequence[int], tracks: Mapping[Key, Track]) -> Iterator[Key]:
    """The keys, each with every choice of values of one more member that fits it."""
    shared = [position for position, join in enumerate(numbers) if join in known]
    fitting: dict[Key, list[Key]] = defaultdict(list)
    for values in tracks:
        fitting[tuple(values[position] for position in shared)].append(values)
    for key in keys:
        for values in fitting.get(tuple(key[numbers[position]] for position in shared), ()):
            longer = list(key)
            for join, value in zip(numbers, values, strict=True):
                longer[join] = value
            yield tuple(longer)
