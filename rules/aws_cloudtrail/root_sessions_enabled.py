from cloudtrail_helpers import account, actor, attempt, by_service, call_context, same_actor

CALLS = ("EnableOrganizationsRootSessions", "EnableOrganizationsRootCredentialsManagement")


def rule(event):
    return event.get("eventName") in CALLS and not by_service(event)


def title(event):
    enabled = attempt(event, "enabled", "enable")
    return f"{actor(event)} {enabled} root access to all member accounts from account {account(event)}"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event)
