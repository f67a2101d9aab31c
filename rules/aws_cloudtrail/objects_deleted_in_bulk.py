from cloudtrail_helpers import account, actor, by_service, by_tool, call_context, failed, same_actor, text
from cloudtrail_sharing import person


def rule(event):
    if event.get("eventName") not in ("DeleteObject", "DeleteObjects") or failed(event) or by_service(event):
        return False
    return person(event)


def title(event):
    return f"{actor(event)} deleted objects in bulk in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    # A call for many objects does not say which.
    if not text(event, "key"):
        return str(event.get("eventID", "unknown"))
    return f"{text(event, 'bucketName')}/{text(event, 'key')}/{text(event, 'versionId')}"


def severity(event):
    return "INFO" if by_tool(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName"), "object": text(event, "key") or None}
