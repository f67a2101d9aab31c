from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, same_actor

FILTERS = ("CreateFilter", "UpdateFilter")
TRUSTED = ("CreateIPSet", "UpdateIPSet", "CreateTrustedEntitySet", "UpdateTrustedEntitySet")


def rule(event):
    name = event.get("eventName")
    if name not in FILTERS and name not in TRUSTED and name != "DeletePublishingDestination":
        return False
    if event.get("eventSource") != "guardduty.amazonaws.com" or by_service(event):
        return False
    if name in FILTERS:
        return request(event, "action") == "ARCHIVE"
    return name == "DeletePublishingDestination" or request(event, "activate") is True


def title(event):
    verb = attempt(event, "hid", "hide")
    return f"{actor(event)} {verb} findings of GuardDuty in account {account(event)}: {event.get('eventName')}"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "detector": request(event, "detectorId"),
        "name": request(event, "name") or request(event, "filterName"),
        "criteria": request(event, "findingCriteria"),
        "location": request(event, "location"),
    }
