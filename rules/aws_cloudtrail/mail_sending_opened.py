from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    request,
    same_actor,
    text,
)
from cloudtrail_sharing import long_term_key

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
    names = ("emailAddress", "domain", "emailIdentity")
    sender = next(filter(None, (text(event, name) for name in names)), None)
    return call_context(event) | {"sender": sender, "use_case": text(event, "useCaseDescription") or None}
