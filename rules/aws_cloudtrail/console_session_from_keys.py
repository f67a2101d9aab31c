from cloudtrail_helpers import account, actor, call_context, machine, same_actor

SCRIPTS = ("python-requests/", "python-urllib/", "curl/")


def rule(event):
    return event.get("eventName") == "GetSigninToken" and (stolen(event) or scripted(event))


def stolen(event):
    return bool(machine(event)) or event.deep_get("userIdentity", "type") == "FederatedUser"


def scripted(event):
    return str(event.get("userAgent", "")).lower().startswith(SCRIPTS)


def title(event):
    return f"{actor(event)} turned API credentials into a console session in account {account(event)}"


def severity(event):
    return "DEFAULT" if stolen(event) else "MEDIUM"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"machine": machine(event)}
