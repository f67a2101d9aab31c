import json

from cloudtrail_helpers import account, actor, call_context, failed

ATTACH = ("AttachUserPolicy", "AttachRolePolicy", "AttachGroupPolicy")
INLINE = ("PutUserPolicy", "PutRolePolicy", "PutGroupPolicy", "CreatePolicyVersion")
MANAGED = ("AdministratorAccess", "IAMFullAccess")
EVERYTHING = ("*", "*:*", "iam:*")


def rule(event):
    name = event.get("eventName")
    if name not in ATTACH and name not in INLINE:
        return False
    if event.get("eventSource") != "iam.amazonaws.com" or failed(event):
        return False
    request = event.get("requestParameters", {})
    if name in ATTACH:
        return is_administrator_policy(request.get("policyArn", ""))
    if name == "CreatePolicyVersion" and not request.get("setAsDefault"):
        return False
    return any(grants_everything(statement) for statement in statements(request.get("policyDocument")))


def is_administrator_policy(arn):
    # Only AWS's own policies have no account in their ARN, in any partition (aws, aws-cn, aws-us-gov).
    return ":iam::aws:policy/" in arn and arn.rpartition("/")[2] in MANAGED


def statements(document):
    try:
        parsed = json.loads(document or "{}")
    except ValueError:
        return []
    found = parsed.get("Statement", []) if isinstance(parsed, dict) else []
    return [statement for statement in as_list(found) if isinstance(statement, dict)]


def grants_everything(statement):
    if statement.get("Effect") != "Allow" or "*" not in as_list(statement.get("Resource")):
        return False
    if "NotAction" in statement:
        # All but a few calls is everything too, unless identities are among the few.
        return not any(str(action).startswith("iam:") for action in as_list(statement["NotAction"]))
    return any(str(action).lower() in EVERYTHING for action in as_list(statement.get("Action")))


def as_list(value):
    return value if isinstance(value, list) else [] if value is None else [value]


def target(event):
    request = event.get("requestParameters", {})
    for kind in ("user", "role", "group"):
        if name := request.get(f"{kind}Name"):
            return kind, name
    return "policy", request.get("policyArn", "unknown")


def title(event):
    kind, name = target(event)
    return f"{actor(event)} gave administrator rights to {kind} {name} in account {account(event)}"


def severity(event):
    # Rights for oneself are the plainest form of privilege escalation.
    return "CRITICAL" if target(event) == ("user", actor(event)) else "DEFAULT"


def alert_context(event):
    kind, name = target(event)
    request = event.get("requestParameters", {})
    policy = request.get("policyArn") or request.get("policyName")
    return call_context(event) | {"target": f"{kind}/{name}", "policy": policy}
