"""A correlation rule's metadata → the rule: joins and frames put together, and what does not fit together found.

A join is a value that several members share. Two of a transition's paths name one join, and so do all that hang
together through several transitions; a criterion of a group is one join by itself.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from iota_dagster.core.detection.correlation.rule import CorrelationRule, CorrelationTest, Frame, Member
from iota_dagster.core.detection.correlation.schema import (
    CorrelationMetadata,
    Detection,
    RuleOutput,
    TestCase,
    Transition,
)
from iota_dagster.core.detection.correlation.signals import CONTEXT, Signal, text_of
from iota_dagster.core.yaml12 import Document

START = datetime(2026, 1, 1, tzinfo=UTC)
"""The moment from which tests count minutes."""

Problem = tuple[tuple[str | int, ...], str]
"""Where in the document, and what is wrong there."""

_Place = tuple[int, str]
"""A member's number and a path in its matches."""
_HERE = ("Detection", 0)


def problems(metadata: CorrelationMetadata) -> Iterator[Problem]:
    """What is wrong with metadata whose keys and types are right."""
    detection = metadata.detection[0]
    yield from _wrong_members(detection)
    yield from _wrong_criteria(detection)
    yield from _wrong_transitions(detection)
    names = [step.name for step in detection.steps]
    for number, test in enumerate(metadata.tests):
        yield from _wrong_outputs(test, number, names)


def shape(metadata: CorrelationMetadata, document: Document, file: Path) -> CorrelationRule:
    """The rule of metadata without problems."""
    detection = metadata.detection[0]
    joins = _joins(detection)
    return CorrelationRule(
        id=metadata.rule_id,
        version=hashlib.sha256(repr(document.value).encode("utf-8", "surrogatepass")).hexdigest()[:16],
        file=str(file),
        enabled=metadata.enabled,
        severity=metadata.severity,
        title=metadata.display_name or metadata.rule_id,
        ordered=detection.sequence is not None,
        members=tuple(_members(detection, joins)),
        window=timedelta(minutes=detection.minutes),
        joins=_names(joins),
        frames=tuple(_frames(detection)),
        description=metadata.description,
        reference=metadata.reference,
        runbook=metadata.runbook,
        period_minutes=metadata.period_minutes,
        threshold=metadata.threshold,
        create_alert=metadata.create_alert,
        destinations=tuple(metadata.output_ids) or None,
        tags=tuple(metadata.tags),
        reports=metadata.reports or {},
        tests=tuple(_test(test, number, detection, document) for number, test in enumerate(metadata.tests)),
    )


# ── what does not fit together ──


def _wrong_members(detection: Detection) -> Iterator[Problem]:
    if (detection.group is None) == (detection.sequence is None):
        yield _HERE, "give either Group or Sequence"
        return
    kind = "Group" if detection.group else "Sequence"
    if detection.group and detection.transitions:
        yield (*_HERE, "Transitions"), "a group has MatchCriteria; Transitions belong to a Sequence"
    if detection.sequence and detection.criteria:
        yield (*_HERE, "MatchCriteria"), "a sequence has Transitions; MatchCriteria belong to a Group"
    names = Counter(step.name for step in detection.steps)
    present = {step.rule_id for step in detection.steps if not step.absent}
    for number, step in enumerate(detection.steps):
        here = (*_HERE, kind, number)
        if names[step.name] > 1:
            yield (*here, "ID"), f"{step.name} stands {names[step.name]} times; give each an ID of its own"
        if step.absent and step.count > 1:
            yield (*here, "MinMatchCount"), "a member that must be absent has no count"
        if step.absent and detection.group and step.rule_id in present:
            yield (*here, "RuleID"), f"{step.rule_id} cannot be both present and absent in a group"
    if not present:
        yield (*_HERE, kind), "at least one member must not be absent"


def _wrong_criteria(detection: Detection) -> Iterator[Problem]:
    absent = {step.name: step.absent for step in detection.group or ()}
    for label, items in (detection.criteria or {}).items():
        here = (*_HERE, "MatchCriteria", label)
        for number, item in enumerate(items):
            if absent and item.group not in absent:
                yield (*here, number, "GroupID"), _unknown(item.group, absent)
            if item.group in [other.group for other in items[:number]]:
                yield (*here, number, "GroupID"), f"{item.group} stands twice in one criterion"
        if all(absent.get(item.group, False) for item in items):
            yield here, "it names no member that is present"


def _wrong_transitions(detection: Detection) -> Iterator[Problem]:
    names = [step.name for step in detection.sequence or ()]
    for number, transition in enumerate(detection.transitions or ()):
        here = (*_HERE, "Transitions", number)
        unknown = [(key, name) for key, name in _ends(transition) if names and name not in names]
        for key, name in unknown:
            yield (*here, key), _unknown(name, names)
        if names and not unknown:
            yield from _wrong_way(detection, names, transition, here)
        for index, shared in enumerate(transition.match):
            if shared.paths is None:
                yield (*here, "Match", index), "give either On, or From and To"
    if detection.sequence and any(_all_absent(detection, places) for places in _joins(detection)):
        yield (*_HERE, "Transitions"), "a Match joins absent steps only; join them with one that is present"


def _wrong_way(
    detection: Detection, names: Sequence[str], transition: Transition, here: tuple[str | int, ...]
) -> Iterator[Problem]:
    first, last = names.index(transition.first), names.index(transition.last)
    steps = detection.steps
    if first > last:
        yield here, f"it leads back from {transition.first} to {transition.last}, which stands before it"
    elif steps[first].absent and first == last:
        yield here, f"{transition.first} is absent and cannot lead to itself"
    elif (steps[first].absent or steps[last].absent) and transition.minutes is not None:
        between = [steps[number].name for number in range(first + 1, last) if not steps[number].absent]
        if between:
            yield here, f"{between[0]} stands between; a time frame of an absent step is counted from its neighbour"
        elif steps[first].absent and steps[last].absent:
            yield here, "both steps are absent; count the time frame from one that is present"


def _wrong_outputs(test: TestCase, number: int, names: Sequence[str]) -> Iterator[Problem]:
    for index, output in enumerate(test.outputs):
        here: tuple[str | int, ...] = ("Tests", number, "RuleOutputs", index)
        if output.id not in names:
            yield (*here, "ID"), _unknown(output.id, names)
        for path, values in output.matches.items():
            for value, times in values.items():
                wrong = [time for time in times if _moment(time) is None]
                if wrong:
                    text = f"{wrong[0]!r} is neither a number of minutes nor a time like 2026-11-22T10:00:00Z"
                    yield (*here, "Matches", path, value), text


def _unknown(name: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    return f"there is no {name}; there is {', '.join(known)}"


def _ends(transition: Transition) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("From", transition.first), ("To", transition.last)


def _all_absent(detection: Detection, places: Sequence[_Place]) -> bool:
    return all(detection.steps[number].absent for number, _ in places)


# ── joins and frames ──


def _joins(detection: Detection) -> list[list[_Place]]:
    """The joins, each as the places where its value stands, in order of the members."""
    numbers = {step.name: number for number, step in enumerate(detection.steps)}
    if detection.group is not None:
        criteria = (detection.criteria or {}).values()
        return [sorted((numbers[item.group], item.path) for item in items) for items in criteria if items]
    linked: dict[_Place, list[_Place]] = {}
    for transition in detection.transitions or ():
        for shared in transition.match:
            if shared.paths is None or not {transition.first, transition.last} <= numbers.keys():
                continue
            first, last = zip((numbers[transition.first], numbers[transition.last]), shared.paths, strict=True)
            _link(linked, first, last)
    return sorted(sorted(places) for places in {id(places): places for places in linked.values()}.values())


def _link(linked: dict[_Place, list[_Place]], first: _Place, last: _Place) -> None:
    """Put two places, and all that is linked with them, into one list that each of them leads to."""
    mine, theirs = linked.setdefault(first, [first]), linked.setdefault(last, [last])
    if mine is not theirs:
        mine.extend(theirs)
        linked.update(dict.fromkeys(theirs, mine))


def _names(joins: Sequence[Sequence[_Place]]) -> tuple[str, ...]:
    """A short name for each join, by its first path: the last key where that is unambiguous."""
    paths = [places[0][1].removeprefix(CONTEXT) for places in joins]
    short = [path.rpartition(".")[2] for path in paths]
    chosen = short if len(set(short)) == len(short) else paths
    return tuple(name if chosen.count(name) == 1 else f"{name} {number}" for number, name in enumerate(chosen, start=1))


def _members(detection: Detection, joins: Sequence[Sequence[_Place]]) -> Iterator[Member]:
    for number, step in enumerate(detection.steps):
        mine = ((join, tuple(path for owner, path in places if owner == number)) for join, places in enumerate(joins))
        found = tuple((join, paths) for join, paths in mine if paths)
        yield Member(step.name, step.rule_id, step.count, step.absent, found)


def _frames(detection: Detection) -> Iterator[Frame]:
    names = [step.name for step in detection.steps]
    for item in detection.transitions or ():
        if item.minutes is not None:
            yield Frame(names.index(item.first), names.index(item.last), timedelta(minutes=item.minutes))


# ── tests ──


def _test(test: TestCase, number: int, detection: Detection, document: Document) -> CorrelationTest:
    rules = {step.name: step.rule_id for step in detection.steps}
    signals = tuple(signal for output in test.outputs for signal in _signals(output, rules[output.id]))
    return CorrelationTest(test.name, test.expected, document.line("Tests", number), signals)


def _signals(output: RuleOutput, rule_id: str) -> Iterator[Signal]:
    """The matches of one member. Values of several fields at one moment belong to one match.

    As many matches happen at a moment as the field with the most values has; a field with one value has it in all.
    """
    moments: dict[datetime, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, values in output.matches.items():
        for value, times in values.items():
            for time in times:
                moment, text = _moment(time), text_of(value)
                if moment is not None and text is not None:
                    moments[moment][path].append(text)
    for moment, fields in sorted(moments.items()):
        for number in range(max(map(len, fields.values()))):
            held = {path: texts if len(texts) == 1 else texts[number : number + 1] for path, texts in fields.items()}
            yield Signal(f"{output.id} {moment.isoformat()} {number}", rule_id, moment, held)


def _moment(time: float | str) -> datetime | None:
    """A test's time: minutes from `START`, or a moment (UTC where it names no zone)."""
    try:
        if not isinstance(time, str):
            return START + timedelta(minutes=time)
        moment = datetime.fromisoformat(time)
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
