"""VPC flow logs of Google Cloud: samples of connections, as either side reports them.

A flow happened when its first packet was seen; the entry's own time is that of the report, seconds later.
"""

from __future__ import annotations

from iota_dagster.core.sources.fields import integer, moment, structure, text
from iota_dagster.core.sources.finders import IP
from iota_dagster.core.sources.gcp_log_entry import Entry, EntryMarks, LogEntrySource, entry_layout

_LINK = "jsonPayload.connection"

_LAYOUT = entry_layout(
    text(f"{_LINK}.src_ip", "Address of the source", IP),
    integer(f"{_LINK}.src_port", "Port of the source"),
    text(f"{_LINK}.dest_ip", "Address of the destination", IP),
    integer(f"{_LINK}.dest_port", "Port of the destination"),
    integer(f"{_LINK}.protocol", "Number of the IP protocol: 6 TCP, 17 UDP, 1 ICMP"),
    text("jsonPayload.reporter", "Who reports it: SRC, DEST, SRC_GATEWAY or DEST_GATEWAY"),
    integer("jsonPayload.bytes_sent", "Bytes from source to destination"),
    integer("jsonPayload.packets_sent", "Packets from source to destination"),
    integer("jsonPayload.rtt_msec", "Round-trip time in milliseconds, of TCP"),
    moment("jsonPayload.start_time", "When the first packet was seen (UTC)"),
    moment("jsonPayload.end_time", "When the last packet was seen (UTC)"),
    text("jsonPayload.src_instance.vm_name", "Machine of the source"),
    text("jsonPayload.src_instance.project_id", "Project of that machine"),
    text("jsonPayload.src_vpc.vpc_name", "Network of the source"),
    text("jsonPayload.src_vpc.subnetwork_name", "Subnet of the source"),
    text("jsonPayload.src_location.country", "Country of a source outside of Google"),
    integer("jsonPayload.src_location.asn", "Number of that source's network (AS)"),
    text("jsonPayload.dest_instance.vm_name", "Machine of the destination"),
    text("jsonPayload.dest_instance.project_id", "Project of that machine"),
    text("jsonPayload.dest_vpc.vpc_name", "Network of the destination"),
    text("jsonPayload.dest_vpc.subnetwork_name", "Subnet of the destination"),
    text("jsonPayload.dest_location.country", "Country of a destination outside of Google"),
    integer("jsonPayload.dest_location.asn", "Number of that destination's network (AS)"),
    structure("jsonPayload.src_gke_details", "Cluster, pod and service of the source (JSON)"),
    structure("jsonPayload.dest_gke_details", "The same of the destination (JSON)"),
    time=("jsonPayload.start_time",),
)


def _is_flow(entry: Entry) -> bool:
    flow = entry.json
    if flow is None or entry.proto is not None or entry.of_kubernetes or entry.of_load_balancer or flow.type_url:
        return False
    counted = len(flow.reporter) or len(flow.bytes_sent)
    return bytes(flow.connection).startswith(b"{") and bool(counted) and not len(flow.disposition)


SOURCE = LogEntrySource(
    "GCP.VPCFlow",
    "gcp_vpcflow_events",
    _LAYOUT,
    EntryMarks(
        "jsonPayload with connection (an object), reporter or bytes_sent, and without disposition and @type; "
        "resource.type none of a cluster or an Application Load Balancer",
        _is_flow,
        4,
    ),
    description="Samples of connections in networks of Google Cloud",
    key=r"vpc_flows",
)
