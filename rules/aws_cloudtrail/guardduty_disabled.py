from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor
from cloudtrail_reading import mappings

CUTS = (
    "DeleteDetector",
    "DeleteMembers",
    "DisableOrganizationAdminAccount",
    "DisassociateFromAdministratorAccount",
    "DisassociateFromMasterAccount",
    "DisassociateMembers",
    "StopMonitoringMembers",
)


def rule(event):
    name = event.get("eventName")
    if name not in CUTS and name != "UpdateDetector":
        return False
    if event.get("eventSource") != "guardduty.amazonaws.com" or by_service(event):
        return False
    return name in CUTS or request(event, "enable") is False or bool(switched_off(event))


def switched_off(event):
    """The kinds of protection that the call switches off."""
    features = mappings(request(event, "features"))
    return [feature.get("name") for feature in features if feature.get("status") == "DISABLED"]


def title(event):
    verb = attempt(event, "impaired", "impair")
    return f"{actor(event)} {verb} GuardDuty in account {account(event)}: {event.get('eventName')}"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "detector": request(event, "detectorId"),
        "accounts": event.deep_walk("requestParameters", "accountIds"),
        "switched_off": switched_off(event),
    }
