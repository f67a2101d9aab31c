"""Route 53 Resolver query logs: the DNS names that hosts of a VPC asked for, and the answers."""

from __future__ import annotations

from iota_dagster.core.sources.columns import Words
from iota_dagster.core.sources.fields import Layout, integer, moment, structure, text
from iota_dagster.core.sources.finders import ACCOUNT, DOMAIN, INSTANCE, IP, PLACE, Finder
from iota_dagster.core.sources.json_source import JsonSource
from iota_dagster.core.sources.marks import ANYTHING, TEXT_VALUE, Marks


def _answer(text: str) -> tuple[Words, ...]:
    """What an answer points at: the last word, since priority, weight and port stand before a name."""
    return PLACE.find(text.rpartition(" ")[2])


_LAYOUT = Layout(
    (
        text("version", "Version of the record's format"),
        text("account_id", "The account of the VPC", ACCOUNT),
        text("region", "The region of the VPC"),
        text("vpc_id", "The VPC in which the question was asked"),
        moment("query_timestamp", "When it was asked (UTC)"),
        text("query_name", "The name that was asked for, with its final dot", DOMAIN),
        text("query_type", "The type of record that was asked for: A, AAAA, TXT, …"),
        text("query_class", "The class of the question, as a rule IN"),
        text("rcode", "How it was answered: NOERROR, NXDOMAIN, SERVFAIL, …"),
        text("answers[].Rdata", "What the answers say: addresses, names, texts", Finder(PLACE.gives, _answer)),
        structure("answers", "The answers with type and class (JSON)"),
        text("srcaddr", "The address that asked", IP),
        integer("srcport", "The port from which it asked"),
        text("transport", "UDP, TCP or DoH"),
        text("srcids.instance", "The EC2 instance that asked", INSTANCE),
        text("srcids.resolver_endpoint", "The resolver endpoint through which it was asked"),
        text("srcids.resolver_network_interface", "The network interface of that endpoint"),
        text("firewall_rule_action", "What the DNS firewall did: ALERT or BLOCK; nothing where no rule matched"),
        text("firewall_rule_group_id", "The rule group of the rule that matched"),
        text("firewall_domain_list_id", "The list of domains on which the name stands"),
    ),
    time=("query_timestamp",),
    account=("account_id",),
    region=("region",),
)

SOURCE = JsonSource(
    "AWS.VPCDns",
    "vpcdns_events",
    _LAYOUT,
    Marks({"query_timestamp": TEXT_VALUE, "query_name": ANYTHING}),
    description="DNS names that hosts of a VPC looked up, and the answers",
    key=r"vpcdnsquerylogs",
)
