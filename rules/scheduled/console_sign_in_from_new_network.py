"""A row: a user's first sign-in from a network in 30 days, with how many networks they were seen in, this one too."""

FEW_NETWORKS = 5


def rule(event):
    seen = event.get("networks_seen")
    return isinstance(seen, int) and seen <= FEW_NETWORKS


def title(event):
    user = str(event.get("arn", "somebody")).rpartition("/")[2]
    account, address = event.get("account", "?"), event.get("address", "?")
    return f"{user} signed in to account {account} from {address}, a network new to them"


def dedup(event):
    return f"{event.get('arn', '?')} {event.get('network', '?')}"


def alert_context(event):
    return {name: event.get(name) for name in ("arn", "address", "networks_seen", "user_agent")}
