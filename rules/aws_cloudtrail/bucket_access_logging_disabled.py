from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, request, same_actor, text


def rule(event):
    return (
        event.get("eventName") == "PutBucketLogging"
        and not by_service(event)
        and bool(text(event, "bucketName"))
        and not request(event, "BucketLoggingStatus", "LoggingEnabled")
    )


def title(event):
    verb = attempt(event, "disabled", "disable")
    return f"{actor(event)} {verb} access logging of bucket {text(event, 'bucketName')} in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName")}
