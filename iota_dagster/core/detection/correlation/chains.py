"""Sequences: for each match of the last step, the latest matches of the steps before it that fit.

A step is known by its last counted match: the others are those just before it. Any earlier choice of them would lie
farther from what follows, and where something must be absent before the step, they are by definition those in a row.
Every bound (order, time frames, nothing in between) then has this form: if two choices of last matches keep it, so does
the later one of both, step by step. Hence there is one latest choice that keeps them all, or none; it is found by
starting from the latest matches of all and moving back whatever breaks a bound. It depends on the set of matches alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from iota_dagster.core.detection.correlation.keys import Track
from iota_dagster.core.detection.correlation.rule import CorrelationRule
from iota_dagster.core.detection.correlation.signals import Signal


@dataclass(frozen=True, slots=True)
class Run:
    """One step in one key's matches: `ends` gives for each position the last one up to it that may end the step."""

    rule_id: str
    count: int
    track: Track
    ends: Sequence[int]

    def first(self, end: int) -> Signal:
        """The first counted match of a step that ends at a position."""
        return self.track.signals[end - self.count + 1]

    def last(self, end: int) -> Signal:
        """The last counted match."""
        return self.track.signals[end]

    def counted(self, end: int) -> Sequence[Signal]:
        """All counted matches, in order."""
        return self.track.signals[end - self.count + 1 : end + 1]

    def back_to(self, end: int) -> int:
        """The last position up to one that may end the step; -1 when there is none."""
        return self.ends[end] if end >= 0 else -1


Runs = Sequence[Run]


class Bound(Protocol):
    """A condition on two steps: moves back the one that breaks it as far as it must."""

    def keep(self, runs: Runs, ends: list[int]) -> None:
        """Move back `ends`; -1 when nothing fits."""
        ...


@dataclass(frozen=True, slots=True)
class InOrder:
    """All of one step's counted matches are no later than another's. No match counts for two steps."""

    first: int
    last: int

    def keep(self, runs: Runs, ends: list[int]) -> None:
        """Move back the earlier step."""
        before, start = runs[self.first], runs[self.last].first(ends[self.last])
        if before.rule_id == runs[self.last].rule_id:
            limit = bisect_left(before.track.order, start.order) - 1
        else:
            limit = before.track.until(start.event_time)
        if ends[self.first] > limit:
            ends[self.first] = before.back_to(limit)


@dataclass(frozen=True, slots=True)
class Within:
    """From one step's first counted match to another's last it takes no more than a time."""

    first: int
    last: int
    length: timedelta

    def keep(self, runs: Runs, ends: list[int]) -> None:
        """Move back the later step."""
        limit = runs[self.last].track.until(runs[self.first].first(ends[self.first]).event_time + self.length)
        if ends[self.last] > limit:
            ends[self.last] = runs[self.last].back_to(limit)


@dataclass(frozen=True, slots=True)
class NothingBetween:
    """From one step's last counted match to the next one's first there is none of a third rule."""

    first: int
    last: int
    rule_id: str
    track: Track

    def keep(self, runs: Runs, ends: list[int]) -> None:
        """Move back the later step."""
        found = first_after(self.track, runs[self.first].last(ends[self.first]), self.rule_id)
        if found is None:
            return
        after = runs[self.last]
        if self.rule_id == after.rule_id:
            start = bisect_right(after.track.order, found.order) - 1
        else:
            start = after.track.since(found.event_time) - 1
        limit = start + after.count - 1
        if start < 0:
            ends[self.last] = -1
        elif ends[self.last] > limit:
            ends[self.last] = after.back_to(limit)


@dataclass(frozen=True, slots=True)
class Quiet:
    """Matches that must not lie within a time after a step's last counted match (or before its first)."""

    rule_id: str
    track: Track
    length: timedelta
    after: bool

    def holds(self, run: Run, end: int) -> bool:
        """Whether there is none around a step that ends at a position."""
        if self.after:
            found, mine = first_after(self.track, run.last(end), self.rule_id), run.last(end)
        else:
            found, mine = _last_before(self.track, run.first(end), self.rule_id), run.first(end)
        return found is None or abs(found.event_time - mine.event_time) > self.length


def first_after(track: Track, signal: Signal, rule_id: str) -> Signal | None:
    """The first match that is no earlier than a match, but not that very one."""
    same = signal.rule_id == rule_id
    position = bisect_right(track.order, signal.order) if same else track.since(signal.event_time)
    return track.signals[position] if position < len(track) else None


def _last_before(track: Track, signal: Signal, rule_id: str) -> Signal | None:
    same = signal.rule_id == rule_id
    position = bisect_left(track.order, signal.order) - 1 if same else track.until(signal.event_time)
    return track.signals[position] if position >= 0 else None


def chains(runs: Runs, bounds: Sequence[Bound]) -> Iterator[list[int]]:
    """For each match that may end the last step, where the steps end, if there is a choice that keeps all bounds."""
    last = runs[-1]
    for position in range(len(last.track)):
        if last.ends[position] == position:
            moment = last.track.times[position]
            ends = [run.back_to(run.track.until(moment)) for run in runs[:-1]] + [position]
            if _settle(runs, bounds, ends) and ends[-1] == position:
                yield ends


def _settle(runs: Runs, bounds: Sequence[Bound], ends: list[int]) -> bool:
    """Move back until every bound is kept; False when a step has no match left."""
    while min(ends) >= 0:
        before = list(ends)
        for bound in bounds:
            bound.keep(runs, ends)
            if min(ends) < 0:
                return False
        if ends == before:
            return True
    return False


def run_of(rule_id: str, count: int, track: Track, longest: timedelta | None, quiet: Sequence[Quiet]) -> Run:
    """A step with the positions that may end it: enough matches up to there, close enough, and quiet around them."""
    bare, ends, last = Run(rule_id, count, track, ()), [], -1
    for position in range(len(track)):
        if position >= count - 1 and _may_end(bare, position, longest, quiet):
            last = position
        ends.append(last)
    return Run(rule_id, count, track, ends)


def _may_end(run: Run, end: int, longest: timedelta | None, quiet: Sequence[Quiet]) -> bool:
    span = run.last(end).event_time - run.first(end).event_time
    return (longest is None or span <= longest) and all(item.holds(run, end) for item in quiet)


def neighbours(rule: CorrelationRule, number: int) -> tuple[int | None, int | None]:
    """The nearest present members before and after a member of a sequence."""
    present = [index for index, member in enumerate(rule.members) if not member.absent]
    before = [index for index in present if index < number]
    after = [index for index in present if index > number]
    return before[-1] if before else None, after[0] if after else None


def sure_at(quiet: Sequence[tuple[int, Quiet]], runs: Runs, ends: Sequence[int]) -> datetime:
    """When it is known that nothing more can come in between."""
    moments = [runs[step].last(ends[step]).event_time + item.length for step, item in quiet if item.after]
    return max([runs[-1].last(ends[-1]).event_time, *moments])
