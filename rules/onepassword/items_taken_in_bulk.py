from field_helpers import text
from onepassword_helpers import onepassword_context, user

TAKING = ("reveal", "secure-copy", "export", "share")


def rule(event):
    return event.get("action") in TAKING


def title(event):
    return f"{user(event)} took many items out of 1Password"


def dedup(event):
    return user(event)


def unique(event):
    return text(event, "item_uuid", default="unknown")


def alert_context(event):
    return onepassword_context(event) | {"item": event.get("item_uuid"), "vault": event.get("vault_uuid")}
