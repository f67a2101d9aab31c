from dns_helpers import asker, belongs_to, dns_context, name
from field_helpers import mappings

# The instance metadata services (IPv4 and IPv6) and the credentials of containers.
METADATA = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254")
OWN = ("internal", "amazonaws.com")


def rule(event):
    if belongs_to(name(event), OWN):
        return False
    return any(answer.get("Rdata") in METADATA for answer in mappings(event, "answers"))


def title(event):
    return f"{name(event)} points at the instance metadata, and {asker(event)} looked it up"


def dedup(event):
    return f"{event.get('account_id')}/{name(event)}"


def alert_context(event):
    return dns_context(event)
