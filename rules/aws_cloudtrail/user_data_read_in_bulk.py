from cloudtrail_helpers import account, actor, by_service, by_tool, call_context, request, same_actor
from cloudtrail_reading import from_console


def rule(event):
    return (
        event.get("eventName") == "DescribeInstanceAttribute"
        and request(event, "attribute") == "userData"
        and not from_console(event)
        and not by_service(event)
    )


def title(event):
    return f"{actor(event)} read the user data of many instances in account {account(event)}"


def severity(event):
    return "LOW" if by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(request(event, "instanceId", default="unknown"))


def alert_context(event):
    return call_context(event) | {"instance": request(event, "instanceId")}
