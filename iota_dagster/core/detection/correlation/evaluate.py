"""Correlation rules over matches: a pure function of the set of matches and of a moment, never of their order.

A *group* matches at a match of any of its members if in the window that ends there every member has as many matches
as it needs, with the same values. A *sequence* matches at a match of its last step if the steps before it have matches
that fit, in order. Each such match ends one, whose id is made of the rule, the values and that match: so one more match
of a member can only add (or put nearer matches into what is there already). What must be absent is looked for from one
window before the end to one window after it (groups), or around and between its neighbours (sequences); only then is
it known that it did not happen, and only what comes too late can take a match away again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from itertools import pairwise

from iota_dagster.core.detection.correlation.chains import (
    Bound,
    InOrder,
    NothingBetween,
    Quiet,
    Runs,
    Within,
    chains,
    neighbours,
    run_of,
    sure_at,
)
from iota_dagster.core.detection.correlation.keys import Key, Track, Tracks
from iota_dagster.core.detection.correlation.rule import CorrelationRule, Frame
from iota_dagster.core.detection.correlation.signals import Signal


@dataclass(frozen=True, slots=True)
class CorrelationMatch:
    """One match of a correlation rule; `members` are the matches that make it, by the id of their step, in order.

    `event_time` is the moment of the last of them; for a rule that waits for something not to happen (`sure_at`) it
    is the moment at which that is certain.
    """

    id: str
    rule_id: str
    event_time: datetime
    sure_at: datetime | None
    values: tuple[tuple[str, str], ...]
    members: tuple[tuple[str, tuple[Signal, ...]], ...]

    @property
    def notify(self) -> bool:
        """Whether it may disturb people: one of its members may."""
        return any(signal.notify for _, signals in self.members for signal in signals)


def evaluate(rule: CorrelationRule, signals: Iterable[Signal], now: datetime) -> list[CorrelationMatch]:
    """The rule's matches that are certain at a moment, by (event time, id)."""
    return [match for match in foresee(rule, signals) if match.sure_at is None or match.sure_at <= now]


def foresee(rule: CorrelationRule, signals: Iterable[Signal]) -> list[CorrelationMatch]:
    """The rule's matches, with those that are certain only later if nothing more comes, by (event time, id)."""
    tracks = Tracks(rule, signals)
    find = _sequences if rule.ordered else _groups
    found = (match for key in tracks.choices() for match in find(rule, tracks, key))
    return sorted(found, key=lambda match: (match.event_time, match.id))


# ── groups ──


def _groups(rule: CorrelationRule, tracks: Tracks, key: Key) -> Iterator[CorrelationMatch]:
    present = [(member, tracks.of(number, key)) for number, member in enumerate(rule.members) if not member.absent]
    absent = [tracks.of(number, key) for number, member in enumerate(rule.members) if member.absent]
    enders = {signal.id: signal for _, track in present for signal in track.signals}
    for end in enders.values():
        moment = end.event_time
        held = [_latest(track, member.count, moment, rule.window) for member, track in present]
        if all(held) and not any(_around(track, moment, rule.window) for track in absent):
            members = [(member.id, tuple(found)) for (member, _), found in zip(present, held, strict=True)]
            yield _match(rule, key, end, members, moment + rule.window if absent else None)


def _latest(track: Track, count: int, moment: datetime, window: timedelta) -> Sequence[Signal]:
    """The latest `count` matches of the window that ends at a moment; none when there are fewer."""
    end = track.until(moment) + 1
    return track.signals[end - count : end] if end - track.since(moment - window) >= count else ()


def _around(track: Track, moment: datetime, window: timedelta) -> bool:
    return track.since(moment - window) <= track.until(moment + window)


# ── sequences ──


def _sequences(rule: CorrelationRule, tracks: Tracks, key: Key) -> Iterator[CorrelationMatch]:
    steps = [number for number, member in enumerate(rule.members) if not member.absent]
    quiet, between = _absences(rule, tracks, key, steps)
    runs = []
    for index, number in enumerate(steps):
        member = rule.members[number]
        longest = min((frame.length for frame in rule.frames if frame.first == frame.last == number), default=None)
        around = [item for step, item in quiet if step == index]
        runs.append(run_of(member.rule_id, member.count, tracks.of(number, key), longest, around))
    for ends in chains(runs, [*_bounds(rule, steps), *between]):
        members = [
            (rule.members[number].id, tuple(run.counted(end)))
            for number, run, end in zip(steps, runs, ends, strict=True)
        ]
        yield _match(rule, key, runs[-1].last(ends[-1]), members, _certain(rule, quiet, runs, ends))


def _certain(
    rule: CorrelationRule, quiet: Sequence[tuple[int, Quiet]], runs: Runs, ends: Sequence[int]
) -> datetime | None:
    return sure_at(quiet, runs, ends) if rule.waits else None


def _bounds(rule: CorrelationRule, steps: Sequence[int]) -> Iterator[Bound]:
    """What the present steps must keep among themselves."""
    rules = [rule.members[number].rule_id for number in steps]
    yield from (InOrder(first, last) for first, last in pairwise(range(len(steps))))
    for last in range(len(steps)):
        yield from (InOrder(first, last) for first in range(last - 1) if rules[first] == rules[last])
    yield Within(0, len(steps) - 1, rule.window)
    for frame in rule.frames:
        if frame.first in steps and frame.last in steps and frame.first != frame.last:
            yield Within(steps.index(frame.first), steps.index(frame.last), frame.length)


def _absences(
    rule: CorrelationRule, tracks: Tracks, key: Key, steps: Sequence[int]
) -> tuple[list[tuple[int, Quiet]], list[Bound]]:
    """What absent steps ask for: quiet after or before a present step (by its index), or between two."""
    quiet: list[tuple[int, Quiet]] = []
    between: list[Bound] = []
    for number, member in enumerate(rule.members):
        if not member.absent:
            continue
        track = tracks.of(number, key)
        before, after = neighbours(rule, number)
        since = _frame(rule.frames, before, number) or (rule.window if after is None else None)
        until = _frame(rule.frames, number, after) or (rule.window if before is None else None)
        if before is not None and since:
            quiet.append((steps.index(before), Quiet(member.rule_id, track, since, after=True)))
        if after is not None and until:
            quiet.append((steps.index(after), Quiet(member.rule_id, track, until, after=False)))
        if before is not None and after is not None and not since and not until:
            between.append(NothingBetween(steps.index(before), steps.index(after), member.rule_id, track))
    return quiet, between


def _frame(frames: Sequence[Frame], first: int | None, last: int | None) -> timedelta | None:
    """The shortest time given for the way between two members."""
    return min((frame.length for frame in frames if (frame.first, frame.last) == (first, last)), default=None)


# ── both ──


def _match(
    rule: CorrelationRule,
    key: Key,
    end: Signal,
    members: Sequence[tuple[str, tuple[Signal, ...]]],
    sure: datetime | None,
) -> CorrelationMatch:
    values = tuple((name, value or "") for name, value in zip(rule.joins, key, strict=True))
    parts = (rule.id, *(value for _, value in values), end.id)
    return CorrelationMatch(_digest(parts), rule.id, sure or end.event_time, sure, values, tuple(members))


def _digest(parts: Iterable[str]) -> str:
    """Each part is hashed with its length before it, so that no two lists of parts can look alike."""
    hashed = blake2b(digest_size=16, person=b"correlation")
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "big"))
        hashed.update(data)
    return hashed.hexdigest()
