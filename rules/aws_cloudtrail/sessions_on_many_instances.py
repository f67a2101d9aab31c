from cloudtrail_helpers import account, actor, by_service, call_context, request, same_actor


def rule(event):
    return (
        event.get("eventName") == "StartSession"
        and event.get("eventSource") == "ssm.amazonaws.com"
        and not by_service(event)
    )


def title(event):
    return f"{actor(event)} opened sessions on many machines in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(request(event, "target", default="unknown"))


def alert_context(event):
    return call_context(event) | {"target": request(event, "target"), "document": request(event, "documentName")}
