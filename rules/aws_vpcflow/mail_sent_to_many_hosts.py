from network_helpers import flow_context, goes_out, host

SMTP = 25


def rule(event):
    if event.get("dstPort") != SMTP or event.get("action") != "ACCEPT":
        return False
    return goes_out(event)


def title(event):
    return f"{host(event)} sends mail straight to many mail servers"


def dedup(event):
    return f"{event.get('account')}/{event.get('srcAddr')}"


def unique(event):
    return str(event.get("dstAddr"))


def alert_context(event):
    return flow_context(event)
