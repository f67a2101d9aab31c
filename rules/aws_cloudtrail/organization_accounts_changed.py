from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, text

VERBS = {
    "CreateAccount": ("created", "create"),
    "InviteAccountToOrganization": ("invited", "invite"),
    "MoveAccount": ("moved", "move"),
    "RemoveAccountFromOrganization": ("removed", "remove"),
    "CloseAccount": ("closed", "close"),
}
CALLS = tuple(VERBS)
SEVERITY = {"RemoveAccountFromOrganization": "HIGH", "CloseAccount": "CRITICAL"}


def rule(event):
    if event.get("eventName") not in CALLS or by_service(event):
        return False
    return event.get("eventSource") == "organizations.amazonaws.com"


def which(event):
    return text(event, "accountId") or text(event, "target", "id") or "unknown"


def title(event):
    verb, organization = attempt(event, *VERBS[event.get("eventName")]), account(event)
    named = "an account" if event.get("eventName") == "CreateAccount" else f"account {which(event)}"
    return f"{actor(event)} {verb} {named} (organization of {organization})"


def severity(event):
    if failed(event) or by_tool(event):
        return "MEDIUM" if event.get("eventName") in SEVERITY else "LOW"
    return SEVERITY.get(event.get("eventName"), "DEFAULT")


def alert_context(event):
    parent = text(event, "destinationParentId") or None
    return call_context(event) | {"target_account": which(event), "new_parent": parent}
