"""When to look at an hour that has changed: once it rests, for a look reads all of it again.

A live hour changes with every batch. Looked at each time, it would be read over and over, and be another one at once.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from iota_dagster.core.store.accounting import Changes

REST = timedelta(minutes=15)
"""An hour rests when nothing has changed it for so long: most services deliver every five or ten minutes."""
LONGEST_WAIT = timedelta(hours=6)
"""After its first change no hour waits longer, though it never rests: four looks a day at the busiest."""


def has_rested(changes: Changes, now: datetime) -> bool:
    """Whether to look at an hour now, by its changes since the last look; what no batch has changed rests."""
    if changes.first is None or changes.last is None:
        return True
    return now - changes.last >= REST or now - changes.first >= LONGEST_WAIT
