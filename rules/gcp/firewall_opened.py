from field_helpers import mappings, texts
from gcp_helpers import actor, failed, gcp_context, method, project, resource

CALLS = ("compute.firewalls.insert", "compute.firewalls.patch", "compute.firewalls.update")
EVERYWHERE = ("0.0.0.0/0", "::/0")
# Remote control, file shares, databases and caches; nobody offers them to the internet on purpose.
SENSITIVE = (22, 445, 1433, 2375, 3306, 3389, 5432, 5985, 6379, 6443, 9200, 11211, 27017)


def rule(event):
    if not method(event).endswith(CALLS) or failed(event):
        return False
    request = ("protoPayload", "request")
    if event.deep_get(*request, "direction") == "EGRESS" or event.deep_get(*request, "disabled") is True:
        return False
    return any(source in EVERYWHERE for source in texts(event, *request, "sourceRanges")) and bool(opened(event))


def opened(event):
    """Which sensitive ports the rule opens; for a rule without ports, its protocol."""
    found = []
    for allowed in mappings(event, "protoPayload", "request", "alloweds"):
        ranges = texts(allowed, "ports")
        if ranges:
            found += [str(port) for port in SENSITIVE if any(covers(text, port) for text in ranges)]
        elif allowed.get("IPProtocol") in ("all", "tcp"):
            found.append(f"all of {allowed['IPProtocol']}")
    return found


def covers(ports, port):
    first, _, last = ports.partition("-")
    return first.isdecimal() and int(first) <= port <= int(last if last.isdecimal() else first)


def title(event):
    name = resource(event).rpartition("/")[2]
    return (
        f"{actor(event)} opened {', '.join(opened(event))} to the internet in {project(event)} (firewall rule {name})"
    )


def dedup(event):
    return f"{project(event)}/{resource(event)}"


def alert_context(event):
    return gcp_context(event) | {
        "network": event.deep_get("protoPayload", "request", "network"),
        "opened": opened(event),
        "target_tags": texts(event, "protoPayload", "request", "targetTags"),
    }
