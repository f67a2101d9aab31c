from s3_log_helpers import anonymous, done, request_context

WRITES = {
    "REST.PUT.OBJECT": "wrote",
    "REST.POST.OBJECT": "wrote",
    "REST.PUT.PART": "wrote",
    "REST.COPY.OBJECT": "wrote",
    "REST.DELETE.OBJECT": "deleted",
    "BATCH.DELETE.OBJECT": "deleted",
    "REST.PUT.ACL": "opened",
}


def rule(event):
    return event.get("operation") in tuple(WRITES) and anonymous(event) and done(event)


def title(event):
    return f"Somebody without credentials {WRITES.get(event.get('operation'))} objects in bucket {event.get('bucket')}"


def dedup(event):
    return str(event.get("bucket"))


def alert_context(event):
    return request_context(event)
