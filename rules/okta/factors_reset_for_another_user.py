from okta_helpers import actor, name_of, okta_context, succeeded, targets

RESETS = ("user.mfa.factor.reset_all", "user.mfa.factor.deactivate")


def rule(event):
    if event.get("eventType") not in RESETS or not succeeded(event):
        return False
    # Okta itself removes the factors of users that are deactivated.
    if event.deep_get("actor", "type") == "SystemPrincipal":
        return False
    users = targets(event, "User")
    return bool(users) and users[0].get("id") != event.deep_get("actor", "id")


def victim(event):
    return next(map(name_of, targets(event, "User")), "unknown")


def title(event):
    return f"{actor(event)} removed MFA factors of {victim(event)} in Okta"


def severity(event):
    # Help desks do it from the office, not through anonymizing proxies.
    return "HIGH" if event.deep_get("securityContext", "isProxy") is True else "DEFAULT"


def alert_context(event):
    return okta_context(event) | {"user": victim(event)}
