from cloudtrail_helpers import (
    account,
    actor,
    by_service,
    call_context,
    condition_keys,
    failed,
    outsiders,
    policy_statements,
    text,
)

CALLS = ("CreateRole", "UpdateAssumeRolePolicy")


def rule(event):
    if event.get("eventName") not in CALLS or failed(event) or by_service(event):
        return False
    return bool(outsiders(trust(event), account(event)))


def trust(event):
    return policy_statements(text(event, "policyDocument") or text(event, "assumeRolePolicyDocument"))


def title(event):
    who = ", ".join(outsiders(trust(event), account(event))).replace("*", "everybody")
    return f"{actor(event)} let {who} assume role {text(event, 'roleName')} of account {account(event)}"


def severity(event):
    if "*" in outsiders(trust(event), account(event)):
        return "HIGH"
    without_id = [statement for statement in trust(event) if "sts:externalid" not in condition_keys(statement)]
    return "DEFAULT" if outsiders(without_id, account(event)) else "LOW"


def alert_context(event):
    return call_context(event) | {
        "role": text(event, "roleName"),
        "outsiders": outsiders(trust(event), account(event)),
        "trust": trust(event),
    }
