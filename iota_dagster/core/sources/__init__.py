"""The log types iota knows: those that it brings along (`built_in`), and a user's own (`registry`)."""

from __future__ import annotations

from iota_dagster.core.sources.registry import SOURCES, source_of

__all__ = ["SOURCES", "source_of"]
