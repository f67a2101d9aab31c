from cloudtrail_helpers import account, actor, attempt, by_tool, call_context, failed, text
from cloudtrail_sharing import person


def rule(event):
    if event.get("eventName") != "CreateServer" or event.get("eventSource") != "transfer.amazonaws.com":
        return False
    # Public is what one gets without asking for anything else.
    return text(event, "endpointType") in ("", "PUBLIC") and person(event)


def title(event):
    verb = attempt(event, "created", "create")
    return f"{actor(event)} {verb} a public file transfer server in account {account(event)}"


def severity(event):
    if by_tool(event):
        return "INFO"
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"server_id": event.deep_get("responseElements", "serverId")}
