"""What several rules ask of a Route 53 resolver query."""

from field_helpers import mappings, text


def name(event):
    """The name that was asked for, in small letters and without the dot at its end."""
    return text(event, "query_name").lower().rstrip(".")


def belongs_to(domain, parents):
    """The one of some domains that a name is or lies in; empty if none."""
    return next((parent for parent in parents if domain == parent or domain.endswith(f".{parent}")), "")


def asker(event):
    """Who asked: the instance where the record names it, else the address."""
    address, instance = text(event, "srcaddr", default="unknown"), text(event, "srcids", "instance")
    return f"{instance} ({address})" if instance else address


def source(event):
    """The key by which queries of one host belong together."""
    return f"{event.get('account_id')}/{text(event, 'srcids', 'instance') or event.get('srcaddr')}"


def dns_context(event):
    """What an analyst looks at first, the same in every alert on DNS queries."""
    return {
        "account": event.get("account_id"),
        "answer_code": event.get("rcode"),
        "answers": [answer.get("Rdata") for answer in mappings(event, "answers")],
        "instance": event.deep_get("srcids", "instance"),
        "name": event.get("query_name"),
        "region": event.get("region"),
        "source_ip": event.get("srcaddr"),
        "type": event.get("query_type"),
        "vpc": event.get("vpc_id"),
    }
