from cloudtrail_helpers import (
    account,
    actor,
    attempt,
    by_service,
    by_tool,
    call_context,
    failed,
    request,
    same_actor,
    text,
)


def rule(event):
    return (
        event.get("eventName") == "PutBucketVersioning"
        and request(event, "VersioningConfiguration", "Status") == "Suspended"
        and not by_service(event)
    )


def title(event):
    verb = attempt(event, "suspended", "suspend")
    return f"{actor(event)} {verb} versioning of bucket {text(event, 'bucketName')} in account {account(event)}"


def severity(event):
    return "LOW" if failed(event) or by_tool(event) else "DEFAULT"


def dedup(event):
    return same_actor(event)


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName")}
