"""Queries to authoritative name servers of Cloudflare (Logpush dataset dns_logs). They have no id."""

from __future__ import annotations

from iota_dagster.core.sources.fields import Layout, flag, integer, moment, text
from iota_dagster.core.sources.finders import DOMAIN, IP
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import TEXT_VALUE, Marks

_LAYOUT = Layout(
    (
        moment("Timestamp", "When the query came (UTC)"),
        text("QueryName", "The name that was asked for, as it was written", DOMAIN),
        integer("QueryType", "Number of the record type that was asked for: 1 A, 28 AAAA, 16 TXT, …"),
        integer("ResponseCode", "Code of the answer: 0 NOERROR, 3 NXDOMAIN, 5 REFUSED, …"),
        flag("ResponseCached", "Whether the answer came from a cache"),
        text("SourceIP", "Address of the resolver that asked", IP),
        text("EDNSSubnet", "Network of the resolver's client, as the resolver says", IP),
        integer("EDNSSubnetLength", "Length of that network's prefix in bits"),
        text("ColoCode", "The data center, by the code of its airport"),
    ),
    time=("Timestamp",),
)
_OF_DNS_FIREWALL = ("ClusterID", "ClientResponseCode", "UpstreamIP", "UpstreamResponseCode")
_OF_GATEWAY = ("Datetime", "ResolverDecision")
_OTHERS = ("Timestamp", "ResponseCode", "ResponseCached", "EDNSSubnet", "EDNSSubnetLength", "ColoCode")

SOURCE = JsonSource(
    "Cloudflare.DNS",
    "cloudflare_dns_events",
    _LAYOUT,
    Marks({"QueryName": TEXT_VALUE}, (*_OF_DNS_FIREWALL, *_OF_GATEWAY), _OTHERS),
    description="Queries to Cloudflare's authoritative name servers",
    key=r"dns_logs",
)
