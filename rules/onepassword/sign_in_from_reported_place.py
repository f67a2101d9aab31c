from field_helpers import text
from onepassword_helpers import onepassword_context, user


def rule(event):
    return event.get("category") == "firewall_reported_success"


def title(event):
    where = "an anonymous network" if anonymous(event) else text(event, "location", "country", default="unknown")
    return f"{user(event)} signed in to 1Password from {where}, which a firewall rule reports"


def anonymous(event):
    return event.get("type") == "anonymous_reported"


def severity(event):
    return "HIGH" if anonymous(event) else "DEFAULT"


def dedup(event):
    return user(event)


def alert_context(event):
    return onepassword_context(event) | {"type": event.get("type")}
