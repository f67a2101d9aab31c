from cloudtrail_helpers import account, actor, by_service, call_context, denied, request, same_actor


def rule(event):
    return event.get("eventName") == "AssumeRole" and denied(event) and not by_service(event)


def title(event):
    return f"{actor(event)} was refused many roles in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return str(request(event, "roleArn", default="unknown"))


def alert_context(event):
    return call_context(event) | {"role": request(event, "roleArn")}
