"""The log types iota knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.built_in import BUILT_IN

SOURCES: Mapping[str, Source] = MappingProxyType({source.log_type: source for source in BUILT_IN})
"""Every source by its log type."""


def source_of(log_type: str) -> Source:
    """The source of a log type; `SettingsError` with the known ones for another name."""
    try:
        return SOURCES[log_type]
    except KeyError:
        raise SettingsError(f"unknown log type {log_type!r}; known are: {', '.join(SOURCES)}") from None
