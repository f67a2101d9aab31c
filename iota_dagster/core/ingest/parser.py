"""Which parsers wrote a row: the version that a change of any source's reading raises."""

from __future__ import annotations

from iota_dagster.core.sources import SOURCES

SHARED_VERSION = 2
"""The version of what the sources share: kinds, times, odd values; raised as a source's own is."""


def parser_version() -> str:
    """All sources' versions as one short text, for data versions and batches."""
    versions = [f"{name}={source.parser_version}" for name, source in sorted(SOURCES.items())]
    return ",".join([f"shared={SHARED_VERSION}", *versions])
