"""What a run's log says of its batches: a line per fact, in the UI and on standard error, with run and batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import dagster as dg

from iota_dagster.core.model import Batch
from iota_dagster.core.store.claims import Assignment
from iota_dagster.logging_setup import about
from iota_dagster.traces import batch_span

_Item = TypeVar("_Item", bound=Batch | Assignment)
_Result = TypeVar("_Result")


class BatchLog:
    """The log of an asset that works through batches."""

    def __init__(self, context: dg.AssetExecutionContext) -> None:
        """The asset's own log."""
        self._context = context

    def around(self, work: Callable[[_Item], _Result]) -> Callable[[_Item], _Result]:
        """The work on a batch, with run and batch on every line that it logs in this thread, and a span of its own."""

        def logged(item: _Item) -> _Result:
            batch = item.batch if isinstance(item, Assignment) else item
            with about(run=self._context.run.run_id, batch=batch.id), batch_span(batch.id):
                return work(item)

        return logged

    def fact(self, text: str, batch: Batch, **figures: int) -> None:
        """One line: what was done with a batch, and its figures under the names of `logging_setup.FIGURES`."""
        shown = ", ".join(f"{count:,} {name}" for name, count in figures.items())
        self._context.log.info(f"batch {batch.id} {text}: {shown}", extra={"batch": batch.id, **figures})
