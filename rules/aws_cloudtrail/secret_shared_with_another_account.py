from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    call_context,
    failed,
    outsiders,
    policy_statements,
    request,
    text,
)


def rule(event):
    if event.get("eventName") != "PutResourcePolicy" or event.get("eventSource") != "secretsmanager.amazonaws.com":
        return False
    return bool(shared_with(event))


def shared_with(event):
    found = outsiders(policy_statements(request(event, "resourcePolicy")), account(event))
    # Everybody is the matter of AWS.Resources.PolicyMadePublic.
    return [owner for owner in found if owner != "*"]


def title(event):
    verb, others = attempt(event, "shared", "share"), ", ".join(shared_with(event))
    return f"{actor(event)} {verb} secret {text(event, 'secretId')} of account {account(event)} with {others}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"secret": text(event, "secretId"), "shared_with": shared_with(event)}
