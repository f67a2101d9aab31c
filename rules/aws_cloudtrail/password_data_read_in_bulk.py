from cloudtrail_helpers import account, actor, by_service, call_context, request, same_actor


def rule(event):
    return (
        event.get("eventName") == "GetPasswordData"
        and event.get("eventSource") == "ec2.amazonaws.com"
        and not by_service(event)
    )


def title(event):
    return f"{actor(event)} asked for the Windows passwords of many instances in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(request(event, "instanceId", default="unknown"))


def alert_context(event):
    return call_context(event) | {"instance": request(event, "instanceId")}
