from cloudtrail_helpers import account, actor, by_service, call_context, failed, long_term_key, same_actor, text


def rule(event):
    if event.get("eventName") != "GetObject" or failed(event) or by_service(event):
        return False
    return long_term_key(event)


def title(event):
    return f"{actor(event)} read objects of many buckets in account {account(event)}"


def dedup(event):
    return same_actor(event)


def unique(event):
    return text(event, "bucketName")


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName"), "object": text(event, "key")}
