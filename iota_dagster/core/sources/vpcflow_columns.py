"""From the lines and rows of VPC flow logs to the columns of the lake, column by column.

Arrow's CSV reader splits the lines, numbers are cast as a whole, and what remains looks at every distinct text once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.columns import MOMENT, TEXT, united
from iota_dagster.core.sources.finders import account_id, address
from iota_dagster.core.sources.kinds import Kind
from iota_dagster.core.sources.record_tree import RecordTree
from iota_dagster.core.sources.times import times, to_microseconds
from iota_dagster.core.sources.vpcflow_fields import ADDRESSES, FIELDS, KINDS, LAYOUT

Columns = dict[str, pa.Array]
"""The values of fields by their names; a field that no record has may be missing."""
Rejected = dict[int, RecordRejected]
"""Records that say nothing, by their positions."""

_NOTHING = ("-", "")
_INTEGER = Kind.INTEGER.column
_SECONDS_BELOW = 10**11  # a larger number is a time in a smaller unit, see `times`
_BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"^(?:{_BYTE}\.){{3}}{_BYTE}$"
_TREE = RecordTree(FIELDS)
_PARSE = csv.ParseOptions(delimiter=" ", quote_char=False, double_quote=False, ignore_empty_lines=False)


def of_rows(records: Sequence[bytes]) -> tuple[Columns, Rejected]:
    """The columns of Parquet rows."""
    taken, size, rejected = _TREE.read(records)
    said = {name: [None if value in _NOTHING else value for value in values] for name, values in taken.items()}
    return dict(zip(KINDS, LAYOUT.readings(said, size).columns, strict=True)), rejected


def of_lines(text: bytes, header: tuple[str, ...]) -> Columns:
    """The columns of lines that all have the header's fields."""
    places = {name: str(place) for place, name in reversed(list(enumerate(header))) if name in KINDS}
    table = csv.read_csv(
        pa.BufferReader(text),
        csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=list(map(str, range(len(header))))),
        _PARSE,
        csv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(places.values(), TEXT),
            include_columns=list(places.values()),
            null_values=list(_NOTHING),
            strings_can_be_null=True,
        ),
    )
    return {name: _CONVERT[KINDS[name]](table.column(place).combine_chunks()) for name, place in places.items()}


def _each(texts: pa.StringArray, read: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """What `read` makes of each text, asked once per distinct text."""
    encoded = texts.dictionary_encode()
    return pa.array([read(text) for text in encoded.dictionary.to_pylist()], kind).take(encoded.indices)


def _integers(texts: pa.StringArray) -> pa.Int64Array:
    try:
        return texts.cast(_INTEGER)
    except pa.ArrowInvalid:
        return _each(texts, _integer, _INTEGER)


def _integer(text: str) -> object:
    try:
        return pa.scalar(text, TEXT).cast(_INTEGER).as_py()
    except pa.ArrowInvalid:
        return None


def _seconds(texts: pa.StringArray) -> pa.TimestampArray:
    numbers = _integers(texts)
    least, most = pc.min_max(numbers).as_py().values()
    if least is None or 0 <= least <= most < _SECONDS_BELOW:
        return pc.multiply(numbers, 1_000_000).cast(MOMENT)
    return to_microseconds(times(numbers.to_pylist()))


def _as_they_are(texts: pa.StringArray) -> pa.StringArray:
    return texts


_CONVERT: Mapping[Kind, Callable[[pa.StringArray], pa.Array]] = {
    Kind.TEXT: _as_they_are,
    Kind.INTEGER: _integers,
    Kind.TIME: _seconds,
}


def complete(columns: Columns, size: int) -> Columns:
    """The columns of all fields, `size` rows long."""
    return {name: columns[name] if name in columns else pa.nulls(size, kind.column) for name, kind in KINDS.items()}


def readings(columns: Columns, size: int, rejected: Rejected) -> Readings:
    """What the columns of `size` records say."""
    every = complete(columns, size)
    start, end = every["start"], every["end"]
    return Readings(
        event_time=pc.coalesce(start, end) if start.null_count else start,
        event_id=[None] * size,
        account=_each(every["account_id"], account_id, TEXT).to_pylist(),  # `unknown` for interfaces of AWS's own
        region=every["region"].to_pylist(),
        columns=list(every.values()),
        indicators=LAYOUT.indicators(columns) | _addresses([columns[name] for name in ADDRESSES if name in columns]),
        rejected=rejected,
    )


def _addresses(columns: Sequence[pa.StringArray]) -> dict[str, pa.ListArray]:
    return {"p_any_ip_addresses": united(*map(_in_one_spelling, columns))} if columns else {}


def _in_one_spelling(texts: pa.StringArray) -> pa.StringArray:
    """Addresses as indicators have them; null where a text is none."""
    encoded = texts.dictionary_encode()
    if pc.all(pc.match_substring_regex(encoded.dictionary, _IPV4)).as_py() is not False:
        return texts  # there is only one spelling of an IPv4 address
    return _each(texts, address, TEXT)
