"""The event under the name by which public rules annotate their functions."""

from iota_dagster.core.detection.event import Event as PantherEvent

__all__ = ["PantherEvent"]
