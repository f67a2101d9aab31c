"""Writes docs/log-sources.md from the log types themselves; run by `make docs`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from iota_dagster.core.lake.schema import COMMON
from iota_dagster.core.sources import SOURCES
from iota_dagster.core.sources.base import Shape, Source
from iota_dagster.core.sources.fields import Layout

PAGE = Path(__file__).parent.parent / "docs" / "log-sources.md"
_INTRODUCTION = """\
# Log types

<!-- Made by `python scripts/log_sources_page.py`; do not edit by hand. -->

What an integration's bucket holds is found out record by record; nothing has to be declared. `iota classify FILE…` says
of every record of a file which type it is, its id and its time, or why it would go to quarantine.

**How a type is found.** The types that the integration declares (`log_types`) are binding: a record of another type is
quarantined, not guessed. Among them decide the marks that the record bears. Built-in types exclude each other by their
marks. Where a user-defined type contests a record, a type that expects the object's key comes first, then the one with
more marks, then the first by name; so the answer is the same in whatever order records and questions come. What nobody
accepts goes to quarantine, whole, with each type's word.

**What is a header.** Where `log_types` are declared, a header of one of them; where they are not, a header of any type
that has at least four words. It may stand anywhere in an object. Every other line is a record.

**What is seen through.** Gzip (twice if need be), concatenated objects, JSON lines, pretty-printed JSON, bare arrays,
`{"Records": […]}`, pages (`items`, `entries`), EventBridge envelopes, SNS notifications, CloudWatch Logs subscriptions
and Parquet. `p_raw` is the inner record, as the vendor wrote it.

**When it happened.** `p_event_time` is the time that the record gives, in UTC, to the microsecond. A record without a
usable time is dated by its object's delivery hour and has `p_event_time_flag` `missing`.

**Who it is.** Where the vendor gives a unique id, `p_event_id` is the account and that id; elsewhere it is a hash of
bucket, key, place and content, since two equal lines of a file are two facts.

**What rules see.** JSON records as the vendor wrote them; lines of text as an object of the typed columns below.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([_INTRODUCTION, *_overview(), "", *_common(), *_all_types()]).rstrip() + "\n"


def _overview() -> Iterator[str]:
    yield "| log type | lake table | records | what it tells |"
    yield "|---|---|---|---|"
    for source in _sorted():
        anchor = source.log_type.lower().replace(".", "")
        shape = "JSON" if source.shape is Shape.JSON else "text"
        yield f"| [{source.log_type}](#{anchor}) | `{source.table}` | {shape} | {source.description} |"


def _common() -> Iterator[str]:
    yield "## Columns of every table"
    yield ""
    yield "`all_logs` is all event tables as one, with these columns: one query finds an indicator wherever it is."
    yield ""
    yield from _columns(COMMON)


def _all_types() -> Iterator[str]:
    for source in _sorted():
        yield f"\n## {source.log_type}\n"
        yield f"{source.description}. Table `{source.table}`.\n"
        yield f"Recognised by {_cell(source.marks)}."
        layout = getattr(source, "layout", None)
        if isinstance(layout, Layout):
            yield from _meaning(layout)
        yield ""
        yield from _columns(source.columns)


def _meaning(layout: Layout) -> Iterator[str]:
    facts = {"Event time": layout.time, "account": layout.account, "region": layout.region}
    words = [f"{name}: {', else '.join(f'`{path}`' for path in paths)}" for name, paths in facts.items() if paths]
    identity = " and ".join(f"`{path}`" for path in layout.identity) or "place and content"
    yield f"{'; '.join([*words, f'identity: {identity}'])}."


def _columns(schema: pa.Schema) -> Iterator[str]:
    yield "| column | type | meaning |"
    yield "|---|---|---|"
    for field in schema:
        meaning = (field.metadata or {}).get(b"description", b"").decode()
        yield f"| `{field.name}` | {_type(field.type)} | {_cell(meaning)} |"


def _type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return f"list of {_type(kind.value_type)}"
    if pa.types.is_timestamp(kind):
        return "time"
    names = {"string": "text", "int64": "integer", "double": "number", "bool": "flag"}
    return names[str(kind)]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _sorted() -> list[Source]:
    return sorted(SOURCES.values(), key=lambda source: source.log_type)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
