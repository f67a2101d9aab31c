"""Which lines say what the lines below them mean: the headers of all headed log types."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from iota_dagster.core.lines import Headers
from iota_dagster.core.sources.base import HeadedSource, Source


def headers_of(sources: Iterable[Source]) -> Headers:
    """The headers that some of the sources know."""
    return _headers_of(tuple(sources))


@lru_cache(maxsize=8)  # to ask each source whether it is headed takes longer than to read a tiny object
def _headers_of(sources: tuple[Source, ...]) -> Headers:
    headed = [source for source in sources if isinstance(source, HeadedSource)]
    starts = frozenset(start for source in headed for start in source.header_starts)
    return Headers(starts, lambda line: any(source.is_header(line) for source in headed))
