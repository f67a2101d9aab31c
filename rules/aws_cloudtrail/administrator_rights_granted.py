from cloudtrail_helpers import (
    account,
    actor,
    call_context,
    failed,
    grants_everything,
    is_administrator_policy,
    policy_statements,
    request,
    text,
)

ATTACH = ("AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy")
INLINE = ("PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "CreatePolicyVersion")


def rule(event):
    name = event.get("eventName")
    if name not in ATTACH and name not in INLINE:
        return False
    if event.get("eventSource") != "iam.amazonaws.com" or failed(event):
        return False
    if name in ATTACH:
        return is_administrator_policy(text(event, "policyArn"))
    if name == "CreatePolicyVersion" and not request(event, "setAsDefault"):
        return False
    return any(grants_everything(statement) for statement in policy_statements(request(event, "policyDocument")))


def target(event):
    for kind in ("user", "role", "group"):
        if name := text(event, f"{kind}Name"):
            return kind, name
    return "policy", text(event, "policyArn") or "unknown"


def title(event):
    kind, name = target(event)
    return f"{actor(event)} gave administrator rights to {kind} {name} in account {account(event)}"


def severity(event):
    # Rights for oneself are the plainest form of privilege escalation.
    return "CRITICAL" if target(event) == ("user", actor(event)) else "DEFAULT"


def alert_context(event):
    kind, name = target(event)
    policy = text(event, "policyArn") or text(event, "policyName")
    return call_context(event) | {"target": f"{kind}/{name}", "policy": policy or None}
