from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, own_role, text

CALLS = ("DeleteUserPermissionsBoundary", "DeleteRolePermissionsBoundary")


def rule(event):
    return event.get("eventName") in CALLS and not by_service(event)


def target(event):
    return text(event, "userName") or text(event, "roleName")


def title(event):
    took = attempt(event, "took", "take")
    return f"{actor(event)} {took} the permissions boundary off {target(event)} in account {account(event)}"


def severity(event):
    if failed(event):
        return "MEDIUM"
    if target(event) in (actor(event), own_role(event)):
        return "CRITICAL"
    return "LOW" if by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"target": target(event)}
