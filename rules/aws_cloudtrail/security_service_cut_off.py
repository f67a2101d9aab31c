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

WATCHERS = ("access-analyzer", "cloudtrail", "config", "detective", "guardduty", "inspector2", "macie", "securityhub")


def rule(event):
    if event.get("eventName") not in ("DisableAWSServiceAccess", "DeregisterDelegatedAdministrator"):
        return False
    return service(event) in WATCHERS and not by_service(event)


def service(event):
    return text(event, "servicePrincipal").partition(".")[0]


def title(event):
    verb = attempt(event, "cut", "cut")
    return f"{actor(event)} {verb} {service(event)} off from the organization in account {account(event)}"


def severity(event):
    if by_tool(event):
        return "LOW"
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"service": service(event), "administrator": request(event, "accountId")}
