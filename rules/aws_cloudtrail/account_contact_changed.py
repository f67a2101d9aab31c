from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, text

CONTACTS = ("PutContactInformation", "PutAlternateContact", "DeleteAlternateContact")
ROOT_ADDRESS = ("StartPrimaryEmailUpdate", "AcceptPrimaryEmailUpdate")


def rule(event):
    if event.get("eventName") not in CONTACTS and event.get("eventName") not in ROOT_ADDRESS:
        return False
    return not by_service(event)


def which(event):
    return "root e-mail address" if event.get("eventName") in ROOT_ADDRESS else "contact"


def title(event):
    target = text(event, "accountId") or account(event)
    return f"{actor(event)} {attempt(event, 'changed', 'change')} the {which(event)} of account {target}"


def severity(event):
    if failed(event) or by_tool(event):
        return "LOW"
    return "HIGH" if event.get("eventName") in ROOT_ADDRESS else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"contact_type": text(event, "alternateContactType") or None}
