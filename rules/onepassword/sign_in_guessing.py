from onepassword_helpers import onepassword_context, user

FAILURES = ("credentials_failed", "mfa_failed", "sso_failed")


def rule(event):
    # Every sign-in with two steps begins with one that lacks the second factor.
    return event.get("category") in FAILURES and event.get("type") != "mfa_missing"


def title(event):
    return f"Somebody fails again and again to sign in to 1Password as {user(event)}"


def dedup(event):
    return user(event)


def alert_context(event):
    return onepassword_context(event) | {"type": event.get("type")}
