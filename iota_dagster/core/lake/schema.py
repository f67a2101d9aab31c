"""The columns of the lake's event tables and of the part files on their way to them.

A table's row is the `p_` envelope, the source's typed columns, the indicators, and the vendor's own bytes. Columns are
only ever added.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa

from iota_dagster.core.dedup.identity import DIGEST_BYTES
from iota_dagster.core.sources.base import INDICATORS, Source
from iota_dagster.core.sources.columns import MOMENT, TEXT, WORDS

FLAG_MISSING = "missing"
FLAG_ABSURD = "absurd"


def _field(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, metadata={"description": description})


_ENVELOPE = (
    _field("p_log_type", TEXT, "Log type, e.g. AWS.CloudTrail"),
    _field("p_event_id", TEXT, "Identity of the event: account and vendor's id, else a hash of place and content"),
    _field("p_event_time", MOMENT, "Time of the event (UTC); the start of the delivery hour where it says none"),
    _field("p_event_time_flag", TEXT, "null; missing: no usable time; absurd: too far from the delivery hour"),
    _field("p_parse_time", MOMENT, "Creation of the batch that read the event (UTC)"),
    _field("p_source_bucket", TEXT, "Bucket of the log object"),
    _field("p_source_key", TEXT, "Key of the log object"),
    _field("p_source_line", pa.int64(), "Ordinal of the record in the log object, from 0"),
    _field("p_batch", TEXT, "Batch that admitted the event"),
    _field("p_integration", TEXT, "Integration that the log object came by"),
    _field("p_account_id", TEXT, "Account the event belongs to: the record's, else the log object's"),
    _field("p_region", TEXT, "Region the event belongs to: the record's, else the log object's"),
)
_INDICATORS: Mapping[str, str] = {
    "p_any_ip_addresses": "IP addresses",
    "p_any_domain_names": "Domain names",
    "p_any_emails": "Email addresses",
    "p_any_usernames": "User names",
    "p_any_aws_arns": "AWS ARNs",
    "p_any_aws_account_ids": "AWS account ids",
    "p_any_aws_instance_ids": "EC2 instance ids",
    "p_any_sha256_hashes": "SHA-256 hashes",
    "p_any_trace_ids": "Ids that link events across logs",
}
_RAW = _field("p_raw", TEXT, "The record as the vendor wrote it")

PART_COLUMNS = (
    _field("_digest", pa.binary(DIGEST_BYTES), "identity.digest of log type and event id"),
    _field("_fingerprint", pa.uint64(), "identity.fingerprint of the record"),
    _field("_hour", pa.int32(), "Event hour: the partition of the row"),
    _field("_position", pa.int32(), "Position of the log object in its batch"),
)
"""What a part file has beside the table's columns; the lake does not keep it."""


_WORDS = tuple(_field(name, WORDS, f"{_INDICATORS[name]} named in the event; null without any") for name in INDICATORS)

COMMON = pa.schema([*_ENVELOPE, *_WORDS, _RAW])
"""The columns that every event table has."""


@lru_cache(maxsize=256)
def table_schema(source: Source) -> pa.Schema:
    """The schema of a source's lake table."""
    return pa.schema([*_ENVELOPE, *source.columns, *_WORDS, _RAW])


@lru_cache(maxsize=256)
def part_schema(source: Source) -> pa.Schema:
    """The schema of a source's part files."""
    return pa.schema([*table_schema(source), *PART_COLUMNS])
