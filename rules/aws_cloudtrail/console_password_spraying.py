from cloudtrail_helpers import account, actor, call_context


def rule(event):
    return event.get("eventName") == "ConsoleLogin" and event.deep_get("responseElements", "ConsoleLogin") == "Failure"


def address(event):
    return str(event.get("sourceIPAddress", "an unknown address"))


def title(event):
    return f"Console sign-ins of many users failed from {address(event)}"


def dedup(event):
    return address(event)


def unique(event):
    # All names that AWS hides are one user: a person who mistypes their own name is no attack.
    return f"{account(event)}/{actor(event)}"


def alert_context(event):
    return call_context(event) | {"message": event.get("errorMessage")}
