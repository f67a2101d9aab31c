"""What all logs of Google Cloud share: the log entry of Cloud Logging, its fields and how its kinds are told apart.

Every entry has the same envelope, so a kind is known by its payload and by the type of its resource. The log's name
only helps: it has no fixed beginning, and trimmed entries lack it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import msgspec

from iota_dagster.core.sources.base import Readings
from iota_dagster.core.sources.fields import Field, Layout, integer, moment, structure, text
from iota_dagster.core.sources.finders import TRACE
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.lenient import read_leniently

_ABSENT = msgspec.Raw()
_KUBERNETES = ("k8s_", "gke_")
_SPLIT = "split.index"


class Payload(msgspec.Struct, gc=False):
    """What tells payloads apart."""

    type_url: str = msgspec.field(default="", name="@type")
    method: str = msgspec.field(default="", name="methodName")
    service: str = msgspec.field(default="", name="serviceName")
    connection: msgspec.Raw = _ABSENT
    reporter: msgspec.Raw = _ABSENT
    bytes_sent: msgspec.Raw = _ABSENT
    disposition: msgspec.Raw = _ABSENT


class _Resource(msgspec.Struct, gc=False):
    type: str = ""


class Entry(msgspec.Struct, gc=False):
    """What tells log entries apart; a part of another type than here is as good as absent."""

    log_name: str = msgspec.field(default="", name="logName")
    resource: _Resource | None = None
    proto: Payload | None = msgspec.field(default=None, name="protoPayload")
    json: Payload | None = msgspec.field(default=None, name="jsonPayload")
    text: str | None = msgspec.field(default=None, name="textPayload")
    http: dict[str, msgspec.Raw] | None = msgspec.field(default=None, name="httpRequest")
    exported: Payload | None = msgspec.field(default=None, name="protopayload_auditlog")
    method: str = msgspec.field(default="", name="methodName")

    @property
    def resource_type(self) -> str:
        """The type of the resource that wrote it."""
        return self.resource.type if self.resource else ""

    @property
    def of_kubernetes(self) -> bool:
        """Whether a cluster or something in one wrote it."""
        return self.resource_type.startswith(_KUBERNETES) or self.resource_type == "container"

    @property
    def of_load_balancer(self) -> bool:
        """Whether an Application Load Balancer wrote it."""
        kind = self.resource_type
        return "http" in kind and ("load_balancer" in kind or "lb_rule" in kind)


_decode = msgspec.json.Decoder(Entry).decode


@dataclass(frozen=True, slots=True)
class EntryMarks:
    """Marks of one kind of entry: a test, in words as well, and of how many conditions it is made."""

    words: str
    test: Callable[[Entry], bool]
    count: int

    def hold(self, record: bytes) -> bool:
        """Whether the record is such an entry; never raises."""
        if not record.startswith(b"{"):
            return False
        try:
            entry: Entry | None = _decode(record)
        except (msgspec.MsgspecError, RecursionError):
            entry = read_leniently(Entry, record)
        return entry is not None and self.test(entry)

    def __str__(self) -> str:
        """The marks in words."""
        return self.words


class LogEntrySource(JsonSource):
    """A kind of log entry; a part of an entry that Cloud Logging split has its number in its identity."""

    def read_many(self, records: Sequence[bytes]) -> Readings:
        """See `Source.read_many`."""
        readings = super().read_many(records)
        parts = readings.columns[self.columns.get_field_index("split_index")]
        if parts.null_count == len(parts):
            return readings
        found = zip(readings.event_id, parts.to_pylist(), strict=True)
        ids = [f"{name}:{part}" if name and part is not None else name for name, part in found]
        return replace(readings, event_id=ids)


def entry_layout(*payload: Field, time: tuple[str, ...] = ()) -> Layout:
    """The fields of an entry: the envelope's and those of its payload; `time` are better times than the envelope's.

    Cloud Logging itself takes entries of the same id, time and log name for one.
    """
    return Layout(
        (*_ENVELOPE, *payload),
        time=(*time, "timestamp", "receiveTimestamp"),
        identity=("insertId", "timestamp", "logName"),
    )


_ENVELOPE = (
    text("insertId", "Cloud Logging's id of the entry, unique with its time and the log's name"),
    moment("timestamp", "When it happened (UTC)"),
    moment("receiveTimestamp", "When Cloud Logging got it (UTC)"),
    text("logName", "The log: project, folder or organization, and the log's id"),
    text("severity", "DEFAULT, DEBUG, INFO, NOTICE, WARNING, ERROR, CRITICAL, ALERT or EMERGENCY"),
    text("resource.type", "Kind of the resource that wrote it"),
    text("resource.labels.project_id", "Project of that resource"),
    structure("resource.labels", "What tells that resource from others of its kind (JSON)"),
    structure("labels", "Labels of the entry (JSON)"),
    text("trace", "The trace it belongs to, shared by the entries of one request", TRACE),
    text("spanId", "The span in that trace"),
    integer(_SPLIT, "Number of this part, where an entry was too large and was split"),
)
