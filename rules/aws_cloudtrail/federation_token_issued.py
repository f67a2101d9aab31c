from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    call_context,
    failed,
    grants_everything,
    policy_statements,
    same_actor,
    text,
)


def rule(event):
    return event.get("eventName") == "GetFederationToken" and not by_service(event)


def title(event):
    took = attempt(event, "took", "take")
    return f"{actor(event)} {took} a federation token named {text(event, 'name')} in account {account(event)}"


def severity(event):
    if failed(event):
        return "LOW"
    return "HIGH" if any(map(grants_everything, policy_statements(text(event, "policy")))) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "federated_user": event.deep_get("responseElements", "federatedUser", "arn"),
        "session_key": event.deep_get("responseElements", "credentials", "accessKeyId"),
        "session_policy": text(event, "policy"),
    }
