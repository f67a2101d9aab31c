from cloudtrail_helpers import account, actor, attempt, call_context, failed, stranger, text
from cloudtrail_sharing import texts

ADDED = ("launchPermission", "add", "items")


def rule(event):
    if event.get("eventName") != "ModifyImageAttribute":
        return False
    return public(event) or any(stranger(event, owner) for owner in texts(event, *ADDED, "userId"))


def public(event):
    return "all" in texts(event, *ADDED, "group")


def audience(event):
    return "everybody" if public(event) else "another account"


def title(event):
    verb = attempt(event, "shared", "share")
    return f"{actor(event)} {verb} a machine image of account {account(event)} with {audience(event)}"


def dedup(event):
    return f"{account(event)}/{actor(event)}/{audience(event)}"


def severity(event):
    if failed(event):
        return "MEDIUM"
    return "CRITICAL" if public(event) else "DEFAULT"


def alert_context(event):
    shared_with = texts(event, *ADDED, "group") + texts(event, *ADDED, "userId")
    return call_context(event) | {"image": text(event, "imageId"), "shared_with": shared_with}
