from cloudtrail_helpers import account, actor, attempt, call_context, failed, same_actor, text

CALLS = ("CreateLocationAzureBlob", "CreateLocationObjectStorage")


def rule(event):
    return event.get("eventName") in CALLS and not host(event).endswith(".amazonaws.com")


def host(event):
    return text(event, "serverHostname")


def title(event):
    verb = attempt(event, "prepared", "prepare")
    return f"{actor(event)} {verb} a data transfer out of AWS in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"destination": host(event) or text(event, "containerUrl")}
