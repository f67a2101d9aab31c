"""Addresses and flows, as rules judge them."""

import ipaddress
from functools import lru_cache

from field_helpers import number, text

PRIVATE = tuple(
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
# The documentation ranges are not among them on purpose: tests use those where a public address belongs.
SPECIAL = tuple(
    ipaddress.ip_network(network)
    for network in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8")
)
TCP = 6


def is_public(value):
    """Whether a value is an address of the internet."""
    return _kind(value) == "public" if isinstance(value, str) else False


def is_private(value):
    """Whether a value is an address of a private network."""
    return _kind(value) == "private" if isinstance(value, str) else False


@lru_cache(maxsize=65_536)
def _kind(value):
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        return "none"
    address = getattr(address, "ipv4_mapped", None) or address
    if any(address in network for network in PRIVATE):
        return "private"
    return "special" if any(address in network for network in SPECIAL) else "public"


def comes_in(event):
    """Whether a flow leads from the internet to a host of ours."""
    return is_public(event.get("srcAddr")) and is_private(event.get("dstAddr"))


def goes_out(event):
    """Whether a flow leads from a host of ours, as the client (the higher port), to the internet."""
    ours = number(event, "srcPort") > number(event, "dstPort")
    return ours and is_private(event.get("srcAddr")) and is_public(event.get("dstAddr"))


def host(event):
    """The host whose network interface a flow left, as far as the record names it."""
    address, instance = text(event, "srcAddr", default="unknown"), text(event, "instanceId")
    return f"{instance} ({address})" if instance else address


def flow_context(event):
    """What an analyst looks at first, the same in every alert on flows."""
    return {
        "account": event.get("account") or event.get("accountId"),
        "bytes": event.get("bytes"),
        "destination": f"{event.get('dstAddr', 'unknown')}:{event.get('dstPort', '')}",
        "instance": event.get("instanceId"),
        "interface": event.get("interfaceId"),
        "packets": event.get("packets"),
        "source": f"{event.get('srcAddr', 'unknown')}:{event.get('srcPort', '')}",
        "vpc": event.get("vpcId"),
    }
