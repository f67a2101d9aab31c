from field_helpers import number
from network_helpers import TCP, comes_in, flow_context

SERVICES = {22: "SSH", 3389: "RDP"}


def rule(event):
    if event.get("action") != "ACCEPT" or number(event, "dstPort") not in SERVICES or number(event, "protocol") != TCP:
        return False
    return comes_in(event)


def title(event):
    service = SERVICES.get(number(event, "dstPort"))
    return f"{event.get('srcAddr')} guesses {service} passwords of {event.get('dstAddr')}"


def dedup(event):
    return f"{event.get('srcAddr')}/{event.get('dstAddr')}:{event.get('dstPort')}"


def unique(event):
    # Every attempt is a connection of its own, from another port; a long session stays one.
    return str(event.get("srcPort"))


def alert_context(event):
    return flow_context(event)
