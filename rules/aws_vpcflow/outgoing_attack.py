from field_helpers import number
from network_helpers import TCP, flow_context, goes_out, host

SERVICES = {22: "SSH", 23: "Telnet", 445: "SMB", 2375: "Docker", 3389: "RDP", 6379: "Redis"}


def rule(event):
    if number(event, "dstPort") not in SERVICES or number(event, "protocol") != TCP:
        return False
    return goes_out(event)


def title(event):
    return f"{host(event)} attacks {SERVICES.get(number(event, 'dstPort'))} of many hosts in the internet"


def dedup(event):
    return f"{event.get('account')}/{event.get('srcAddr')}:{event.get('dstPort')}"


def unique(event):
    return str(event.get("dstAddr"))


def alert_context(event):
    return flow_context(event)
