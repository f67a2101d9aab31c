import re

from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor, text
from cloudtrail_reading import mappings

LOGS = ("audit", "cloudtrail", "flowlogs", "log", "logging", "logs", "trail")
WEEK = ("1", "2", "3", "4", "5", "6", "7")
EVERYTHING = ("", "*", "AWSLogs", "AWSLogs/")


def rule(event):
    if event.get("eventName") not in ("PutBucketLifecycle", "PutBucketLifecycleConfiguration") or by_service(event):
        return False
    return any(clears(item, holds_logs(event)) for item in lifecycle(event))


def lifecycle(event):
    """The rules of the bucket's new life cycle."""
    return mappings(event.deep_get("requestParameters", "LifecycleConfiguration", "Rule"))


def holds_logs(event):
    """Whether a bucket's name has a word for logs among its parts: acme-trail-logs has, acme-blog has not."""
    return any(part in LOGS for part in re.split(r"[-._]", text(event, "bucketName").lower()))


def clears(item, logs):
    """Whether a lifecycle rule empties the bucket within a day, or takes a part of a bucket of logs within a week."""
    if item.get("Status") != "Enabled":
        return False
    days = str(item.deep_get("Expiration", "Days"))
    return days in WEEK if logs else days == "1" and takes_all(item)


def takes_all(item):
    prefix = item.get("Prefix") or item.deep_get("Filter", "Prefix", default="")
    return prefix in EVERYTHING and not item.deep_get("Filter", "Tag") and not item.deep_get("Filter", "And")


def title(event):
    what = f"{text(event, 'bucketName')} in account {account(event)}"
    return f"{actor(event)} {attempt(event, 'let', 'let')} the objects of bucket {what} vanish within days"


def severity(event):
    if failed(event):
        return "LOW"
    return "HIGH" if holds_logs(event) else "DEFAULT"


def dedup(event):
    return f"{same_actor(event)}/{text(event, 'bucketName')}"


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName"), "rules": lifecycle(event)}
