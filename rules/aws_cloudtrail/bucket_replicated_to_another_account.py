from cloudtrail_helpers import account, actor, attempt, call_context, failed, stranger, text
from cloudtrail_sharing import texts

DESTINATION = ("ReplicationConfiguration", "Rule", "Destination")


def rule(event):
    if event.get("eventName") != "PutBucketReplication":
        return False
    return any(stranger(event, owner) for owner in texts(event, *DESTINATION, "Account"))


def title(event):
    verb, bucket = attempt(event, "replicated", "replicate"), text(event, "bucketName")
    return f"{actor(event)} {verb} bucket {bucket} of account {account(event)} to another account"


def severity(event):
    return "MEDIUM" if failed(event) else "DEFAULT"


def alert_context(event):
    destinations = texts(event, *DESTINATION, "Account") + texts(event, *DESTINATION, "Bucket")
    return call_context(event) | {"bucket": text(event, "bucketName"), "destinations": destinations}
