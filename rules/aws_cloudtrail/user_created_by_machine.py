from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    machine,
    same_actor,
    text,
)


def rule(event):
    if event.get("eventName") != "CreateUser" or event.get("eventSource") != "iam.amazonaws.com":
        return False
    return bool(machine(event)) and not by_service(event)


def title(event):
    created = attempt(event, "created", "create")
    return f"Machine {actor(event)} {created} IAM user {text(event, 'userName')} in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"machine": machine(event), "user": text(event, "userName")}
