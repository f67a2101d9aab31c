from cloudtrail_helpers import account, call_context

MARKS = ("darwin/", "os/macos", "macos/", "mac os x")


def rule(event):
    if event.deep_get("userIdentity", "type") != "AssumedRole":
        return False
    agent = str(event.get("userAgent", "")).lower()
    return any(mark in agent for mark in MARKS) and bool(instance(event))


def instance(event):
    """The instance whose role session this is; "" for other sessions."""
    session = str(event.deep_get("userIdentity", "arn", default="")).rpartition("/")[2]
    return session if session.startswith("i-") else ""


def title(event):
    return f"Credentials of instance {instance(event)} in account {account(event)} are used on a Mac"


def dedup(event):
    return f"{account(event)}/{event.deep_get('userIdentity', 'arn')}"


def alert_context(event):
    return call_context(event) | {"instance": instance(event)}
