from cloudtrail_helpers import actor, call_context, failed, long_term_key, same_actor, text
from cloudtrail_sharing import texts

BY_CUSTOMER = "x-amz-server-side-encryption-customer-algorithm"


def rule(event):
    if event.get("eventName") not in ("CopyObject", "PutObject") or failed(event):
        return False
    if not texts(event, BY_CUSTOMER) and event.deep_get("additionalEventData", "SSEApplied") != "SSE_C":
        return False
    # Programs that keep keys of their own write new objects with roles; copying is how old ones are re-encrypted.
    return event.get("eventName") == "CopyObject" or long_term_key(event)


def title(event):
    return f"{actor(event)} encrypts objects of bucket {text(event, 'bucketName')} with a key that AWS does not have"


def dedup(event):
    return same_actor(event)


def unique(event):
    return f"{text(event, 'bucketName')}/{text(event, 'key')}"


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName"), "object": text(event, "key")}
