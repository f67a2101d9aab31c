from cloudtrail_helpers import account, actor, attempt, by_service, by_tool, call_context, failed, request, same_actor


def rule(event):
    return (
        event.get("eventName") in ("ScheduleKeyDeletion", "DisableKey")
        and event.get("eventSource") == "kms.amazonaws.com"
        and not by_service(event)
    )


def title(event):
    deletion = event.get("eventName") == "ScheduleKeyDeletion"
    verb = attempt(event, "scheduled", "schedule") if deletion else attempt(event, "disabled", "disable")
    what = "the deletion of key" if deletion else "key"
    return f"{actor(event)} {verb} {what} {request(event, 'keyId', default='unknown')} in account {account(event)}"


def severity(event):
    if failed(event) or by_tool(event):
        return "LOW"
    return "HIGH" if request(event, "pendingWindowInDays") == 7 else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {
        "key": request(event, "keyId"),
        "deleted_on": event.deep_get("responseElements", "deletionDate"),
        "window_days": request(event, "pendingWindowInDays"),
    }
