from gsuite_helpers import actor, gsuite_context, named, parameters, words

GRANTS = ("ASSIGN_ROLE", "GRANT_ADMIN_PRIVILEGE", "GRANT_DELEGATED_ADMIN_PRIVILEGES")


def rule(event):
    return bool(named(event, GRANTS))


def grant(event):
    """Who got which role."""
    item = named(event, GRANTS)[0]
    values = parameters(item)
    role = "_SEED_ADMIN_ROLE" if item.get("name") == "GRANT_ADMIN_PRIVILEGE" else words(values.get("ROLE_NAME"))
    return words(values.get("USER_EMAIL")) or "unknown", role.strip("_") or "an admin role"


def title(event):
    user, role = grant(event)
    return f"{actor(event)} granted {role} to {user} in Google Workspace"


def severity(event):
    return "CRITICAL" if grant(event)[1] == "SEED_ADMIN_ROLE" else "DEFAULT"


def alert_context(event):
    user, role = grant(event)
    return gsuite_context(event) | {"role": role, "user": user}
