from cloudtrail_helpers import account, actor, by_tool, call_context, denied, failed, long_term_key, machine, same_actor

DUMPS = ("GetAccountAuthorizationDetails", "GetCredentialReport", "GenerateCredentialReport")


def rule(event):
    if event.get("eventName") not in DUMPS:
        return False
    if not long_term_key(event) and not machine(event):
        return False
    # A report that is not ready yet says nothing; a refusal shows the intent.
    return denied(event) or not failed(event)


def title(event):
    verb = "tried to read" if denied(event) else "read"
    return f"{actor(event)} {verb} all identities of account {account(event)}"


def severity(event):
    if machine(event):
        return "HIGH"
    return "LOW" if by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"machine": machine(event)}
