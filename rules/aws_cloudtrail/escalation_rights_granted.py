from fnmatch import fnmatchcase

from cloudtrail_helpers import (
    account,
    actor,
    as_list,
    by_service,
    by_tool,
    call_context,
    failed,
    grants_everything,
    own_role,
    policy_statements,
    request,
    text,
)

INLINE = ("PutUserPolicy", "PutRolePolicy", "PutGroupPolicy")
LADDERS = (
    "iam:addusertogroup",
    "iam:attachgrouppolicy",
    "iam:attachrolepolicy",
    "iam:attachuserpolicy",
    "iam:createaccesskey",
    "iam:createloginprofile",
    "iam:createpolicyversion",
    "iam:putgrouppolicy",
    "iam:putrolepolicy",
    "iam:putuserpolicy",
    "iam:setdefaultpolicyversion",
    "iam:updateassumerolepolicy",
    "iam:updateloginprofile",
    "sts:assumerole",
)


def rule(event):
    name = event.get("eventName")
    if name not in INLINE and name != "CreatePolicyVersion":
        return False
    if failed(event) or by_service(event):
        return False
    if name == "CreatePolicyVersion" and request(event, "setAsDefault") is not True:
        return False
    return bool(rights(event))


def rights(event):
    """The calls granted on everything that lead further; none when everything is granted anyway."""
    statements = policy_statements(text(event, "policyDocument"))
    if any(grants_everything(statement) for statement in statements):
        return []
    return sorted({right for statement in statements for right in ladders(statement)})


def ladders(statement):
    if statement.get("Effect") != "Allow" or statement.get("Condition"):
        return []
    if "*" not in as_list(statement.get("Resource")):
        return []
    patterns = [str(action).lower() for action in as_list(statement.get("Action"))]
    return [ladder for ladder in LADDERS if any(fnmatchcase(ladder, pattern) for pattern in patterns)]


def target(event):
    fields = ("userName", "roleName", "groupName", "policyArn")
    return next((found for field in fields if (found := text(event, field))), "unknown")


def title(event):
    return f"{actor(event)} gave {target(event)} rights that lead to administrator rights in account {account(event)}"


def severity(event):
    if target(event) in (actor(event), own_role(event)):
        return "HIGH"
    return "LOW" if by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"target": target(event), "rights": rights(event)}
