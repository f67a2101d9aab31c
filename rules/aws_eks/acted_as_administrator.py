from eks_helpers import audit_context, done, user
from field_helpers import text, texts


def rule(event):
    return done(event) and bool(assumed(event))


def assumed(event):
    """The name of the system that was put on, if one was."""
    if "system:masters" in texts(event, "impersonatedUser", "groups"):
        return "system:masters"
    name = text(event, "impersonatedUser", "username")
    return name if name.startswith("system:") else ""


def title(event):
    return f"{user(event)} acted as {assumed(event)} in a cluster"


def severity(event):
    return "HIGH" if assumed(event) == "system:masters" else "DEFAULT"


def dedup(event):
    return f"{user(event)}/{assumed(event)}"


def alert_context(event):
    return audit_context(event) | {"acted_as": assumed(event)}
