from cloudtrail_helpers import account, actor, attempt, call_context, failed, stranger, text
from cloudtrail_sharing import texts

DEFAULT = ("ServerSideEncryptionConfiguration", "Rule", "ApplyServerSideEncryptionByDefault", "KMSMasterKeyID")
COPY = ("x-amz-server-side-encryption-aws-kms-key-id",)


def rule(event):
    if event.get("eventName") not in ("PutBucketEncryption", "CopyObject"):
        return False
    return any(stranger(event, key) for key in keys(event))


def keys(event):
    return texts(event, *DEFAULT) + texts(event, *COPY)


def title(event):
    verb, bucket = attempt(event, "encrypted", "encrypt"), text(event, "bucketName")
    return f"{actor(event)} {verb} bucket {bucket} of account {account(event)} with another account's key"


def severity(event):
    return "HIGH" if failed(event) else "DEFAULT"


def alert_context(event):
    return call_context(event) | {"bucket": text(event, "bucketName"), "key": keys(event)}
