from field_helpers import number
from network_helpers import TCP, flow_context, goes_out, host

# The ports under which pools offer the stratum protocol, as far as little else uses them.
STRATUM = (3333, 5555, 7777, 14433, 14444, 45560, 45700)


def rule(event):
    if number(event, "dstPort") not in STRATUM or event.get("action") != "ACCEPT" or number(event, "protocol") != TCP:
        return False
    # A few packets are an attempt; a miner stays connected.
    return number(event, "packets") >= 10 and goes_out(event)


def title(event):
    return f"{host(event)} talks to {event.get('dstAddr')} on a port of mining pools"


def dedup(event):
    return f"{event.get('account')}/{event.get('srcAddr')}"


def unique(event):
    # Miners stay for hours: three intervals of the log in a row, not one connection to a service with an odd port.
    return str(event.get("start") or event.get("end"))


def alert_context(event):
    return flow_context(event)
