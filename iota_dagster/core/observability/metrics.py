"""Every metric that iota shows to Prometheus: name, meaning, labels. Dashboards, alert rules and docs go by this list.

`python -m iota_dagster.core.observability.metrics > docs/metrics.md` writes the page of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

MOST_SERIES = 2000
"""Label sets of one family; whatever comes after the first so many is summed up under the label value `other`."""
OTHER = "other"
LAG_BUCKETS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 21600.0, 86400.0)
STEP_BUCKETS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Kind(StrEnum):
    """How a family's values behave: they add up, they are what is now, or they are spread over buckets."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: `labels` in the order in which values are given, a histogram's `buckets` but the infinite one."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


def _counter(name: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.COUNTER, text, labels)


def _gauge(name: str, text: str, *labels: str) -> Family:
    return Family(name, Kind.GAUGE, text, labels)


EVENTS = _counter(
    "iota_events_total",
    "Records that were read and classified: kept, duplicate, or conflicting (the same event with another content).",
    "log_type",
    "status",
)
QUARANTINED = _counter(
    "iota_quarantined_total", "Records, whole objects and queue messages put into quarantine.", "reason"
)
OBJECTS = _counter("iota_objects_processed_total", "Log objects that a batch committed.", "integration", "status")
OBJECT_BYTES = _counter("iota_object_bytes_total", "Their bytes as stored.", "integration", "status")
CONTENT_BYTES = _counter("iota_content_bytes_total", "Their bytes once unpacked.", "integration")
BLOOM_CHECKS = _counter("iota_bloom_checks_total", "Event ids that were looked up in a bloom filter.")
BLOOM_POSITIVES = _counter("iota_bloom_positives_total", "Event ids that a filter took for known: confirmed exactly.")
BLOOM_FALSE = _counter("iota_bloom_false_positives_total", "Event ids that a filter took for known and were not.")
COMMIT_CONFLICTS = _counter("iota_commit_conflicts_total", "Commits begun again, as a neighbour was faster.")
LAKE_FILES = _counter("iota_lake_files_written_total", "Files that batches published.", "table")
LAKE_ROWS = _counter("iota_lake_rows_written_total", "Rows in them.", "table")
LAKE_BYTES = _counter("iota_lake_bytes_written_total", "Bytes of them.", "table")
RULE_EVALUATED = _counter("iota_rule_evaluations_total", "Calls of a rule: events that routing let through.", "rule")
RULE_RESULTS = _counter(
    "iota_rule_results_total", "Answers of a rule: matched, error (one count for each event and function).",
    "rule",
    "result",
)  # fmt: skip
RULE_SECONDS = _counter("iota_rule_seconds_total", "Time in a rule, measured on each 16th of its calls.", "rule")
ALERTS = _counter("iota_alerts_total", "Alerts that came to be.", "severity", "rule")
SENT = _counter("iota_deliveries_sent_total", "Alerts that arrived at a destination.", "destination")
MESSAGES = _counter("iota_queue_messages_total", "Queue messages received, by what became of them.", "kind", "status")
STORE_OPERATIONS = _counter(
    "iota_store_operations_total", "Transactions of the state store by runs: ok, outage, error.", "operation", "status"
)
STORE_SECONDS = _counter("iota_store_operation_seconds_total", "Time in them, waiting for locks included.", "operation")

LAG = Family(
    "iota_lag_seconds",
    Kind.HISTOGRAM,
    "What a stage of the way took, for what is read for the first time: see the stages below.",
    ("stage",),
    LAG_BUCKETS,
)
STEP_SECONDS = Family(
    "iota_step_seconds", Kind.HISTOGRAM, "A batch's work in a step: events, lake, alerts.", ("step",), STEP_BUCKETS
)

LAST_EVENT = _gauge("iota_last_event_timestamp_seconds", "The time of the newest event read.", "integration")
LAST_OBJECT = _gauge(
    "iota_last_object_timestamp_seconds",
    "When the newest log of a configured integration was delivered that could be read; 0 where none ever was.",
    "integration",
)
LEDGER = _gauge("iota_objects", "Log objects of the ledger as they stand.", "integration", "status")
OLDEST_PENDING = _gauge(
    "iota_oldest_pending_object_timestamp_seconds", "When the oldest unfinished object was registered.", "integration"
)
BATCHES = _gauge("iota_batches", "Batches as they stand.", "status")
OUTBOX = _gauge(
    "iota_deliveries",
    "Deliveries of alerts as they stand; unconfigured: given up, and the settings have no such destination.",
    "destination",
    "status",
)
OLDEST_DELIVERY = _gauge(
    "iota_oldest_waiting_delivery_timestamp_seconds",
    "When the alert came to be that a destination has been owed for the longest time.",
    "destination",
)
IN_QUARANTINE = _gauge("iota_quarantine_items", "What lies in quarantine.", "reason")
BLOOM_FILL = _gauge(
    "iota_bloom_fill_ratio", "Ids of the fullest event hour of two days, as a share of bloom.capacity_max.", "log_type"
)
LAKE_STORED_FILES = _gauge("iota_lake_files", "Files in the lake.", "table")
LAKE_STORED_BYTES = _gauge("iota_lake_bytes", "Bytes in the lake.", "table")
PARTITIONS = _gauge(
    "iota_lake_partitions", "Event hours that have files: a table's partitions, in Glue too where it is set.", "table"
)
QUEUE_DEPTH = _gauge("iota_queue_depth", "About how many messages wait, and are in flight.", "state")
QUEUE_UP = _gauge("iota_queue_up", "Whether the queue answered.")
STORE_UP = _gauge(
    "iota_store_up",
    "Whether the state store answered, at the revision that this iota knows; without it all that it holds is left out.",
)
DAGSTER_UP = _gauge("iota_dagster_up", "Whether Dagster's state could be read; 1 as well where it has never run.")
COLLECT_SECONDS = _gauge(
    "iota_collect_seconds", "What reading the figures of a source took: store, queue, dagster.", "source"
)
RUNS = _gauge("iota_recent_runs", "Of Dagster's last 100 runs within a day, how many are in a status.", "status")
RUN_SECONDS = _gauge("iota_recent_run_seconds", "Duration of the finished ones among them.", "quantile")
RUN_START_SECONDS = _gauge(
    "iota_recent_run_start_seconds", "From the request of a run to its start, of the same.", "quantile"
)
DAEMON_HEARTBEAT = _gauge(
    "iota_daemon_heartbeat_timestamp_seconds",
    "The last sign of life of a part of Dagster's daemon, which runs the sensors and starts the runs.",
    "part",
)

FAMILIES: tuple[Family, ...] = tuple(value for value in list(globals().values()) if isinstance(value, Family))
"""All of them."""

STAGES = {
    "event_to_delivered": "from an event's time to its object's arrival in the bucket; one count for each event",
    "delivered_to_received": "from there to its registration in the ledger; one count for each object",
    "received_to_committed": "from there to the commit of its batch; one count for each object",
    "committed_to_lake": "from the commit to the rows in the lake; one count for each batch",
    "committed_to_alert": "from the commit to an alert's creation; one count for each alert",
    "event_to_alert": "from an alert's last event to its creation: end to end, without the sending",
    "alert_to_sent": "from an alert's creation to its arrival at a destination; one count for each delivery",
}
"""The values of the label `stage`. Alerts count that are young enough to page (`notify_within_hours`)."""

_BY_NAME = {family.name: family for family in FAMILIES}
_PARTS = ("_bucket", "_sum", "_count")


def family_of(sample: str) -> Family | None:
    """The family that a sample's name belongs to; those of histograms end with `_bucket`, `_sum`, `_count`."""
    for part in _PARTS:
        found = _BY_NAME.get(sample.removesuffix(part))
        if found and sample.endswith(part) and found.kind is Kind.HISTOGRAM:
            return found
    return _BY_NAME.get(sample)


_PAGE = """\
# Metrics

<!-- Made by `python -m iota_dagster.core.observability.metrics > docs/metrics.md`; do not edit by hand. -->

`iota serve` shows these at `/metrics` when `enable_metrics` is on; how to run and scrape it is in
[operations.md](operations.md#metrics-and-probes).

**Counters are right across processes, retries, restarts and hosts.** A run is a short process, so nothing is
counted in its memory: each batch's figures are written in the very transaction that commits or publishes it, and
`iota serve` shows the sums. A retry that repeats a step, a twin run and a crash in between count nothing twice. A
batch that is done again counts the most that any of its revisions had, so that no counter ever goes back; its lags
and seconds are those of the first time. The rows are kept for good (some KiB for each batch); housekeeping does not
touch them.

Two things no batch owns. `iota_store_operations_total` and its seconds are added up by each run and written once, at
its end: a run that is killed takes its own with it. The figures of runs are read from Dagster's history.

What can be named beforehand is shown as 0 before it first happens: the objects of each configured integration by
status, the deliveries to each destination, the store's operations. Of others Prometheus sees no growth in a first
burst, since its series begins with it. The alert rules, and the dashboard where it shows counts, allow for that: a
series that is in fewer scrapes of a range than the store answered in (`iota_store_up`) began within it, and all of it
is growth. What the dashboard shows per second lacks a first burst.

Labels are bounded: rules, log types, integrations, tables and destinations are what is configured. Should a family have
more than {most:,} label sets all the same, the first ones stay and the others are one series, with every label `other`.

## Counters

{counters}
## Histograms

{histograms}
| stage | |
|---|---|
{stages}
## Gauges

What is now, from the store, the queue and Dagster. SQS tells nobody the age of its oldest message except CloudWatch;
`iota_oldest_pending_object_timestamp_seconds` is the age of what has been received and is not done.

{gauges}"""


def metrics_page() -> str:
    """The page, in Markdown."""
    return _PAGE.format(
        most=MOST_SERIES,
        counters=_table(Kind.COUNTER),
        histograms=_table(Kind.HISTOGRAM),
        gauges=_table(Kind.GAUGE),
        stages="".join(f"| `{name}` | {text} |\n" for name, text in STAGES.items()),
    )


def _table(kind: Kind) -> str:
    rows = [
        f"| `{family.name}` | {', '.join(f'`{label}`' for label in family.labels)} | {family.help} |\n"
        for family in FAMILIES
        if family.kind is kind
    ]
    return "| metric | labels | |\n|---|---|---|\n" + "".join(rows)


if __name__ == "__main__":
    print(metrics_page(), end="")
