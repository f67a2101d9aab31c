from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    call_context,
    failed,
    grants_everything,
    is_administrator_policy,
    policy_statements,
    text,
)

CALLS = ("AttachManagedPolicyToPermissionSet", "PutInlinePolicyToPermissionSet")


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    statements = policy_statements(text(event, "inlinePolicy"))
    return is_administrator_policy(text(event, "managedPolicyArn")) or any(map(grants_everything, statements))


def title(event):
    gave = attempt(event, "gave", "give")
    permission_set = text(event, "permissionSetArn").rpartition("/")[2]
    return f"{actor(event)} {gave} administrator rights to permission set {permission_set} in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    policy = text(event, "managedPolicyArn") or text(event, "inlinePolicy")
    return call_context(event) | {"permission_set": text(event, "permissionSetArn"), "policy": policy}
