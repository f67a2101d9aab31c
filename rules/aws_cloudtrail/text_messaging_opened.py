from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    long_term_key,
    same_actor,
    text,
)

CALLS = (
    "SetSMSAttributes",
    "CreateSMSSandboxPhoneNumber",
    "RequestPhoneNumber",
    "SetTextMessageSpendLimitOverride",
)


def rule(event):
    return event.get("eventName") in CALLS and not by_service(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'opened', 'open')} sending of text messages in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    if by_tool(event):
        return "INFO"
    if failed(event):
        return "LOW"
    return "HIGH" if long_term_key(event) else "DEFAULT"


def alert_context(event):
    limit = text(event, "attributes", "MonthlySpendLimit") or None
    return call_context(event) | {"monthly_limit": limit, "phone_number": text(event, "phoneNumber") or None}
