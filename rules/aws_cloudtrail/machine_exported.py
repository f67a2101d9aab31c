from cloudtrail_helpers import account, actor, attempt, by_service, call_context, failed, same_actor
from cloudtrail_sharing import texts

EXPORTS = ("CreateInstanceExportTask", "ExportImage", "CreateStoreImageTask")


def rule(event):
    return event.get("eventName") in EXPORTS and not by_service(event)


def title(event):
    return f"{actor(event)} {attempt(event, 'exported', 'export')} a machine of account {account(event)} to a bucket"


def dedup(event):
    return same_actor(event)


def severity(event):
    return "LOW" if failed(event) else "DEFAULT"


def alert_context(event):
    paths = ("exportToS3", "s3Bucket"), ("ExportImageRequest", "S3ExportLocation", "S3Bucket"), ("bucket",)
    ids = ("instanceId",), ("ExportImageRequest", "ImageId"), ("imageId",)
    return call_context(event) | {
        "exported": [value for path in ids for value in texts(event, *path)],
        "bucket": [value for path in paths for value in texts(event, *path)],
    }
