"""The IO manager: assets hand each other the *names* of hours, and the store knows the batches in them.

Rows travel in work files. So a run over one hour or over twenty-four, a resumed run, and an asset that is launched
alone a day later all load the same way, and nothing that was handed over can be lost with a process.
"""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from iota_dagster.core.hours import Hour, parse_hour_key


@dataclass(frozen=True, slots=True)
class HourBatches:
    """The batches of some delivery hours, as far as one root run is concerned with them."""

    root_run: str
    hours: tuple[Hour, ...]


class BatchHandles(dg.ConfigurableIOManager):
    """Hands over `HourBatches`; stores nothing, because all of it is in the store already."""

    def handle_output(self, context: dg.OutputContext, obj: HourBatches | None) -> None:
        """Nothing to write: the commit was the write."""

    def load_input(self, context: dg.InputContext) -> HourBatches:
        """The same hours for the asset downstream, of one partition or of many."""
        run = context.step_context.dagster_run
        hours = tuple(parse_hour_key(key) for key in context.asset_partition_keys)
        return HourBatches(run.root_run_id or run.run_id, hours)
