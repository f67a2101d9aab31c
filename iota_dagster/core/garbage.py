"""How often a process looks for garbage."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Look for garbage rarely, for a process's whole life: most of it is freed at once, without a look.

    Start-up makes some 500,000 objects that stay; Python's own thresholds would have all of them looked at again and
    again, for 12 % of an ingest's time.
    """
    gc.set_threshold(50_000, 20, 20)
