from cloudtrail_helpers import account, actor, call_context, failed

STOP = ("StopLogging", "DeleteTrail", "DeleteEventDataStore", "StopEventDataStoreIngestion")
NARROW = ("PutEventSelectors", "UpdateTrail")


def rule(event):
    name = event.get("eventName")
    if name not in STOP and name not in NARROW:
        return False
    if event.get("eventSource") != "cloudtrail.amazonaws.com":
        return False
    if name == "PutEventSelectors":
        return drops_management_events(event.get("requestParameters", {}))
    if name == "UpdateTrail":
        request = event.get("requestParameters", {})
        return False in (request.get("isMultiRegionTrail"), request.get("includeGlobalServiceEvents"))
    return True


def drops_management_events(request):
    """Whether no selector keeps all management events, for reading and writing, any more."""
    basic, advanced = request.get("eventSelectors"), request.get("advancedEventSelectors")
    if basic:
        return not any(
            selector.get("includeManagementEvents", True) and selector.get("readWriteType", "All") == "All"
            for selector in basic
        )
    return bool(advanced) and not any(keeps_management_events(selector) for selector in advanced)


def keeps_management_events(selector):
    fields = {field.get("field"): field for field in selector.get("fieldSelectors", [])}
    category = fields.get("eventCategory", {})
    return "Management" in category.get("equals", []) and "readOnly" not in fields


def trail(event):
    request = event.get("requestParameters", {})
    return request.get("name") or request.get("trailName") or request.get("eventDataStore") or "unknown"


def title(event):
    verb = "tried to impair" if failed(event) else "impaired"
    return f"{actor(event)} {verb} CloudTrail in account {account(event)}: {event.get('eventName')}"


def severity(event):
    # A call that failed has done no harm, but nobody makes it by accident.
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return f"{account(event)}/{actor(event)}/{'failed' if failed(event) else 'done'}"


def alert_context(event):
    return call_context(event) | {"trail": trail(event)}
