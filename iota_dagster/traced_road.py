"""The road of a batch with a span around each phase: fetch, decode, commit, publish, judge and deliver.

Only a traced process imports this; the road itself knows nothing of traces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from iota_dagster.core.alerting.deliver import DeliveryReport
from iota_dagster.core.batch.decoding import Prepared
from iota_dagster.core.batch.fetching import Fetched, Spool
from iota_dagster.core.batch.prepare import CannotDoAgain, Committed, Preparer
from iota_dagster.core.batch.road import Judged, Published, Road
from iota_dagster.core.model import Batch
from iota_dagster.core.store.claims import Assignment
from iota_dagster.traces import Attributes, span

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def traced(road: Road) -> Road:
    """The same road, whose phases are spans of the step that walks it."""
    spool, preparer = TracedSpool(**_values(road.spool)), TracedPreparer(**_values(road.preparer))
    return TracedRoad(**_values(road) | {"spool": spool, "preparer": preparer})


def _values(item: DataclassInstance) -> dict[str, Any]:
    return {field.name: getattr(item, field.name) for field in fields(item)}


def _of(batch: Batch) -> Attributes:
    return {"iota.batch.id": batch.id, "iota.objects": len(batch.objects)}


class TracedSpool(Spool):
    """Fetches as a `Spool` does: `fetch`."""

    def fetch(self, assignment: Assignment) -> Fetched:
        """As the `Spool`, in a span with what was fetched."""
        with span("fetch", _of(assignment.batch)) as current:
            found = super().fetch(assignment)
            waiting, failed = len(found.waiting), len(found.failed)
            current.set_attributes({"iota.bytes": found.bytes, "iota.unreadable": failed, "iota.waiting": waiting})
            return found


class TracedPreparer(Preparer):
    """Decodes and commits as a `Preparer` does: `decode` and `commit`."""

    def decode(self, batch: Batch, spooled: Mapping[int, Path]) -> Prepared:
        """As the `Preparer`, in a span."""
        with span("decode", _of(batch)):
            return super().decode(batch, spooled)

    def commit(
        self, batch: Batch, prepared: Prepared, *, redo: bool, started: float | None = None
    ) -> Committed | CannotDoAgain:
        """As the `Preparer`, in a span with what became of the records."""
        with span("commit", _of(batch)) as current:
            result = super().commit(batch, prepared, redo=redo, started=started)
            if isinstance(result, Committed):
                current.set_attributes(_committed(result))
            return result


class TracedRoad(Road):
    """A `Road` whose steps are spans: `publish`, `judge` and `deliver`."""

    def publish(self, batch: Batch) -> Published:
        """As the `Road`, in a span with the rows."""
        with span("publish", _of(batch)) as current:
            found = super().publish(batch)
            current.set_attributes({"iota.rows": sum(found.rows.values()), "iota.table_hours": len(found.rows)})
            return found

    def judge(self, batch: Batch) -> Judged:
        """As the `Road`, in a span with events, matches and alerts."""
        with span("judge", _of(batch)) as current:
            found = super().judge(batch)
            current.set_attributes(_judged(found))
            return found

    def deliver(self) -> DeliveryReport:
        """As the `Road`, in a span with what was sent."""
        with span("deliver", {}) as current:
            found = super().deliver()
            current.set_attributes(
                {"iota.sent": found.sent, "iota.retried": found.retried, "iota.failed": found.failed}
            )
            return found


def _committed(result: Committed) -> Attributes:
    outcomes = result.change.outcomes
    return {
        "iota.records": sum(item.records for item in outcomes),
        "iota.rows": sum(item.rows for item in outcomes),
        "iota.duplicates": sum(item.duplicates for item in outcomes),
        "iota.quarantined": sum(item.quarantined for item in outcomes),
        "iota.conflicts": result.conflicts,
    }


def _judged(found: Judged) -> Attributes:
    return {
        "iota.events": found.judgement.events,
        "iota.matches": len(found.judgement.matches),
        "iota.rule_failures": sum(failure.count for failure in found.judgement.failures),
        "iota.alerts": len(found.changes.created),
    }
