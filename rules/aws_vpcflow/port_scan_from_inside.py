from field_helpers import number
from network_helpers import flow_context, host, is_private

EPHEMERAL = 32_768


def rule(event):
    if event.get("action") != "REJECT":
        return False
    # A late answer to a client is rejected too; it goes to one of the ports that clients use.
    return 0 < number(event, "dstPort") < EPHEMERAL and is_private(event.get("srcAddr"))


def title(event):
    return f"{host(event)} scans the network: many different targets rejected it"


def dedup(event):
    return f"{event.get('account')}/{event.get('srcAddr')}"


def unique(event):
    return f"{event.get('dstAddr')}:{event.get('dstPort')}"


def alert_context(event):
    return flow_context(event)
