from dns_helpers import asker, belongs_to, dns_context, name, source

HIDDEN = ("onion", "onion.ly", "onion.pet", "onion.ws", "tor2web.org", "torproject.org")


def rule(event):
    return bool(belongs_to(name(event), HIDDEN))


def title(event):
    return f"{asker(event)} looked up {name(event)}, a name of the Tor network"


def dedup(event):
    return source(event)


def alert_context(event):
    return dns_context(event)
