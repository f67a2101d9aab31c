from field_helpers import text
from okta_helpers import actor, okta_context, succeeded, target

GRANTS = ("user.account.privilege.grant", "group.privilege.grant")


def rule(event):
    return event.get("eventType") in GRANTS


def role(event):
    return text(event, "debugContext", "debugData", "privilegeGranted", default="an administrator role")


def title(event):
    verb = "granted" if succeeded(event) else "tried to grant"
    return f"{actor(event)} {verb} {role(event)} to {target(event)} in Okta"


def severity(event):
    if not succeeded(event):
        return "MEDIUM"
    return "CRITICAL" if "super" in role(event).lower() else "DEFAULT"


def alert_context(event):
    return okta_context(event) | {"role": role(event)}
