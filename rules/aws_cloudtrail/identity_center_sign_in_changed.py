from cloudtrail_helpers import account, actor, attempt, by_service, call_context, same_actor

CALLS = (
    "EnableExternalIdPConfigurationForDirectory",
    "DisableExternalIdPConfigurationForDirectory",
    "AssociateDirectory",
    "DisassociateDirectory",
)


def rule(event):
    return event.get("eventName") in CALLS and not by_service(event)


def title(event):
    changed = attempt(event, "changed", "change")
    return f"{actor(event)} {changed} where single sign-on takes its users from, in account {account(event)}"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
