"""The platform of the sensors: one per code server, whichever of them asks first."""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import load_settings

_opening = Lock()


def sensor_platform() -> Platform:
    """The platform that all ticks share: making engine and clients anew would cost each more than its work.

    The daemon ticks in threads, and all sensors at once when it starts: the first opens, the others wait for it.
    """
    with _opening:
        return _opened()


@lru_cache(maxsize=1)
def _opened() -> Platform:
    return open_platform(load_settings())
