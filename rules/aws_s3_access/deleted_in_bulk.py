from s3_log_helpers import done, request_context, requester


def rule(event):
    # What the bucket's own lifecycle removes is S3.EXPIRE.OBJECT.
    return event.get("operation") in ("REST.DELETE.OBJECT", "BATCH.DELETE.OBJECT") and done(event)


def title(event):
    what = "object versions for good" if event.get("versionid") else "objects"
    return f"{requester(event)} deleted many {what} in bucket {event.get('bucket')}"


def severity(event):
    # A plain delete in a versioned bucket can be undone; that of a version cannot.
    return "HIGH" if event.get("versionid") else "DEFAULT"


def dedup(event):
    return f"{event.get('bucket')}/{event.get('requester', '')}/{bool(event.get('versionid'))}"


def unique(event):
    return f"{event.get('key')}@{event.get('versionid', '')}"


def alert_context(event):
    return request_context(event) | {"version": event.get("versionid")}
