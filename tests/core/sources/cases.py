"""What the tests of log types share: records into rows, and records that are not what they should be."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from iota_dagster.core.sources.base import Source

Record = dict[str, Any]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def text_of(record: Record, **changes: Any) -> bytes:
    """The record as a vendor writes it: on one line."""
    return json.dumps({**record, **changes}, separators=(",", ":")).encode()


def writings(record: Record) -> list[bytes]:
    """The record in several ways: on one line, its keys sorted and reversed, and pretty-printed."""
    turned = dict(reversed(record.items()))
    return [
        text_of(record),
        text_of(turned),
        json.dumps(record, sort_keys=True).encode(),
        json.dumps(record, indent=2).encode(),
    ]


def rows(source: Source, *records: bytes) -> list[Record]:
    """What the source reads in each record, without nulls: columns, indicators, and time, id, account and region."""
    readings = source.read_many(records)
    assert not readings.rejected
    table = {
        "time": readings.event_time,
        "id": pa.array(readings.event_id, pa.string()),
        "account": pa.array(readings.account, pa.string()),
        "region": pa.array(readings.region, pa.string()),
        **{f"column {name}": column for name, column in zip(source.columns.names, readings.columns, strict=True)},
        **readings.indicators,
    }
    return [{name: value for name, value in row.items() if value is not None} for row in pa.table(table).to_pylist()]


def row(source: Source, record: Record, **changes: Any) -> Record:
    """The same of one record."""
    (only,) = rows(source, text_of(record, **changes))
    return only


def columns(found: Record) -> Record:
    """The columns in a row."""
    return {name.removeprefix("column "): value for name, value in found.items() if name.startswith("column ")}


def indicators(found: Record) -> Record:
    """The indicators in a row, by their names without the prefix."""
    return {name.removeprefix("p_any_"): value for name, value in found.items() if name.startswith("p_any_")}


def mutilated(record: Record) -> st.SearchStrategy[bytes]:
    """The record with other values in some places, or cut off; and any bytes."""
    whole = text_of(record)
    changed = st.tuples(st.sampled_from(list(_places(record))), JSON).map(lambda it: text_of(_replaced(record, *it)))
    cut = st.integers(0, len(whole)).map(lambda size: whole[:size])
    return changed | cut | st.binary(max_size=40)


def read_safely(source: Source, records: list[bytes]) -> None:
    """Assert that every record is a row or rejected, and that every column and indicator speaks of all rows."""
    readings = source.read_many(records)
    size = len(records) - len(readings.rejected)
    sizes = {len(column) for column in (*readings.columns, *readings.indicators.values(), readings.event_time)}
    assert sizes == {size}
    assert len(readings.event_id) == len(readings.account) == len(readings.region) == size
    assert [column.type for column in readings.columns] == source.columns.types
    for record in records:
        source.accepts(record)


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from _places(item, (*path, key))


def _replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = value.copy()
    copy[path[0]] = _replaced(value[path[0]], path[1:], new)
    return copy
