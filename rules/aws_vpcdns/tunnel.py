from dns_helpers import asker, belongs_to, dns_context, name, source

# Names of services and address ranges that are long by nature.
LONG_BY_NATURE = (
    "amazonaws.com",
    "amazonaws.com.cn",
    "cloudfront.net",
    "akamaiedge.net",
    "in-addr.arpa",
    "ip6.arpa",
    "internal",
)
LONG_LABEL = 40


def rule(event):
    domain = name(event)
    long = any(len(label) >= LONG_LABEL for label in domain.split("."))
    return long and not belongs_to(domain, LONG_BY_NATURE)


def parent(event):
    return ".".join(name(event).split(".")[-2:])


def title(event):
    return f"{asker(event)} may be tunnelling data through DNS names of {parent(event)}"


def dedup(event):
    return f"{source(event)}/{parent(event)}"


def unique(event):
    return name(event)


def alert_context(event):
    return dns_context(event) | {"parent_domain": parent(event)}
