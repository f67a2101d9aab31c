from azure_helpers import actor, azure_context, failed, operation, resource, settings, subscription

EVERYWHERE = ("*", "internet", "any", "0.0.0.0/0", "::/0")
SENSITIVE = (22, 445, 1433, 3306, 3389, 5432, 5985, 6379, 9200, 27017)


def rule(event):
    if operation(event) != "microsoft.network/networksecuritygroups/securityrules/write" or failed(event):
        return False
    asked = settings(event)
    if asked.get("access") != "Allow" or asked.get("direction") != "Inbound":
        return False
    sources = both(asked, "sourceaddressprefix", "sourceaddressprefixes")
    return any(source.lower() in EVERYWHERE for source in sources) and bool(opened(event))


def both(asked, one, many):
    """A setting that comes as one text or as a list of texts."""
    listed = asked.get(many)
    values = [asked.get(one), *(listed if isinstance(listed, list) else [])]
    return [value for value in values if isinstance(value, str)]


def opened(event):
    ranges = both(settings(event), "destinationportrange", "destinationportranges")
    if "*" in ranges:
        return ["all ports"]
    return [str(port) for port in SENSITIVE if any(covers(text, port) for text in ranges)]


def covers(ports, port):
    first, _, last = ports.partition("-")
    return first.isdecimal() and int(first) <= port <= int(last if last.isdecimal() else first)


def title(event):
    ports = ", ".join(opened(event))
    return f"{actor(event)} opened {ports} to the internet in Azure (security rule {resource(event)})"


def dedup(event):
    return f"{subscription(event)}/{resource(event)}"


def alert_context(event):
    return azure_context(event) | {"opened": opened(event)}
