from cloudtrail_helpers import account, actor, call_context, long_term_key, same_actor

LAUNCHES = ("RunInstances", "RequestSpotInstances", "RequestSpotFleet", "CreateFleet")


def rule(event):
    if event.get("eventName") not in LAUNCHES or event.get("errorCode") != "Client.DryRunOperation":
        return False
    return long_term_key(event)


def title(event):
    return f"{actor(event)} tried out whether its key may launch machines in account {account(event)}"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
