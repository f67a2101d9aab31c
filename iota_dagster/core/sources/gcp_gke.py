"""What Google Kubernetes Engine logs beside its audit log: containers, pods, nodes, events and network policies.

The audit log of a cluster is part of Google Cloud's: `GCP.AuditLog`.
"""

from __future__ import annotations

from iota_dagster.core.sources.fields import found_in, integer, structure, text
from iota_dagster.core.sources.finders import IP, URL
from iota_dagster.core.sources.gcp_log_entry import Entry, EntryMarks, LogEntrySource, entry_layout

_OBJECT = "jsonPayload.involvedObject"

_LAYOUT = entry_layout(
    text("resource.labels.cluster_name", "The cluster"),
    text("resource.labels.location", "Zone or region of the cluster"),
    text("resource.labels.namespace_name", "The namespace"),
    text("resource.labels.pod_name", "The pod"),
    text("resource.labels.container_name", "The container"),
    text("resource.labels.node_name", "The node"),
    text("textPayload", "What was logged, as a text"),
    text("jsonPayload.message", "What was logged, of events and structured logs"),
    text("jsonPayload.MESSAGE", "What was logged, of services of the node", name="journal_message"),
    text("jsonPayload.reason", "Why an event happened, in a word"),
    text("jsonPayload.type", "Kind of an event: Normal or Warning"),
    text("jsonPayload.kind", "Event, where the entry is one of Kubernetes"),
    text(f"{_OBJECT}.kind", "Kind of the object that an event is about"),
    text(f"{_OBJECT}.namespace", "Namespace of that object"),
    text(f"{_OBJECT}.name", "Name of that object"),
    text("jsonPayload.source.component", "Component that reports an event"),
    text("jsonPayload.source.host", "Node that reports an event"),
    text("jsonPayload._HOSTNAME", "Name of the node, of services of the node", name="journal_hostname"),
    text("jsonPayload.SYSLOG_IDENTIFIER", "Service of the node", name="journal_identifier"),
    text("jsonPayload._EXE", "Program of that service", name="journal_exe"),
    text("jsonPayload._CMDLINE", "Command line of that service", name="journal_cmdline"),
    text("jsonPayload.disposition", "What a network policy did with a connection: allow or deny"),
    text("jsonPayload.connection.src_ip", "Source of that connection", IP),
    text("jsonPayload.connection.dest_ip", "Destination of that connection", IP),
    integer("jsonPayload.connection.dest_port", "Port of the destination"),
    text("httpRequest.remoteIp", "Client of a request that was logged", IP),
    text("httpRequest.requestUrl", "The URL that was asked", URL),
    integer("httpRequest.status", "The status of the answer"),
    structure("jsonPayload", "What was logged (JSON)"),
    found_in("httpRequest.serverIp", IP),
)


def _is_of_cluster(entry: Entry) -> bool:
    logged = entry.json is not None or entry.text is not None or entry.http is not None
    return entry.of_kubernetes and entry.proto is None and entry.exported is None and logged


SOURCE = LogEntrySource(
    "GCP.GKE",
    "gcp_gke_events",
    _LAYOUT,
    EntryMarks(
        "jsonPayload, textPayload or httpRequest with a resource.type that begins with k8s_ or gke_ or is container, "
        "without protoPayload",
        _is_of_cluster,
        2,
    ),
    description="Containers, nodes, events and network policies of Google Kubernetes Engine",
)
