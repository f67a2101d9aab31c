from cloudtrail_helpers import account, actor, by_service, by_tool, call_context, failed, request, same_actor
from cloudtrail_reading import from_console


def rule(event):
    return (
        event.get("eventName") in ("GetFunction20150331v2", "GetFunction20150331")
        and not failed(event)
        and not from_console(event)
        and not by_service(event)
    )


def title(event):
    return f"{actor(event)} read the code of many functions in account {account(event)}"


def severity(event):
    return "LOW" if by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def unique(event):
    # By name or by ARN, it is the same function.
    return str(request(event, "functionName", default="unknown")).rpartition(":function:")[2]


def alert_context(event):
    return call_context(event) | {"function": unique(event)}
