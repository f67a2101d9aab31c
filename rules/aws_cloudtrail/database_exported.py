from cloudtrail_helpers import account, actor, attempt, call_context, same_actor, stranger, text
from cloudtrail_sharing import person

CALLS = ("StartExportTask", "ExportTableToPointInTime")


def rule(event):
    if event.get("eventName") not in CALLS:
        return False
    if event.get("eventName") == "StartExportTask":
        # Application Discovery Service has a call of this name, too.
        return event.get("eventSource") == "rds.amazonaws.com" and person(event)
    return elsewhere(event)


def elsewhere(event):
    return bool(stranger(event, text(event, "s3BucketOwner")))


def title(event):
    verb = attempt(event, "exported", "export")
    return f"{actor(event)} {verb} a database of account {account(event)} to a bucket"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "HIGH" if elsewhere(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {
        "source": text(event, "sourceArn") or text(event, "tableArn"),
        "bucket": text(event, "s3BucketName") or text(event, "s3Bucket"),
        "bucket_owner": text(event, "s3BucketOwner") or None,
    }
