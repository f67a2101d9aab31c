from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor

OFF = {
    "Disable": ("inspector2", "Inspector"),
    "DisableMacie": ("macie2", "Macie"),
    "DisableSecurityHub": ("securityhub", "Security Hub"),
    "DeleteAnalyzer": ("access-analyzer", "Access Analyzer"),
    "DeleteGraph": ("detective", "Detective"),
}


def rule(event):
    name = event.get("eventName")
    # As a tuple: a name that is no text cannot be looked up in a dictionary.
    if name not in tuple(OFF) or by_service(event):
        return False
    return event.get("eventSource") == f"{OFF[name][0]}.amazonaws.com"


def service(event):
    return OFF[event.get("eventName")][1]


def title(event):
    return f"{actor(event)} {attempt(event, 'disabled', 'disable')} {service(event)} in account {account(event)}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"service": service(event)}
