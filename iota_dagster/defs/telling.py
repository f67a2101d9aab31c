"""Telling people, whatever else fails: what is made is sent, also while correlation, lake or Glue cannot go on.

Evaluating may wait long for a lake that does not answer, and Glue for its turn: nobody who is to be told waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dagster as dg

from iota_dagster.core.alerting.deliver import DeliveryReport, Tally
from iota_dagster.core.batch.road import Road
from iota_dagster.core.correlating.correlator import correlator_of
from iota_dagster.core.correlating.results import Correlated
from iota_dagster.platform import Platform

Note = Callable[[DeliveryReport], object]
"""Is given what every delivering did, at once: it counts even if something else fails after it."""


def _forget(_: DeliveryReport) -> None:
    """Nobody asks."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the correlation rules made, and what became of the deliveries."""

    correlated: Correlated
    deliveries: Tally


def tell(log: dg.DagsterLogManager, platform: Platform, note: Note = _forget) -> Told:
    """Send what is due, evaluate the correlation rules, send what came of it, and bring its hours into Glue.

    What goes wrong, an outage of the lake or of Glue, is raised when everybody has been told.
    """
    before = deliver(log, platform.road, note)
    try:
        done = evaluate(log, platform.road)
    finally:
        after = deliver(log, platform.road, note)
    _finish(platform, done)
    return Told(done, before.total + after.total)


def evaluate_before_telling(log: dg.DagsterLogManager, platform: Platform, note: Note) -> Correlated:
    """Evaluate for a step that another one follows which delivers, and shows what was sent before.

    Where that one would not come, since this one fails, or would have to wait for Glue, people are told here.
    """
    try:
        done = evaluate(log, platform.road)
    except Exception:
        deliver(log, platform.road, note)
        raise
    if done.outages or (platform.catalog is not None and done.changed):
        deliver(log, platform.road, note)
        _finish(platform, done)
    return done


@contextmanager
def telling_after(log: dg.DagsterLogManager, road: Road) -> Iterator[None]:
    """Send what is due when the block has ended, well or not."""
    try:
        yield
    finally:
        deliver(log, road)


def evaluate(log: dg.DagsterLogManager, road: Road) -> Correlated:
    """Evaluate what there is to evaluate; a rule that fails is named, and keeps neither the others nor the run."""
    done = correlator_of(road).correlate()
    for rule_id, text in done.failures.items():
        log.error(f"correlation rule {rule_id}: {text}")
    return done


def deliver(log: dg.DagsterLogManager, road: Road, note: Note = _forget) -> DeliveryReport:
    """Send everything that is due; what a destination did not take is named."""
    report = road.deliver()
    note(report)
    for name, tally in report.by_destination.items():
        if tally.error:
            log.warning(f"destination {name}: {tally.error}")
    return report


def _finish(platform: Platform, done: Correlated) -> None:
    """Point Glue to the hours that the rules have changed, and raise the outage that a rule waits for."""
    if platform.catalog is not None:
        platform.catalog.register(done.changed)
    for outage in done.outages.values():
        raise outage
