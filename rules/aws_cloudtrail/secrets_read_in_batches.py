from cloudtrail_helpers import account, actor, by_service, call_context, failed, request, same_actor
from cloudtrail_reading import texts

MANY = 5


def rule(event):
    name = event.get("eventName")
    if name != "BatchGetSecretValue" and name != "GetParameters":
        return False
    if failed(event) or by_service(event):
        return False
    return name == "BatchGetSecretValue" or (
        request(event, "withDecryption") is True and len(texts(request(event, "names"))) >= MANY
    )


def batch(event):
    """What was asked for by name; "" when it was asked for by a filter."""
    return ",".join(sorted(texts(request(event, "names")) + texts(request(event, "secretIdList"))))


def title(event):
    return f"{actor(event)} read secrets in batches in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    # A program that reads its own batch again is no thief. By a filter every call is another page.
    return batch(event) or str(event.get("eventID", "unknown"))


def alert_context(event):
    return call_context(event) | {
        "batch": batch(event) or request(event, "filters"),
        "service": event.get("eventSource"),
    }
