from cloudtrail_helpers import account, actor, attempt, call_context, failed, request, same_actor
from cloudtrail_reading import mappings, texts

STOP = ("StopLogging", "DeleteTrail", "DeleteEventDataStore", "StopEventDataStoreIngestion")


def rule(event):
    name = event.get("eventName")
    if name not in STOP and name != "PutEventSelectors" and name != "UpdateTrail":
        return False
    if event.get("eventSource") != "cloudtrail.amazonaws.com":
        return False
    if name == "PutEventSelectors":
        return drops_management_events(event)
    if name == "UpdateTrail":
        return False in (request(event, "isMultiRegionTrail"), request(event, "includeGlobalServiceEvents"))
    return True


def drops_management_events(event):
    """Whether no selector keeps all management events, for reading and writing, any more."""
    if basic := mappings(request(event, "eventSelectors")):
        return not any(
            selector.get("includeManagementEvents", True) and selector.get("readWriteType", "All") == "All"
            for selector in basic
        )
    advanced = mappings(request(event, "advancedEventSelectors"))
    return bool(advanced) and not any(keeps_management_events(selector) for selector in advanced)


def keeps_management_events(selector):
    fields = {str(field.get("field")): field for field in mappings(selector.get("fieldSelectors"))}
    if "eventCategory" not in fields or "readOnly" in fields:
        return False
    # Noisy services may be left out; one that is chosen leaves out all others.
    chosen = "eventSource" in fields and texts(fields["eventSource"].get("equals"))
    return "Management" in texts(fields["eventCategory"].get("equals")) and not chosen


def trail(event):
    keys = ("name", "trailName", "eventDataStore")
    return next((request(event, key) for key in keys if request(event, key)), "unknown")


def title(event):
    verb = attempt(event, "impaired", "impair")
    return f"{actor(event)} {verb} CloudTrail in account {account(event)}: {event.get('eventName')}"


def severity(event):
    # A call that failed has done no harm, but nobody makes it by accident.
    return "MEDIUM" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"trail": trail(event)}
