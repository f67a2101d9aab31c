from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, same_actor, text


def rule(event):
    if event.get("eventName") not in ("DetachPolicy", "DisablePolicyType"):
        return False
    return event.get("eventSource") == "organizations.amazonaws.com" and not by_service(event)


def title(event):
    took = attempt(event, "took", "take")
    what = text(event, "policyId") or text(event, "policyType")
    target = text(event, "targetId") or text(event, "rootId")
    return f"{actor(event)} {took} organization policy {what} off {target} in account {account(event)}"


def severity(event):
    if by_tool(event):
        return "LOW"
    return "HIGH" if event.get("eventName") == "DisablePolicyType" else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    policy = text(event, "policyId") or text(event, "policyType")
    return call_context(event) | {"policy": policy, "target": text(event, "targetId") or text(event, "rootId")}
