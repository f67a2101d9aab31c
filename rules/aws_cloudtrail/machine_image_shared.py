from cloudtrail_helpers import account, actor, attempt, text
from cloudtrail_sharing import audience, reaches_outside, sharing_context, sharing_dedup, sharing_severity, texts

ADDED = ("launchPermission", "add", "items")


def rule(event):
    return event.get("eventName") == "ModifyImageAttribute" and reaches_outside(event, readers(event))


def readers(event):
    return texts(event, *ADDED, "group") + texts(event, *ADDED, "userId")


def title(event):
    verb = attempt(event, "shared", "share")
    return f"{actor(event)} {verb} a machine image of account {account(event)} with {audience(readers(event))}"


def dedup(event):
    return sharing_dedup(event, readers(event))


def severity(event):
    return sharing_severity(event, readers(event))


def alert_context(event):
    return sharing_context(event, readers(event), image=text(event, "imageId"))
