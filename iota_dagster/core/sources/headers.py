"""Which lines say what the lines below them mean: the headers of the headed log types that an object may hold.

Where an integration declares its log types, whatever one of them takes for a header is one; what only another type
would is a record. Where it declares none, a line is a header only if its type takes it for one and it has at least
`SURE_WORDS` words: a shorter one, such as `start end` in somebody's text, is a record, and is counted as one.
Either way a header may stand anywhere, as in concatenated files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from iota_dagster.core.reading.lines import Headers
from iota_dagster.core.sources.base import HeadedSource, Source

SURE_WORDS = 4
"""So many words that a type takes for its fields' names stand in one line by no accident."""
_SURE = re.compile(rb"(?:[^\w\x80-\xff]*+[\w.\x80-\xff-]++){%d}" % SURE_WORDS)


def headers_within(sources: Iterable[Source], log_types: Sequence[str] | None) -> Headers:
    """The headers in an object whose integration declares these types; None: it declares none."""
    return _headers_within(tuple(sources), None if log_types is None else tuple(log_types))


@lru_cache(maxsize=64)  # to ask each source whether it is headed takes longer than to read a tiny object
def _headers_within(sources: tuple[Source, ...], log_types: tuple[str, ...] | None) -> Headers:
    allowed = [source for source in sources if log_types is None or source.log_type in log_types]
    headed = [source for source in allowed if isinstance(source, HeadedSource)]
    starts = frozenset(start for source in headed for start in source.header_starts)

    def is_header(line: bytes) -> bool:
        sure = log_types is not None or _SURE.match(line) is not None
        return sure and any(source.is_header(line) for source in headed)

    return Headers(starts, is_header)
