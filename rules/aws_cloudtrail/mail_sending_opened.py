from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    first_text,
    long_term_key,
    request,
    same_actor,
    text,
)

SENDERS = ("VerifyEmailIdentity", "VerifyDomainIdentity", "CreateEmailIdentity")
SWITCHES = {"UpdateAccountSendingEnabled": "enabled", "PutAccountSendingAttributes": "sendingEnabled"}
CALLS = (*SENDERS, *SWITCHES, "PutAccountDetails")


def rule(event):
    name = event.get("eventName")
    if name not in CALLS or by_service(event):
        return False
    if name in SENDERS:
        return long_term_key(event)
    return name == "PutAccountDetails" or request(event, SWITCHES[name]) is True


def title(event):
    return f"{actor(event)} {attempt(event, 'opened', 'open')} sending of e-mail in account {account(event)}"


def dedup(event):
    return same_actor(event)


def severity(event):
    if by_tool(event):
        return "INFO"
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    sender = first_text(event, ("emailAddress", "domain", "emailIdentity"))
    return call_context(event) | {"sender": sender, "use_case": text(event, "useCaseDescription") or None}
