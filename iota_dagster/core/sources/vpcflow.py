"""AWS VPC flow logs: lines of text in any custom format, and the rows of Parquet objects.

What the fields of a line are is said by the header line above it, or by the integration's settings where flow logs
come without one (from CloudWatch Logs, for example); it is never guessed. Two equal lines are two facts, so a flow has
no id of its own.

Flow logs are the largest logs there are, so they are read column by column, see `vpcflow_columns`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import msgspec
import numpy as np
import pyarrow as pa

from iota_dagster.core.errors import RecordRejected
from iota_dagster.core.reading.json_text import is_utf8
from iota_dagster.core.sources.base import Readings, Shape
from iota_dagster.core.sources.vpcflow_columns import Columns, Rejected, complete, of_lines, of_rows, readings
from iota_dagster.core.sources.vpcflow_fields import HEADER_STARTS, KINDS, LAYOUT, names_in

_Part = tuple[Columns, Rejected]

_BRACE = b"{"
_DEFAULT_FORMAT = re.compile(rb'\d+ (?:\d{12}|unknown|-) (?:eni-[0-9a-f]+|-) (?:[^ "]+ ){10}(?:OK|NODATA|SKIPDATA)')
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FEWEST_MARKS = 2

_MARKS = (
    "interface_id", "srcaddr", "dstaddr", "log_status", "tcp_flags", "pkt_srcaddr", "pkt_dstaddr", "flow_direction",
    "traffic_path", "pkt_src_aws_service", "pkt_dst_aws_service", "sublocation_type", "sublocation_id",
)  # fmt: skip
_marks_of = msgspec.json.Decoder(
    msgspec.defstruct("_Marks", [(name, msgspec.Raw, msgspec.Raw()) for name in _MARKS], gc=False)
).decode
_EMPTY_STATUS = (b'"NODATA"', b'"SKIPDATA"')
"""Of an interval without records the other marks may all be null, and a Parquet row leaves out nulls."""
_MISSING_HEADER = RecordRejected(
    "missing_header",
    "AWS.VPCFlow: no header says what the line's fields are: set vpcflow_fields of its integration to the log's format",
)


@dataclass(frozen=True)
class VpcFlow:
    """The log type below a header that names the fields of its lines; without one (`SOURCE`) only Parquet is read."""

    header: tuple[str, ...] = ()

    log_type = "AWS.VPCFlow"
    table = "vpcflow_events"
    description = "Traffic through the network interfaces of VPCs: who talked to whom, how much, and what was refused"
    shape = Shape.LINE
    columns = LAYOUT.schema
    parser_version = 1
    marks = (
        "as many fields as the header line above names, without quotes; "
        f"or in a Parquet row two of the fields {', '.join(_MARKS)}, or a log_status of NODATA or SKIPDATA"
    )
    specificity = _FEWEST_MARKS
    texts = {"action": "action"} | {column: column for column in LAYOUT.texts.values()}
    header_starts = HEADER_STARTS

    @property
    def exclusive(self) -> bool:
        """See `Source.exclusive`: below a header lines are known by their number of fields, which others may have."""
        return not self.header

    def is_header(self, line: bytes) -> bool:
        """See `HeadedSource.is_header`."""
        return bool(names_in(line))

    def below(self, header: bytes) -> VpcFlow:
        """See `HeadedSource.below`."""
        return _below(header)

    def expects(self, key: str) -> bool:
        """See `Source.expects`."""
        return "vpcflowlogs" in key

    def accepts(self, record: bytes) -> bool:
        """See `Source.accepts`; unheaded lines of the default format too: `read_many` says what lacks."""
        if self.header and record.count(b" ") == self._spaces and b'"' not in record:
            return record[:1] != _BRACE
        if record.startswith(_BRACE):
            return _is_row(record)
        return not self.header and _DEFAULT_FORMAT.fullmatch(record) is not None

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        text = b"\n".join(records)
        if text.startswith(_BRACE) or b"\n{" in text:
            columns, rejected = self._mixed(records)
        else:
            columns, rejected = self._lines(records, text)
        return readings(columns, len(records) - len(rejected), rejected)

    def _mixed(self, records: Sequence[bytes]) -> _Part:
        """The columns of lines and Parquet rows together."""
        is_row = [record.startswith(_BRACE) for record in records]
        order: list[int] = []
        parts: list[Columns] = []
        rejected: Rejected = {}
        for wanted, read in ((True, of_rows), (False, self._only_lines)):
            places = [place for place, found in enumerate(is_row) if found is wanted]
            columns, refused = read([records[place] for place in places])
            rejected |= {places[row]: error for row, error in refused.items()}
            order += [place for row, place in enumerate(places) if row not in refused]
            parts.append(complete(columns, len(places) - len(refused)))
        back = pa.array(np.argsort(order))
        return {name: pa.concat_arrays([part[name] for part in parts]).take(back) for name in KINDS}, rejected

    def _only_lines(self, records: Sequence[bytes]) -> _Part:
        return self._lines(records, b"\n".join(records))

    def _lines(self, records: Sequence[bytes], text: bytes) -> _Part:
        """The columns of lines; `text` is all of them."""
        if not self.header:
            return {}, dict.fromkeys(range(len(records)), _MISSING_HEADER)
        if self._all_sound(records, text):
            return of_lines(text, self.header), {}
        sound = [row for row, record in enumerate(records) if self._all_sound((record,), record)]
        rejected = dict.fromkeys(set(range(len(records))).difference(sound), self._malformed)
        return of_lines(b"\n".join([records[row] for row in sound]), self.header) if sound else {}, rejected

    def _all_sound(self, records: Sequence[bytes], text: bytes) -> bool:
        """Whether each record is one line with as many fields as the header, without what makes Arrow stumble."""
        return (
            [record.count(b" ") for record in records].count(self._spaces) == len(records) == text.count(b"\n") + 1
            and not (b"\r" in text or b"\0" in text)
            and (text.isascii() or (_BYTE_ORDER_MARK not in text and is_utf8(text)))
        )

    @cached_property
    def _spaces(self) -> int:
        return len(self.header) - 1

    @property
    def _malformed(self) -> RecordRejected:
        return RecordRejected("malformed", f"AWS.VPCFlow: the line has not the {len(self.header)} fields of its header")


SOURCE = VpcFlow()


@lru_cache(maxsize=256)
def _below(header: bytes) -> VpcFlow:
    return VpcFlow(names_in(header))


def _is_row(record: bytes) -> bool:
    """Whether a JSON object has enough fields that only flow logs have."""
    try:
        marks = msgspec.structs.astuple(_marks_of(record))
    except (msgspec.MsgspecError, RecursionError):
        return False
    found = [value for value in map(bytes, marks) if value and value[:1] not in (b"{", b"[")]
    return len(found) >= _FEWEST_MARKS or any(value in _EMPTY_STATUS for value in found)
