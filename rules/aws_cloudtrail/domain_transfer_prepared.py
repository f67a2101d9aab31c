from cloudtrail_helpers import account, actor, attempt, call_context, failed, text

VERBS = {
    "DisableDomainTransferLock": ("unlocked", "unlock"),
    "RetrieveDomainAuthCode": ("read the transfer code of", "read the transfer code of"),
    "TransferDomainToAnotherAwsAccount": ("moved", "move"),
    "UpdateDomainNameservers": ("changed the name servers of", "change the name servers of"),
    "DeleteDomain": ("deleted", "delete"),
}
CALLS = tuple(VERBS)


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    return event.get("eventSource") == "route53domains.amazonaws.com"


def title(event):
    verb = attempt(event, *VERBS[event.get("eventName")])
    return f"{actor(event)} {verb} domain {text(event, 'domainName')} of account {account(event)}"


def dedup(event):
    return f"{account(event)}/{actor(event)}/{text(event, 'domainName')}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"domain": text(event, "domainName"), "new_account": text(event, "accountId") or None}
