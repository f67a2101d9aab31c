from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, machine, same_actor

CALLS = ("AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation")


def rule(event):
    return event.get("eventName") in CALLS and not by_service(event)


def title(event):
    gave = attempt(event, "gave", "give")
    return f"{actor(event)} {gave} a running instance another role in account {account(event)}"


def severity(event):
    if machine(event) and not failed(event):
        return "HIGH"
    return "INFO" if by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"machine": machine(event), "request": event.get("requestParameters")}
