from field_helpers import text
from slack_helpers import actor, slack_context, workspace

CHANGES = ("role_change_to_owner", "owner_transferred", "role_change_to_admin")


def rule(event):
    return event.get("action") in CHANGES


def user(event):
    return text(event, "entity", "user", "email") or text(event, "entity", "user", "name") or "somebody"


def title(event):
    role = "an admin" if event.get("action") == "role_change_to_admin" else "an owner"
    return f"{actor(event)} made {user(event)} {role} of Slack {workspace(event)}"


def severity(event):
    return "MEDIUM" if event.get("action") == "role_change_to_admin" else "DEFAULT"


def alert_context(event):
    return slack_context(event) | {"user": user(event)}
