"""The bloom filters as a resource: which settings they have, over the persisted filters in the state storage."""

from __future__ import annotations

import dagster as dg
from pydantic import Field

from iota_dagster.core.dedup.seen import BloomOptions
from iota_dagster.settings import Settings


class SeenEventsResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Persisted bloom filters of event ids, one per log type and event hour (pybloom-live).

    A filter answers "never seen" at once; "probably seen" is confirmed exactly before an event is dropped. Losing one
    costs speed, never an event. What is not set here comes from the settings.
    """

    capacity_max: int | None = Field(default=None, description="Most ids that one event hour's filter is built for.")
    error_rate: float | None = Field(default=None, description="Share of new ids that need the exact check.")

    def options(self, settings: Settings) -> BloomOptions:
        """The filters' options: this resource's, else the settings'."""
        return BloomOptions(
            capacity_max=self.capacity_max or settings.bloom.capacity_max,
            error_rate=self.error_rate or settings.bloom.error_rate,
        )
