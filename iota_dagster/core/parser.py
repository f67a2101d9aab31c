"""Which parsers wrote a row: the version that a change of any source's reading raises."""

from __future__ import annotations

from iota_dagster.core.sources import SOURCES


def parser_version() -> str:
    """All sources' versions as one short text, for data versions and batches."""
    return ",".join(f"{name}={source.parser_version}" for name, source in sorted(SOURCES.items()))
