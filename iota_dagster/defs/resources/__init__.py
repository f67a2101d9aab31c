"""The resources: the platform, the filters of seen events, and the hand-over between assets."""

from __future__ import annotations

from typing import Any

from iota_dagster.defs.resources.accounts import AccountsResource
from iota_dagster.defs.resources.batch_handles import BatchHandles
from iota_dagster.defs.resources.platform import PlatformResource
from iota_dagster.defs.resources.seen_events import SeenEventsResource


def resources() -> dict[str, Any]:
    """All resources by their key."""
    return {
        "platform": PlatformResource(seen_events=SeenEventsResource(), accounts=AccountsResource()),
        "batches": BatchHandles(),
    }
