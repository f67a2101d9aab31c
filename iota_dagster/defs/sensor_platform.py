"""The platform of the sensors: one per code server, opened anew when the settings file has changed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from threading import Lock

from iota_dagster.platform import Platform, open_platform
from iota_dagster.settings import load_settings, settings_as_written

_opening = Lock()


def sensor_platform() -> Platform:
    """The platform that all ticks share: making engine and clients anew would cost each more than its work.

    The daemon ticks in threads, and all sensors at once when it starts: the first opens, the others wait for it. Runs
    read the settings anew, so sensors must not go by older ones: they would refuse what a new integration sends.
    `SettingsError`, which the tick then shows, as long as the file cannot be used; messages wait in the queue.
    """
    with _opening:
        return _opened(settings_as_written())


@lru_cache(maxsize=1)
def _opened(written: tuple[Path | None, bytes]) -> Platform:
    """The platform of a settings file as it stands. One that is replaced stays until the last tick of it has ended."""
    return open_platform(load_settings())
