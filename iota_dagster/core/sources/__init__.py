"""The log types iota knows: one module each, one line in this list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from iota_dagster.core.errors import SettingsError
from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.cloudtrail import CloudTrail
from iota_dagster.core.sources.okta import SOURCE as OKTA

_ALL: tuple[Source, ...] = (CloudTrail(), OKTA)

SOURCES: Mapping[str, Source] = MappingProxyType({source.log_type: source for source in _ALL})
"""Every source by its log type."""


def source_of(log_type: str) -> Source:
    """The source of a log type; `SettingsError` with the known ones for another name."""
    try:
        return SOURCES[log_type]
    except KeyError:
        raise SettingsError(f"unknown log type {log_type!r}; known are: {', '.join(SOURCES)}") from None
