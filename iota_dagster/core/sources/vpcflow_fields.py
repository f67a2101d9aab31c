"""The fields that a VPC flow log can have, versions 2 to 11, and the header lines that name them.

AWS writes a name with hyphens in text and with underscores in Parquet; here it has underscores. A column is named as
rules know it: in camel case, with `account` for `account-id` and `status` for `log-status`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from iota_dagster.core.sources.fields import Field, Layout
from iota_dagster.core.sources.finders import ACCOUNT, ARN, INSTANCE, Finder
from iota_dagster.core.sources.kinds import Kind

_COLUMNS = {
    "account_id": "account",
    "log_status": "status",
    "srcaddr": "srcAddr",
    "dstaddr": "dstAddr",
    "srcport": "srcPort",
    "dstport": "dstPort",
    "pkt_srcaddr": "pktSrcAddr",
    "pkt_dstaddr": "pktDstAddr",
}


def _column(name: str) -> str:
    first, *others = name.split("_")
    return _COLUMNS.get(name) or first + "".join(map(str.capitalize, others))


def _text(name: str, description: str, finds: Finder | None = None) -> Field:
    return Field(name, Kind.TEXT, description, finds, _column(name))


def _integer(name: str, description: str) -> Field:
    return Field(name, Kind.INTEGER, description, None, _column(name))


def _second(name: str, description: str) -> Field:
    return Field(name, Kind.TIME, description, None, _column(name))


FIELDS = (
    # version 2: the default format, in this order
    _integer("version", "Highest version among the fields of the flow log"),
    _text("account_id", "Account that owns the network interface; unknown for some interfaces of AWS's own", ACCOUNT),
    _text("interface_id", "Network interface that was watched"),
    _text("srcaddr", "Where the traffic came from; for outgoing traffic the interface's private address"),
    _text("dstaddr", "Where the traffic went to; for incoming traffic the interface's private address"),
    _integer("srcport", "Port it came from"),
    _integer("dstport", "Port it went to"),
    _integer("protocol", "IANA number of the protocol: 1 ICMP, 6 TCP, 17 UDP, …"),
    _integer("packets", "Packets of the flow in the interval"),
    _integer("bytes", "Bytes of the flow in the interval"),
    _second("start", "When the interval's first packet was received (UTC)"),
    _second("end", "When the interval's last packet was received (UTC)"),
    _text("action", "ACCEPT, or REJECT by a security group, a network ACL or after the end of the connection"),
    _text("log_status", "OK; NODATA: no traffic in the interval; SKIPDATA: some flows were not recorded"),
    # version 3
    _text("vpc_id", "VPC of the interface"),
    _text("subnet_id", "Subnet of the interface"),
    _text("instance_id", "Instance of the interface, where it is the customer's own", INSTANCE),
    _integer("tcp_flags", "TCP flags seen, as a bit mask: 1 FIN, 2 SYN, 4 RST, 8 PSH, 16 ACK, 32 URG"),
    _text("type", "IPv4, IPv6 or EFA"),
    _text("pkt_srcaddr", "Source in the packet itself, where a hop between (a NAT gateway, a pod's host) is srcAddr"),
    _text("pkt_dstaddr", "Destination in the packet itself, where a hop between is dstAddr"),
    # version 4
    _text("region", "Region of the interface"),
    _text("az_id", "Availability zone of the interface"),
    _text("sublocation_type", "wavelength, outpost or localzone"),
    _text("sublocation_id", "Id of that sublocation"),
    # version 5
    _text("pkt_src_aws_service", "AWS service that pktSrcAddr belongs to: S3, EC2, AMAZON, …"),
    _text("pkt_dst_aws_service", "AWS service that pktDstAddr belongs to"),
    _text("flow_direction", "ingress or egress, seen from the interface"),
    _integer(
        "traffic_path", "Path of egress traffic as AWS numbers them: 1 within the VPC, … 8 by an internet gateway"
    ),
    # version 7 (6 is that of transit gateway flow logs)
    _text("ecs_cluster_arn", "ARN of the task's ECS cluster", ARN),
    _text("ecs_cluster_name", "Name of the task's ECS cluster"),
    _text("ecs_container_instance_arn", "ARN of the container instance that the task runs on", ARN),
    _text("ecs_container_instance_id", "Id of the container instance that the task runs on", INSTANCE),
    _text("ecs_container_id", "Docker id of the task's first container"),
    _text("ecs_second_container_id", "Docker id of the task's second container"),
    _text("ecs_service_name", "ECS service that started the task"),
    _text("ecs_task_definition_arn", "ARN of the task definition", ARN),
    _text("ecs_task_arn", "ARN of the task", ARN),
    _text("ecs_task_id", "Id of the task"),
    # version 8
    _text("reject_reason", "Why it was rejected if not by a rule, e.g. BPA (block public access)"),
    # version 9
    _text("resource_id", "Resource that the traffic is recorded for, e.g. a regional NAT gateway", INSTANCE),
    # version 10
    _integer("encryption_status", "Whether the traffic was encrypted on its way, as AWS numbers it; 0: it was not"),
    # version 11
    _text("instance_tag", "Value of the first chosen tag of the instance, percent-encoded"),
    _text("instance_tag_2", "Value of the second chosen tag of the instance"),
    _text("interface_tag", "Value of the first chosen tag of the interface, percent-encoded"),
    _text("interface_tag_2", "Value of the second chosen tag of the interface"),
    _text("asg_tag", "Value of the first chosen tag of the Auto Scaling group, percent-encoded"),
    _text("asg_tag_2", "Value of the second chosen tag of the Auto Scaling group"),
    _text("interface_type", "What the interface belongs to: nat_gateway, network_load_balancer, vpc_endpoint, …"),
    _text("next_hop_interface_id", "Interface on the other side: that receives egress, that sent ingress"),
    _text("next_hop_subnet_id", "Subnet of that interface"),
    _text("next_hop_az_id", "Availability zone of that interface"),
    _text("next_hop_vpc_id", "VPC of that interface"),
    _text("next_hop_interface_type", "What that interface belongs to"),
)
"""In the order of the versions that brought them."""

LAYOUT = Layout(FIELDS)
KINDS: Mapping[str, Kind] = {field.path: field.kind for field in FIELDS}
"""Each field's kind by its name."""
ADDRESSES = ("srcaddr", "dstaddr", "pkt_srcaddr", "pkt_dstaddr")
"""The fields that hold addresses."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FEWEST_NAMES = 2  # a single word is more likely a word
_FEWEST_KNOWN = 3  # beside names that AWS may have added since


def names_in(header: bytes) -> tuple[str, ...]:
    """The fields that a header line names; nothing when it is none.

    A header has known names only, or three of them at least among others that look like names.
    """
    try:
        names = tuple(header.decode("ascii").strip().replace("-", "_").split(" "))
    except UnicodeDecodeError:
        return ()
    known = sum(name in KINDS for name in names)
    enough = known >= _FEWEST_KNOWN or known == len(names) >= _FEWEST_NAMES
    return names if enough and all(map(_NAME.fullmatch, names)) else ()


def header_of(fields: str) -> str:
    """The header line of a flow log's format, as AWS writes it (`${version} ${srcaddr} …`) or its names alone.

    `ValueError` when it is none: then no line could be read by it.
    """
    header = " ".join(re.sub(r"[${}]", "", fields).split())
    if not names_in(header.encode()):
        odd = [name for name in header.split(" ") if name.replace("-", "_") not in KINDS]
        raise ValueError(
            "is no format of VPC flow logs: name their fields in order with blanks between them, as version account-id "
            f"interface-id …; unknown are: {', '.join(odd) or 'none, but there are too few'}"
        )
    return header


HEADER_STARTS = frozenset(f"{spelling} "[:4].encode() for name in KINDS for spelling in (name, name.replace("_", "-")))
"""How a header begins that begins with a known name."""
