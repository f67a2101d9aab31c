"""Schema → source: a user's own log type, as the road sees any other.

The source of a schema is made once in a process, so that equal schemas are one source.
"""

from __future__ import annotations

from functools import lru_cache

from iota_dagster.core.sources.base import Source
from iota_dagster.core.sources.user_json import UserJson
from iota_dagster.core.sources.user_schema import UserSchema, of_canonical
from iota_dagster.core.sources.user_text import HeadedCsv, headings, pattern_lines, plain_csv


def user_source(schema: UserSchema) -> Source:
    """The source of a schema that `user_check.problems` finds nothing wrong with."""
    return _made(schema.canonical)


@lru_cache(maxsize=256)
def _made(canonical: bytes) -> Source:
    schema = of_canonical(canonical)
    if schema.format == "json":
        return UserJson(schema)
    if schema.format == "regex":
        return pattern_lines(schema)
    return HeadedCsv(schema) if schema.marks.header else plain_csv(schema, headings(schema))
