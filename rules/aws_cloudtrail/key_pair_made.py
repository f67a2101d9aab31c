from cloudtrail_helpers import (
    account,
    actor,
    by_service,
    by_tool,
    call_context,
    failed,
    long_term_key,
    same_actor,
    text,
)


def rule(event):
    if event.get("eventName") not in ("CreateKeyPair", "ImportKeyPair") or failed(event) or by_service(event):
        return False
    return long_term_key(event)


def title(event):
    return f"{actor(event)} made SSH key pair {text(event, 'keyName')} in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "INFO" if by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"key_name": text(event, "keyName")}
