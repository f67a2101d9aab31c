from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, text


def rule(event):
    if event.get("eventName") != "ModifyInstanceAttribute" or by_service(event):
        return False
    return request(event, "userData") is not None or text(event, "attribute") == "userData"


def title(event):
    changed = attempt(event, "changed", "change")
    return f"{actor(event)} {changed} the start script of {text(event, 'instanceId')} in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return f"{account(event)}/{actor(event)}"


def alert_context(event):
    return call_context(event) | {"instance": text(event, "instanceId")}
